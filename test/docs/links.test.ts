import { existsSync, readdirSync, readFileSync } from "node:fs"
import { assert, it } from "vitest"

const root = new URL("../../", import.meta.url)

/** What is written in code is no link and no heading. */
const prose = (document: URL): string => readFileSync(document, "utf8").replace(/^```.*?^```$/gms, "")

/** The anchors that GitHub gives to the headings of a document. */
const anchors = (document: URL): ReadonlySet<string> => {
  const seen = new Map<string, number>()
  return new Set(
    Array.from(prose(document).matchAll(/^#{1,6} (.+)$/gm), ([, heading = ""]) => {
      const plain = heading.trim().toLowerCase()
      const slug = plain.replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-")
      const before = seen.get(slug) ?? 0
      seen.set(slug, before + 1)
      return before === 0 ? slug : `${slug}-${before}`
    })
  )
}

/** The relative ones. */
const links = (document: URL): ReadonlyArray<string> =>
  Array.from(
    prose(document)
      .replace(/`[^`]*`/g, "code")
      .matchAll(/\]\(([^)\s]+)\)|(?:src|srcset|href)="([^"]+)"/g),
    ([, inText, inTag]) => inText ?? inTag ?? ""
  ).filter((link) => !/^[a-z][a-z+.-]*:/i.test(link))

const problemOf = (document: URL, link: string): string | undefined => {
  const target = new URL(link, document)
  const anchor = decodeURIComponent(target.hash.slice(1))
  target.hash = ""
  if (!existsSync(target)) return "there is no such file"
  return anchor === "" || anchors(target).has(anchor) ? undefined : "there is no such heading"
}

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(new URL("docs/", root), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
]

it.each(documents)("each relative link of %s leads somewhere", (name) => {
  const document = new URL(name, root)
  const broken = links(document).flatMap((link) => {
    const problem = problemOf(document, link)
    return problem === undefined ? [] : [`${link}: ${problem}`]
  })
  assert.deepStrictEqual(broken, [])
})

it("the links are found, and what is wrong with one", () => {
  const readme = new URL("README.md", root)
  assert.include(links(readme), "docs/sandbox.md")
  assert.include(links(new URL("docs/troubleshooting.md", root)), "#every-call-logs-in-again")
  assert.isTrue(links(readme).some((link) => link.endsWith(".png")))
  assert.strictEqual(problemOf(readme, "docs/nothing.md"), "there is no such file")
  assert.strictEqual(problemOf(readme, "docs/sandbox.md#nothing"), "there is no such heading")
  assert.strictEqual(problemOf(readme, "docs/pkce.md#logging-an-end-user-in-pkce"), undefined)
})
