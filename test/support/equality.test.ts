import { assert, describe, it } from "@effect/vitest"
import { Either, Exit, Option, Redacted } from "effect"

const some = (value: string) => Option.some(Redacted.make(value))

describe("assert.deepStrictEqual", () => {
  for (const [what, one, other] of [
    ["something from nothing", Option.some(1), Option.none()],
    ["nothing from something, within", { a: [Option.none()] }, { a: [Option.some(1)] }],
    ["two values", Option.some(1), Option.some(2)],
    ["two secrets", Redacted.make("a"), Redacted.make("b")],
    ["two secrets, within", { a: some("a") }, { a: some("b") }],
    ["two failures", Exit.fail("a"), Exit.fail("b")],
    ["left from right", Either.left(1), Either.right(1)]
  ] as const) {
    it(`tells apart ${what}`, () => assert.notDeepEqual<unknown>(one, other))
  }

  for (const [what, make] of [
    ["nothing", () => Option.none()],
    ["the same value", () => Option.some({ a: 1 })],
    ["the same secret", () => ({ a: [some("a")] })]
  ] as const) {
    it(`accepts ${what} twice`, () => assert.deepStrictEqual<unknown>(make(), make()))
  }
})
