import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Either, FastCheck as fc, Option, Redacted, Schema } from "effect"
import { IssueRequest, RefreshRequest } from "../../src/layers/auth/TokenRequest.js"
import { isHeaderSafe } from "../../src/schemas/SafeText.js"
import { AccessToken, Secret, Session } from "../../src/schemas/Session.js"
import * as StoreKey from "../../src/schemas/StoreKey.js"

const marker = "MARKER"

const messageOf = <A, I>(schema: Schema.Schema<A, I>, input: unknown): string =>
  Either.match(Schema.decodeUnknownEither(schema)(input), {
    onLeft: (error) => `${error.message}${inspect(error.message)}`,
    onRight: () => assert.fail("decoded")
  })

const session = (): Session =>
  new Session({
    accessToken: Redacted.make(`${marker}-access`),
    refreshToken: Option.some(Redacted.make(`${marker}-refresh`)),
    lifetime: Duration.minutes(30),
    issuedAt: DateTime.unsafeMake("2025-08-13T12:00:00Z"),
    clock: "server",
    tokenType: "Bearer",
    businessId: Option.none()
  })

describe("the message of a schema that rejects a secret", () => {
  it("does not contain it", () => {
    for (const input of [{ a: marker }, [marker], ""]) {
      assert.notInclude(messageOf(Secret, input), marker)
    }
    for (const input of [`${marker} with space`, `${marker}\n`, { a: marker }, ""]) {
      assert.notInclude(messageOf(AccessToken, input), marker)
    }
    const body = { grant_type: "client_credentials", client_id: "c", client_secret: [marker] }
    assert.notInclude(messageOf(IssueRequest, body), marker)
  })
})

describe("isHeaderSafe", () => {
  it("accepts visible ASCII only", () => {
    assert.isTrue(isHeaderSafe("aZ09-._~+/=!"))
    for (const bad of ["", " ", "a b", "a\t", "a\n", "a\r\nX: y", "\u0000", "é", "\u007f", "😀"])
      assert.isFalse(isHeaderSafe(bad))
  })

  it("accepts no text that fetch rejects", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (token) => {
        if (isHeaderSafe(token)) new Headers({ authorization: `Bearer ${token}` })
      })
    )
  })
})

describe("a session", () => {
  it("prints no token, also in the message of a failed decoding", () => {
    for (const text of [
      inspect(session(), { depth: 20, showHidden: true }),
      JSON.stringify(session()),
      String(session())
    ]) {
      assert.notInclude(text, marker)
      assert.include(text, "redacted")
    }
    const encoded = Schema.encodeSync(Session)(session())
    for (const broken of [
      { ...encoded, clock: marker },
      { ...encoded, refreshToken: { _tag: marker } },
      { ...encoded, accessToken: ` ${marker}` },
      marker,
      { marker }
    ]) {
      assert.notInclude(messageOf(Session, broken), marker)
    }
  })

  it("is equal after encoding and decoding", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 86_400_000 }),
        fc.integer({ min: 0, max: 4e12 }),
        fc.boolean(),
        (lifetime, issued, full) => {
          const original = new Session({
            ...session(),
            lifetime: Duration.millis(lifetime),
            issuedAt: DateTime.unsafeMake(issued),
            refreshToken: full ? Option.some(Redacted.make("r")) : Option.none(),
            businessId: full ? Option.some("b") : Option.none()
          })
          const text = JSON.stringify(Schema.encodeSync(Session)(original))
          const decoded = Schema.decodeUnknownSync(Session)(JSON.parse(text))
          assert.deepStrictEqual(Schema.encodeSync(Session)(decoded), Schema.encodeSync(Session)(original))
          assert.strictEqual(decoded.expiresAt.epochMillis, issued + lifetime)
        }
      )
    )
  })
})

describe("the body of a token request", () => {
  it("holds its secrets as plaintext only when it is encoded", () => {
    const body = { grant_type: "refresh_token", refresh_token: Redacted.make(marker) } as const
    assert.notInclude(inspect(body), marker)
    assert.deepStrictEqual(Schema.encodeSync(RefreshRequest)(body), {
      grant_type: "refresh_token",
      refresh_token: marker
    })
  })
})

describe("StoreKey.make", () => {
  const parts = fc.record({
    baseUrl: fc.string({ unit: "binary" }),
    clientId: fc.string({ unit: "binary" }),
    grant: fc.constantFrom("client_credentials" as const, "authorization_code" as const),
    subject: fc.string({ unit: "binary" })
  })

  it("gives printable keys, and different ones for different parts", () => {
    fc.assert(
      fc.property(parts, parts, (one, other) => {
        const key = StoreKey.make(one)
        assert.match(key, /^[\x21-\x7e]+$/)
        assert.strictEqual(key === StoreKey.make(other), JSON.stringify(one) === JSON.stringify(other))
      })
    )
  })

  it("keeps apart keys whose parts join to the same text, and lone surrogates", () => {
    const make = (baseUrl: string, clientId: string, subject = "") =>
      StoreKey.make({ baseUrl, clientId, grant: "client_credentials", subject })
    assert.notStrictEqual(make("a|b", "c"), make("a", "b|c"))
    assert.notStrictEqual(make("a", "\ud800"), make("a", "\\ud800"))
    assert.strictEqual(make("https://api.nomba.com", "id"), "https%3A%2F%2Fapi.nomba.com|id|client_credentials|")
  })
})
