import { readdirSync, readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"

const root = new URL("../../", import.meta.url)
const folder = new URL("examples/testing/", root)
const page = readFileSync(new URL("docs/testing.md", root), "utf8")

it("every example of the page on testing is a file that the tests run", () => {
  const files = new Map(readdirSync(folder).map((name) => [readFileSync(new URL(name, folder), "utf8"), name]))
  const examples = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code ?? "")
  assert.deepStrictEqual(
    examples.filter((code) => !files.has(code)),
    []
  )
  assert.sameMembers(
    examples.map((code) => files.get(code)),
    [...files.values()]
  )
})
