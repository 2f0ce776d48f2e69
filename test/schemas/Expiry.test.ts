import { assert, describe, it } from "@effect/vitest"
import { Duration, Either, FastCheck as fc, Option } from "effect"
import * as Expiry from "../../src/schemas/Expiry.js"

const noon = Date.UTC(2025, 7, 13, 12)
const none: Expiry.Sources = {
  expiresIn: Option.none(),
  expiresAt: Option.none(),
  date: Option.none(),
  claims: { iat: Option.none(), exp: Option.none() },
  sentAt: noon
}
const minutes = (n: number): number => n * 60_000

const millis = (sources: Partial<Expiry.Sources>): number =>
  Either.match(Expiry.lifetime({ ...none, ...sources }), {
    onLeft: () => 0,
    onRight: ({ lifetime }) => Duration.toMillis(lifetime)
  })

const claims = (iat?: number, exp?: number): Expiry.Claims => ({
  iat: Option.fromNullable(iat),
  exp: Option.fromNullable(exp)
})

describe("the lifetime", () => {
  it("is thirty minutes if the response states none", () => {
    assert.strictEqual(millis({}), minutes(30))
    assert.strictEqual(millis({ date: Option.some(0), claims: claims(noon) }), minutes(30))
  })

  it("is what expires_in says", () => {
    assert.strictEqual(millis({ expiresIn: Option.some(minutes(60)) }), minutes(60))
  })

  it("is expiresAt less the server's Date, however wrong our clock is", () => {
    for (const sentAt of [0, noon - minutes(600), noon + minutes(600)]) {
      const expiresAt = Option.some(noon + minutes(20))
      assert.strictEqual(millis({ sentAt, expiresAt, date: Option.some(noon) }), minutes(20))
      assert.strictEqual(millis({ sentAt, expiresAt, claims: claims(noon) }), minutes(20))
    }
  })

  it("is expiresAt less our own clock if the server's is not stated", () => {
    assert.strictEqual(millis({ expiresAt: Option.some(noon + minutes(20)) }), minutes(20))
  })

  it("prefers the Date to the token's iat", () => {
    const expiresAt = Option.some(noon + minutes(20))
    assert.strictEqual(millis({ expiresAt, date: Option.some(noon), claims: claims(noon - minutes(5)) }), minutes(20))
  })

  it("is exp less iat of the token; exp alone is ignored", () => {
    assert.strictEqual(millis({ claims: claims(0, minutes(5)) }), minutes(5))
    assert.strictEqual(millis({ claims: claims(undefined, 1) }), minutes(30))
  })

  const time = fc.option(fc.integer({ min: -1e12, max: 4e12 }), { nil: undefined })
  const arbitrary = fc.record({
    expiresIn: time.map(Option.fromNullable),
    expiresAt: time.map(Option.fromNullable),
    date: time.map(Option.fromNullable),
    claims: fc.tuple(time, time).map(([iat, exp]) => claims(iat, exp)),
    sentAt: fc.integer({ min: 0, max: 4e12 })
  })

  it("is the shortest of those that are stated, at most a day and never zero", () => {
    fc.assert(
      fc.property(arbitrary, (sources) => {
        const server = Option.orElse(sources.date, () => sources.claims.iat)
        const stated = [
          ...Option.toArray(sources.expiresIn),
          ...Option.toArray(sources.expiresAt).map((at) => at - Option.getOrElse(server, () => sources.sentAt)),
          ...Option.toArray(Option.all([sources.claims.exp, sources.claims.iat])).map(([exp, iat]) => exp - iat)
        ]
        const expected = stated.length === 0 ? minutes(30) : Math.min(minutes(1440), ...stated)
        assert.strictEqual(millis(sources), Math.max(0, expected))
      })
    )
  })

  it("is never longer than any one source", () => {
    fc.assert(
      fc.property(arbitrary, fc.integer({ min: 1, max: 1e9 }), (sources, expiresIn) => {
        assert.isAtMost(millis({ ...sources, expiresIn: Option.some(expiresIn) }), expiresIn)
      })
    )
  })

  it("does not depend on our clock if the server states its own", () => {
    fc.assert(
      fc.property(
        arbitrary,
        fc.integer({ min: 0, max: 4e12 }),
        fc.integer({ min: 0, max: 4e12 }),
        (sources, date, sentAt) => {
          const told = { ...sources, date: Option.some(date) }
          assert.deepStrictEqual(millis({ ...told, sentAt }), millis(told))
        }
      )
    )
  })

  it("counts from the server's time if it is stated, and says so", () => {
    const told = Either.getOrThrow(Expiry.lifetime({ ...none, date: Option.some(7) }))
    assert.deepStrictEqual([told.clock, told.issuedAt.epochMillis], ["server", 7])
    const untold = Either.getOrThrow(Expiry.lifetime(none))
    assert.deepStrictEqual([untold.clock, untold.issuedAt.epochMillis], ["local", noon])
  })

  it("is an error that names both clocks if the token has already expired", () => {
    for (const dead of [0, -1, 0.4, Number.NEGATIVE_INFINITY]) {
      const result = Expiry.lifetime({ ...none, expiresIn: Option.some(dead), date: Option.some(7) })
      const refused = Either.getOrThrow(Either.flip(result))
      assert.strictEqual(refused.local.epochMillis, noon)
      assert.deepStrictEqual(
        Option.map(refused.server, (at) => at.epochMillis),
        Option.some(7)
      )
    }
  })

  it("accepts numbers beyond all dates", () => {
    for (const n of [Number.MAX_VALUE, -Number.MAX_VALUE, Number.POSITIVE_INFINITY, Number.NaN]) {
      const some = Option.some(n)
      assert.doesNotThrow(() => Expiry.lifetime({ ...none, expiresIn: some, expiresAt: some, date: some, sentAt: n }))
      assert.doesNotThrow(() => Expiry.lifetime({ ...none, claims: claims(n, n) }))
    }
  })
})

