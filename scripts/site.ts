/**
 * `npm run site`: builds a static site with search from the pages and the doc comments, into `site/.vitepress/dist`. Fails if an
 * export has no description or a link leads nowhere. Its packages are in `site/` because nothing else needs them.
 */
import { execFileSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { pages, root } from "../test/support/pages.js"

const site = join(root, "site")
const folder = join(site, "pages")

const run = (command: string, ...args: ReadonlyArray<string>): void => {
  execFileSync(command, args, { cwd: site, stdio: "inherit" })
}

/** A folder's `README.md` is its `index.html`, and a picture is found from its own folder. */
const adapted = (text: string): string =>
  text
    .replace(/(\]\((?:[\w./-]*\/)?)README\.md(?=[)#])/g, "$1index.md")
    .replace(/(src|srcset)="(?=(?:docs|bench)\/)/g, '$1="./')

if (!existsSync(join(site, "node_modules"))) run("npm", "ci")
rmSync(folder, { recursive: true, force: true })
run(join(site, "node_modules/.bin/typedoc"))
for (const page of [...pages(), "bench/RESULTS.md"]) {
  const copy = join(folder, page.replace(/README\.md$/, "index.md"))
  mkdirSync(dirname(copy), { recursive: true })
  writeFileSync(copy, adapted(readFileSync(join(root, page), "utf8")))
}
cpSync(join(root, "docs/images"), join(folder, "docs/images"), { recursive: true })
cpSync(join(root, "bench/results.svg"), join(folder, "bench/results.svg"))
// What the pages link to and is no page.
for (const file of ["openapi.json", "docs/grafana.json", "test/model/protocol/protocol.pml", "scripts/smoke.mjs"]) {
  cpSync(join(root, file), join(folder, "public", file))
}
run(join(site, "node_modules/.bin/vitepress"), "build")
