/** What a program without Effect sees of `nomba-auth/promise`: the declarations as they are published. */
import { assert, it } from "vitest"
import { declarations, root, specifiers } from "../support/declarations.js"

const entries = ["src/promise/index.ts", "src/promise/redis/index.ts", "src/promise/file/index.ts"]

it("no declaration of nomba-auth/promise refers to Effect", () => {
  const found = declarations(entries)
  assert.includeMembers(
    [...found.keys()],
    [...entries, "src/promise/createNomba.ts", "src/promise/errors.ts"].map((file) => root + file)
  )
  const foreign = [...found].flatMap(([file, text]) =>
    specifiers(text)
      .filter((specifier) => !specifier.startsWith("."))
      .map((specifier) => `${file}: ${specifier}`)
  )
  assert.deepStrictEqual(foreign, [])
  // A type that is inferred may be written as import("effect/Effect").
  for (const [file, text] of found) assert.notMatch(text, /["']@?effect\b/, file)
})