describe("parseDate", () => {
  const at = (text: string | number): number | undefined => Option.getOrUndefined(Expiry.parseDate(text))

  for (const [text, expected] of [
    ["2025-08-13T15:30:00Z", "2025-08-13T15:30:00.000Z"],
    ["2025-08-13T15:30:00.5Z", "2025-08-13T15:30:00.500Z"],
    ["2025-08-13T15:30:00.123456789Z", "2025-08-13T15:30:00.123Z"],
    ["2025-08-13T15:30:00.999999999Z", "2025-08-13T15:30:00.999Z"],
    ["2025-08-13T15:30:00.Z", "2025-08-13T15:30:00.000Z"],
    ["2025-08-13T15:30:00", "2025-08-13T15:30:00.000Z"],
    ["2025-08-13T15:30:00.029", "2025-08-13T15:30:00.029Z"],
    ["2025-08-13 15:30:00", "2025-08-13T15:30:00.000Z"],
    ["2025-08-13T15:30", "2025-08-13T15:30:00.000Z"],
    ["2025-08-13t15:30:00z", "2025-08-13T15:30:00.000Z"],
    ["2025-08-13T15:30:00+01:00", "2025-08-13T14:30:00.000Z"],
    ["2025-08-13T15:30:00-0530", "2025-08-13T21:00:00.000Z"],
    ["2025-08-13T15:30:00+01", "2025-08-13T14:30:00.000Z"],
    [" 2025-08-13T15:30:00Z ", "2025-08-13T15:30:00.000Z"],
    ["2024-02-29T24:00:00Z", "2024-03-01T00:00:00.000Z"],
    ["2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
    ["1755099000000", "2025-08-13T15:30:00.000Z"],
    [1755099000000, "2025-08-13T15:30:00.000Z"]
  ] as const) {
    it(`${JSON.stringify(text)} is ${expected}`, () => {
      assert.strictEqual(at(text), Date.parse(expected))
    })
  }

  for (const text of [
    "",
    "tomorrow",
    "2025-08-13",
    "13/08/2025 15:30",
    "2025-13-01T00:00:00Z",
    "2025-00-01T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2025-08-32T00:00:00Z",
    "2025-08-13T24:00:01Z",
    "2025-08-13T25:00:00Z",
    "2025-08-13T15:60:00Z",
    "2025-08-13T15:30:00+24:00",
    "2025-08-13T15:30:00.1234567890Z",
    "Wed, 13 Aug 2025 15:30:00 GMT",
    "1755099000",
    1755099000,
    0,
    -1,
    8.64e15 + 1,
    Number.NaN,
    Number.POSITIVE_INFINITY
  ]) {
    it(`${JSON.stringify(text)} (${typeof text}) is none`, () => {
      assert.isUndefined(at(text))
    })
  }

  it("reads the same time in every time zone", () => {
    const zone = process.env["TZ"]
    try {
      for (const name of ["UTC", "Africa/Lagos", "America/St_Johns", "Pacific/Kiritimati"]) {
        process.env["TZ"] = name
        assert.strictEqual(new Date(2025, 7, 13).getTimezoneOffset() === 0, name === "UTC")
        assert.strictEqual(at("2025-08-13T15:30:00"), Date.UTC(2025, 7, 13, 15, 30))
        assert.strictEqual(at("2025-08-13 15:30"), Date.UTC(2025, 7, 13, 15, 30))
        assert.strictEqual(
          Option.getOrUndefined(Expiry.parseHttpDate("Wed, 13 Aug 2025 15:30:00 GMT")),
          Date.UTC(2025, 7, 13, 15, 30)
        )
      }
    } finally {
      if (zone === undefined) delete process.env["TZ"]
      else process.env["TZ"] = zone
    }
  })

  it("reads every ISO date, and never throws", () => {
    fc.assert(
      fc.property(fc.date({ min: new Date(0), max: new Date(4e12), noInvalidDate: true }), (date) => {
        assert.strictEqual(at(date.toISOString()), date.getTime())
      })
    )
    fc.assert(fc.property(fc.oneof(fc.string(), fc.double()), (junk) => Option.isOption(Expiry.parseDate(junk))))
  })
})

describe("parseHttpDate", () => {
  it("reads the form that senders must use, and no other", () => {
    const read = (text: string) => Option.getOrUndefined(Expiry.parseHttpDate(text))
    assert.strictEqual(read(" Sun, 06 Nov 1994 08:49:37 GMT "), 784_111_777_000)
    for (const junk of [
      "",
      "0",
      "1994-11-06",
      "Sun, 06 Nov 1994 08:49:37",
      "Sun, 06 Nov 1994 99:99:99 GMT",
      "Sun, 06 Nov 1994 ::::::::GMT"
    ]) {
      assert.isUndefined(read(junk), junk)
    }
  })
})

describe("the claims of a token", () => {
  const token = (payload: string): string => `h.${Buffer.from(payload).toString("base64url")}.s`

  it("are read from a JWT", () => {
    assert.deepStrictEqual(Expiry.claims(token('{"iat":1,"exp":2.5}')), claims(1000, 2500))
  })

  it("are empty for anything else", () => {
    for (const junk of [
      "",
      "opaque",
      "a.b.c",
      "..",
      token("[]"),
      token("null"),
      token("7"),
      token('{"iat":"1","exp":null}'),
      token('{"iat":1e300,"exp":-1e300}'),
      token("[".repeat(100_000)),
      token('{"iat":'),
      "é.é.é"
    ]) {
      assert.deepStrictEqual(Expiry.claims(junk), claims(), junk.slice(0, 20))
    }
  })

  it("are read from any text without an exception", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => Option.isOption(Expiry.claims(text).iat)))
    fc.assert(fc.property(fc.json(), (json) => Option.isOption(Expiry.claims(token(json)).exp)))
  })
})
