import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { passing, switches } from "./runs.js"

const root = new URL("../../../", import.meta.url)
const model = readFileSync(new URL("test/model/protocol/protocol.pml", root), "utf8")
const page = readFileSync(new URL("docs/protocol.md", root), "utf8")

const matches = (text: string, pattern: RegExp) => new Set(Array.from(text.matchAll(pattern), ([, found]) => found))

describe("the protocol model", () => {
  it("breaks a rule for each switch, and has no other", () => {
    assert.sameMembers(
      [...matches(model, /\bFAULT_([A-Z]+(?:_[A-Z]+)*)\b/g)],
      [...switches.map(({ name }) => name), "X"]
    )
  })

  it("has a switch for each invariant, and no other", () => {
    assert.sameMembers([...matches(model, /^bit ([A-Z_]+) = 1;/gm)], [...new Set(switches.map((_) => _.expected))])
  })

  it("is described by docs/protocol.md: each switch, each invariant, and the bounds of each run", () => {
    const rows = Array.from(page.matchAll(/^\| `([A-Z_]+)`: [^|]+ \| `([A-Z_]+)` \|$/gm), ([, name, expected]) => [
      name,
      expected
    ])
    assert.sameDeepMembers(
      rows,
      switches.map(({ expected, name }) => [name, expected])
    )
    for (const { expected } of switches) assert.include(page, `\n| \`${expected}\` |`)
    for (const { name } of passing) assert.include(page, `\n| ${name} |`)
  })
})
