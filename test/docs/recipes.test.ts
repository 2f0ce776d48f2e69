import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"

const root = new URL("../../", import.meta.url)
const folder = new URL("examples/recipes/", root)
const page = readFileSync(new URL("docs/recipes.md", root), "utf8")

const embedded = Array.from(
  page.matchAll(/^`([^`\n]+)`:\n\n```(?:ts|tsx|yaml)\n(.*?)```$/gms),
  ([, name = "", code]) => ({
    name,
    code
  })
)

describe("docs/recipes.md", () => {
  it("shows the files that the recipes' tests run", () => {
    for (const { code, name } of embedded) assert.strictEqual(code, readFileSync(new URL(name, folder), "utf8"), name)
  })

  it("installs the versions of Effect's packages that the recipes' tests use", () => {
    const { dependencies } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8"))
    const imported = new Set(embedded.flatMap(({ code = "" }) => code.match(/(?<=")@effect\/[\w-]+/g) ?? []))
    imported.delete("@effect/platform") // comes with the library
    assert.isAbove(imported.size, 2)
    for (const name of imported) {
      assert.match(page, new RegExp(`npm install .*${name}@${/^\d+\.\d+/.exec(dependencies[name])?.[0]}\\b`), name)
    }
  })

  it("shows all recipes, and no code that is not one", () => {
    const notRecipes = ["cloudflare.d.ts", "vitest.config.ts"]
    const files = readdirSync(folder).filter((name) => /\.(ts|yaml)$/.test(name) && !notRecipes.includes(name))
    const names = embedded.map(({ name }) => name)
    assert.includeMembers(names, files)
    assert.lengthOf(Array.from(page.matchAll(/^```(?:ts|tsx|js|yaml)$/gm)), names.length)
  })
})
