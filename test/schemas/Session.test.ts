/** The text of a session has a format of its own, which later versions of this package must read. */
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Either, Option, Redacted } from "effect"
import { decodeStored, encodeStored, Session, type StoredContent } from "../../src/schemas/Session.js"

const session = new Session({
  accessToken: Redacted.make("access"),
  refreshToken: Option.some(Redacted.make("refresh")),
  lifetime: Duration.minutes(30),
  issuedAt: DateTime.unsafeMake(0),
  clock: "server",
  tokenType: "Bearer",
  businessId: Option.some("business")
})

const encoded = (content: StoredContent): Record<string, unknown> =>
  JSON.parse(Option.getOrThrow(encodeStored(content)))

const decoded = (value: unknown) => decodeStored(JSON.stringify(value))

const text = encoded({ session: Option.some(session), tombstone: false })

describe("StoredSession", () => {
  it("stores every field of Session: a field that is added must be decided in StoredSession, and old texts lack it", () => {
    const stored = Object.keys(text["session"] as object).sort()
    assert.deepStrictEqual(stored, Object.keys(Session.fields).sort())
    assert.deepStrictEqual(stored, [
      "accessToken",
      "businessId",
      "clock",
      "issuedAt",
      "lifetime",
      "refreshToken",
      "tokenType"
    ])
  })

  it("writes format 1", () => {
    assert.deepStrictEqual(text, {
      format: 1,
      tombstone: false,
      session: {
        accessToken: "access",
        refreshToken: "refresh",
        lifetime: 1_800_000,
        issuedAt: "1970-01-01T00:00:00.000Z",
        clock: "server",
        tokenType: "Bearer",
        businessId: "business"
      }
    })
    assert.deepStrictEqual(encoded({ session: Option.none(), tombstone: true }), { format: 1, tombstone: true })
  })

  it("ignores members that it does not know", () => {
    const later = { ...text, later: 1, session: { ...(text["session"] as object), scope: ["later"] } }
    assert.deepStrictEqual(decoded(later), Either.right({ session: Option.some(session), tombstone: false }))
  })

  it("tells a later format from damage", () => {
    assert.deepStrictEqual(decoded({ ...text, format: 2 }), Either.left("LaterFormat"))
    assert.deepStrictEqual(decoded({ format: 7, anything: "else" }), Either.left("LaterFormat"))
    const damaged = [
      {},
      null,
      { ...text, format: 0 },
      { ...text, format: "2" },
      { ...text, tombstone: undefined },
      { ...text, session: { accessToken: "access" } },
      { ...text, session: { ...(text["session"] as object), accessToken: "not visible ASCII: \n" } }
    ]
    for (const one of damaged) assert.deepStrictEqual(decoded(one), Either.left("Damaged"), JSON.stringify(one))
    assert.deepStrictEqual(decodeStored("{"), Either.left("Damaged"))
  })
})
