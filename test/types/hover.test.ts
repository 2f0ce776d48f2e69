import { readdirSync, readFileSync } from "node:fs"
import { assert, it } from "@effect/vitest"

const folder = new URL("../../src/services/", import.meta.url)
const serviceClass = /(\/\*\*(?:(?!\*\/)[\s\S])*\*\/)\nexport class (\w+) extends Context/g

it("every service class has a sentence that an editor shows on hover", () => {
  const classes = readdirSync(folder).flatMap((file) =>
    Array.from(readFileSync(new URL(file, folder), "utf8").matchAll(serviceClass), ([, comment = "", name = ""]) => ({
      name,
      hasSentence: /^ \* (?!@)\S/m.test(comment)
    }))
  )
  assert.includeMembers(
    classes.map(({ name }) => name),
    ["NombaAuth", "NombaClient", "NombaConfig", "PublicLogin", "RetryPolicy", "TokenCache", "TokenStore"]
  )
  assert.deepStrictEqual(
    classes.filter(({ hasSentence }) => !hasSentence),
    []
  )
})
