/** `npm run mutants` takes minutes; that a line has moved away from under a mutant is noticed here. */
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { assert, it } from "@effect/vitest"
import { mutants } from "../../scripts/mutants/list.js"

const pathOf = (file: string) => fileURLToPath(new URL(`../../${file}`, import.meta.url))

it("each mutant breaks a line that stands once, and names a test that exists", () => {
  const misplaced = mutants.filter(
    ({ file, from, test, to }) =>
      from === to || readFileSync(pathOf(file), "utf8").split(from).length !== 2 || !existsSync(pathOf(test))
  )
  assert.deepStrictEqual(
    misplaced.map(({ breaks }) => breaks),
    []
  )
})
