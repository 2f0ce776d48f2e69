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

  it("shows all recipes, and no code that is not one", () => {
    const notRecipes = ["cloudflare.d.ts", "vitest.config.ts"]
    const files = readdirSync(folder).filter((name) => /\.(ts|yaml)$/.test(name) && !notRecipes.includes(name))
    const names = embedded.map(({ name }) => name)
    assert.includeMembers(names, files)
    assert.lengthOf(Array.from(page.matchAll(/^```(?:ts|tsx|js|yaml)$/gm)), names.length)
  })
})
