import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc, Option } from "effect"
import * as Responses from "../../src/schemas/Responses.js"

const silent: Responses.Envelope = {
  code: Option.none(),
  description: Option.none(),
  errors: [],
  oddCode: Option.none()
}

describe("decodeEnvelope", () => {
  it("reads every member", () => {
    assert.deepStrictEqual(Responses.decodeEnvelope({ code: "400", description: "no", errors: ["a", "b"] }), {
      code: Option.some("400"),
      description: Option.some("no"),
      errors: ["a", "b"],
      oddCode: Option.none()
    })
  })

  for (const [code, text] of [
    ["00", "00"],
    ["0", "00"],
    [0, "00"],
    [-0, "00"],
    [1, "01"],
    ["1", "01"],
    [" 02 ", "02"],
    [400, "400"],
    ["A", "A"],
    ["000", "000"]
  ] as const) {
    it(`code ${JSON.stringify(code)} reads ${text}`, () => {
      assert.deepStrictEqual(Responses.decodeEnvelope({ code }).code, Option.some(text))
    })
  }

  for (const code of [undefined, null, ""]) {
    it(`code ${JSON.stringify(code)} is absent`, () => {
      assert.deepStrictEqual(Responses.decodeEnvelope({ code }), silent)
    })
  }

  for (const [code, kind] of [
    [true, "boolean"],
    [[], "array"],
    [["00"], "array"],
    [{}, "object"],
    ["  ", "string"],
    [Number.NaN, "number"],
    [Number.POSITIVE_INFINITY, "number"]
  ] as const) {
    it(`code ${String(code)} is none, and odd`, () => {
      assert.deepStrictEqual(Responses.decodeEnvelope({ code }), {
        ...silent,
        oddCode: Option.some(`code: malformed ${kind}`)
      })
    })
  }

  it("`message` stands in for an absent or unusable `description` only", () => {
    const read = (body: object) => Option.getOrUndefined(Responses.decodeEnvelope(body).description)
    assert.strictEqual(read({ description: "d", message: "m" }), "d")
    assert.strictEqual(read({ message: "m" }), "m")
    assert.strictEqual(read({ description: "", message: "m" }), "m")
    assert.strictEqual(read({ description: 7, message: "m" }), "m")
    assert.isUndefined(read({ message: ["m"] }))
  })

  it("reads at most twenty errors, each a text", () => {
    assert.deepStrictEqual(Responses.decodeEnvelope({ errors: ["a", 1, null, "", { b: "b" }, " c "] }).errors, [
      "a",
      "c"
    ])
    assert.lengthOf(Responses.decodeEnvelope({ errors: Array(1000).fill("x") }).errors, 20)
    assert.deepStrictEqual(Responses.decodeEnvelope({ errors: "one" }).errors, [])
  })

  it("reads nothing from what is not an object, and no inherited member", () => {
    for (const body of [undefined, null, 7, "code", [], [{ code: "00" }], Object.create({ code: "00" })]) {
      assert.deepStrictEqual(Responses.decodeEnvelope(body), silent)
    }
    assert.deepStrictEqual(Responses.decodeEnvelope(JSON.parse('{"__proto__":{"code":"00"}}')), silent)
  })

  it("never throws, for any JSON", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), fc.jsonValue(), (code, description, errors) => {
        Responses.decodeEnvelope(code)
        const envelope = Responses.decodeEnvelope({ code, description, errors })
        assert.isTrue([...Option.toArray(envelope.code), ...envelope.errors].every((text) => typeof text === "string"))
      })
    )
  })
})
