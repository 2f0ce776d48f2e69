import { Headers } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, FastCheck as fc, Option } from "effect"
import * as IncomingResponse from "../../../src/layers/http/IncomingResponse.js"
import { cpuMillis } from "../../support/work.js"

const wait = (headers: Record<string, string>, status = 429, now = 0) =>
  Option.getOrUndefined(Option.map(IncomingResponse.wait(status, Headers.fromInput(headers), now), Duration.toMillis))

describe("the wait that a server states", () => {
  it("is between nothing and an hour, or absent, for any headers", () => {
    const junk = fc.oneof(
      fc.string(),
      fc.integer().map(String),
      fc.double().map(String),
      fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
      fc.stringMatching(/^\d{1,400}m?s?$/)
    )
    fc.assert(
      fc.property(junk, junk, junk, fc.integer({ min: 0, max: 1e13 }), (retryAfter, window, date, now) => {
        const millis = wait({ "retry-after": retryAfter, "x-rate-limit-window": window, date }, 429, now)
        if (millis === undefined) return
        assert.isAtLeast(millis, 0)
        assert.isAtMost(millis, 3_600_000)
      }),
      { numRuns: 1000 }
    )
  })

  it("counts a date from the server's clock, and from ours only if that is not stated", () => {
    const at = "Wed, 13 Aug 2025 15:00:30 GMT"
    const now = Date.UTC(2025, 7, 13, 15, 0, 10)
    assert.strictEqual(wait({ "retry-after": at, date: "Wed, 13 Aug 2025 15:00:00 GMT" }, 503, now), 30_000)
    assert.strictEqual(wait({ "retry-after": at }, 503, now), 20_000)
    assert.strictEqual(wait({ "retry-after": at, date: "junk" }, 503, now), 20_000)
    assert.strictEqual(wait({ "retry-after": at, date: "Wed, 13 Aug 2025 15:00:00 GMT", age: "9" }, 503, now), 20_000)
    assert.strictEqual(wait({ "retry-after": at }, 503, now + 60_000), 0)
    assert.strictEqual(wait({ "retry-after": at }, 503, 0), 3_600_000)
  })

  it("is the rate limit's window on a 429 only", () => {
    for (const [window, millis] of [
      ["1s", 1000],
      ["60s", 60_000],
      ["60S", 60_000],
      [" 2 s ", 2000],
      ["1000", 1000],
      ["250ms", 250],
      ["0", 0],
      ["1m", undefined],
      ["-1s", undefined],
      ["1.5s", undefined],
      ["", undefined]
    ] as const) {
      assert.strictEqual(wait({ "x-rate-limit-window": window }), millis, window)
      assert.isUndefined(wait({ "x-rate-limit-window": window }, 503), window)
    }
  })

  it("takes little time to read from hostile headers", () => {
    const long = ["1".repeat(64_000), " ".repeat(64_000), "1 ".repeat(32_000), `1${" ".repeat(64_000)}`]
    for (const value of [...long, ...long.map((value) => `${value}x`)]) {
      const spent = cpuMillis(() => wait({ "x-rate-limit-window": value, "retry-after": value, date: value }))
      assert.isBelow(spent, 1000)
    }
  })
})

describe("the time of the server", () => {
  const date = (headers: Record<string, string>) =>
    Option.getOrUndefined(IncomingResponse.date(Headers.fromInput(headers)))

  it("is the Date header, unless the response comes from a cache", () => {
    assert.strictEqual(date({ Date: "Thu, 01 Jan 1970 00:00:01 GMT" }), 1000)
    assert.isUndefined(date({ date: "Thu, 01 Jan 1970 00:00:01 GMT", age: "0" }))
    assert.isUndefined(date({ date: "1970-01-01T00:00:01Z" }))
    assert.isUndefined(date({}))
  })
})
