import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc, Option } from "effect"
import * as NetworkFailure from "../../../src/layers/http/NetworkFailure.js"

const code = (code: unknown, extra: object = {}) => Object.assign(new Error("m"), { code, ...extra })
const chain = (depth: number, end: unknown): unknown =>
  depth === 0 ? end : new Error("m", { cause: chain(depth - 1, end) })

describe("the system code of a failure", () => {
  const read = (failure: unknown) => Option.getOrUndefined(NetworkFailure.systemCode(failure))

  it("is the one nearest to the failure", () => {
    assert.strictEqual(read(Object.assign(code("EPIPE"), { cause: code("ECONNRESET") })), "EPIPE")
    assert.strictEqual(read(new AggregateError([new Error("m"), code("ENOTFOUND")])), "ENOTFOUND")
    assert.strictEqual(read(chain(5, code("ECONNRESET"))), "ECONNRESET")
  })

  it("is searched for in a bounded part of the causes", () => {
    assert.isUndefined(read(chain(1000, code("ECONNRESET"))))
    const wide = new AggregateError(Array.from({ length: 100_000 }, () => new Error("m")))
    assert.isUndefined(read(new Error("m", { cause: new AggregateError([wide, wide, wide]) })))
    const circular = new Error("m")
    circular.cause = new AggregateError([circular], "m", { cause: circular })
    assert.isUndefined(read(circular))
  })

  it("is ignored if it does not look like one", () => {
    for (const junk of [
      "",
      "AB",
      "eacces",
      "E ACCES",
      "ÉACCES",
      `E${"X".repeat(61)}`,
      "EX\n",
      7,
      null,
      {},
      ["EPIPE"]
    ]) {
      assert.isUndefined(read(code(junk)), String(junk))
    }
    assert.strictEqual(read(code(`E${"X".repeat(60)}`)), `E${"X".repeat(60)}`)
  })

  it("is read from any value without an exception", () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true }), (failure) =>
        Option.isOption(NetworkFailure.systemCode(failure))
      )
    )
    const hostile = new Proxy({}, { get: () => assert.fail("looked at"), has: () => assert.fail("looked at") })
    assert.isUndefined(read(hostile))
  })
})

describe("NetworkFailure.wasNotProcessed", () => {
  it("is true if at least one part of the failure says so and none says otherwise", () => {
    const refused = code("ECONNREFUSED")
    assert.isTrue(NetworkFailure.wasNotProcessed(refused))
    assert.isTrue(NetworkFailure.wasNotProcessed(new AggregateError([refused, code("EHOSTUNREACH")])))
    assert.isTrue(NetworkFailure.wasNotProcessed(code("ETIMEDOUT", { syscall: "connect" })))
    assert.isTrue(NetworkFailure.wasNotProcessed(code(undefined, { syscall: "getaddrinfo" })))
    assert.isFalse(NetworkFailure.wasNotProcessed(new Error("m")))
    assert.isFalse(NetworkFailure.wasNotProcessed(Object.assign(code("ECONNREFUSED"), { cause: code("ECONNRESET") })))
    assert.isFalse(NetworkFailure.wasNotProcessed(code("ECONNREFUSED", { syscall: "write" })))
    assert.isFalse(NetworkFailure.wasNotProcessed(undefined))
  })

  const deno = (rest: string) => new TypeError(`error sending request for url (https://api.nomba.com/v1/x): ${rest}`)
  for (const [what, error, expected, detail] of [
    [
      "a refused connection",
      "client error (Connect): tcp connect error: Connection refused (os error 111)",
      true,
      "ECONNREFUSED"
    ],
    ["failed DNS", "client error (Connect): dns error: failed to lookup address information", true, "ENOTFOUND"],
    ["a failed TLS handshake", "client error (Connect): invalid peer certificate: UnknownIssuer", true, undefined],
    [
      "a connection that broke",
      "client error (SendRequest): connection closed before message completed",
      false,
      undefined
    ],
    ["another failure", "operation was canceled", false, undefined]
  ] as const) {
    it(`reads Deno's message: ${what}`, () => {
      assert.strictEqual(NetworkFailure.wasNotProcessed(deno(error)), expected)
      assert.strictEqual(Option.getOrUndefined(NetworkFailure.systemCode(deno(error))), detail)
      const wrapped = new Error("transport", { cause: deno(error) })
      assert.strictEqual(NetworkFailure.wasNotProcessed(wrapped), expected)
    })
  }

  it("knows that Deno does not permit the connection", () => {
    const error = Object.assign(
      new Error('Requires net access to "api.nomba.com:443", run again with the --allow-net flag'),
      {
        name: "NotCapable"
      }
    )
    assert.isTrue(NetworkFailure.wasNotProcessed(new Error("transport", { cause: error })))
    assert.deepStrictEqual(NetworkFailure.systemCode(error), Option.some("EACCES"))
  })

  it("ignores a message that quotes Deno's", () => {
    assert.isFalse(NetworkFailure.wasNotProcessed(new Error("the server said: client error (Connect): x")))
  })
})
