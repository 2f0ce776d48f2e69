/** The pages of this repository and their blocks of code. `CONTRIBUTING.md` describes the marks before a block. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const root: string = fileURLToPath(new URL("../../", import.meta.url))

export interface Block {
  readonly page: string
  /** The line of its first fence, for messages. */
  readonly line: number
  readonly language: string
  readonly code: string
  /** From `<!-- file: NAME -->`: the page tells its reader to save it. */
  readonly file?: string
  /** From `<!-- not run: REASON -->`. */
  readonly notRun?: string
  /** From `<!-- runs until stopped -->`: a server, for the commands after it. */
  readonly isServer: boolean
  /** From `<!-- in another terminal -->`: goes on while the commands after it run. */
  readonly isBackground: boolean
  /** From `<!-- prints -->`: what the command before it prints. */
  readonly isOutput: boolean
}

/** Every Markdown file of the repository's root and of `docs/`. */
export const pages = (): ReadonlyArray<string> => [
  ...readdirSync(root).filter((name) => name.endsWith(".md")),
  ...readdirSync(`${root}docs`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !name.includes("node_modules"))
    .map((name) => `docs/${name}`)
    .sort()
]

const fenced = /(?:^<!-- (?<mark>[^\n]+?) -->\n)?^```(?<language>\S*)\n(?<code>.*?)^```$/gms

export const blocksOf = (page: string, text = readFileSync(root + page, "utf8")): ReadonlyArray<Block> =>
  Array.from(text.matchAll(fenced), ({ groups = {}, index }) => {
    const { code = "", language = "", mark = "" } = groups
    const { file, notRun } = /^file: (?<file>\S+)$|^not run: (?<notRun>.+)$/.exec(mark)?.groups ?? {}
    return {
      page,
      line: text.slice(0, index).split("\n").length + (mark === "" ? 0 : 1),
      language,
      code,
      ...(file === undefined ? {} : { file }),
      ...(notRun === undefined ? {} : { notRun }),
      isServer: mark === "runs until stopped",
      isBackground: mark === "in another terminal",
      isOutput: mark === "prints"
    }
  })

/** Examples that are files of this repository, and are run by tests of their own. */
const ownFiles = (): ReadonlySet<string> =>
  new Set(
    readdirSync(`${root}examples`, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.(ts|yaml|php|py)$/.test(name) && !/node_modules|\.next/.test(name))
      .map((name) => readFileSync(`${root}examples/${name}`, "utf8"))
  )

/** The blocks of all pages, without those that are files of `examples/`. */
export const blocks = (): ReadonlyArray<Block> => {
  const files = ownFiles()
  return pages()
    .flatMap((page) => blocksOf(page))
    .filter(({ code }) => !files.has(code))
}

/** Where a block is, for a message. */
export const at = ({ line, page }: Block): string => `${page}:${line}`
