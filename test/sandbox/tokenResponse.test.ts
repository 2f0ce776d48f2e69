import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Option, Redacted, Schema, TestClock } from "effect"
import * as Jose from "jose"
import { type Dialect, Sandbox } from "nomba-auth/sandbox"
import * as AccessToken from "../../src/sandbox/state/AccessToken.js"
import { TokenResponse } from "../../src/schemas/NombaApi.js"
import { balance, bearer, issue, login, refresh } from "./support.js"

const noon = Date.UTC(2026, 10, 23, 12, 0, 0)

describe("a token response", () => {
  const members: Readonly<Record<Dialect, ReadonlyArray<string>>> = {
    spec: ["access_token", "refresh_token", "token_type", "expires_in"],
    live: ["access_token", "refresh_token", "expiresAt", "businessId"],
    both: ["access_token", "refresh_token", "token_type", "expires_in", "expiresAt", "businessId"]
  }

  for (const dialect of ["spec", "live", "both"] as const) {
    it.effect(`has the members of the dialect "${dialect}" and no other, from issue and from refresh`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(noon + 250)
        const issued = yield* issue()
        const refreshed = yield* refresh(issued.json.data.refresh_token)
        for (const { headers, json, status } of [issued, refreshed]) {
          assert.strictEqual(status, 200)
          assert.include(headers["content-type"], "application/json")
          assert.sameMembers(Object.keys(json), ["code", "description", "data"])
          assert.strictEqual(json.code, "00")
          assert.sameMembers(Object.keys(json.data), [...members[dialect]])
          assert.strictEqual(json.data.token_type, dialect === "live" ? undefined : "Bearer")
          assert.strictEqual(json.data.expires_in, dialect === "live" ? undefined : 1800)
          assert.strictEqual(json.data.expiresAt, dialect === "spec" ? undefined : "2026-11-23T12:30:00.250Z")
          assert.strictEqual(json.data.businessId, dialect === "spec" ? undefined : Sandbox.defaultClient.accountId)
          yield* Schema.decodeUnknown(TokenResponse)(json)
        }
      }).pipe(Effect.provide(Sandbox.layer({ dialect })))
    )
  }

  it.effect("has the members of both dialects by default", () =>
    Effect.gen(function* () {
      assert.sameMembers(Object.keys((yield* issue()).json.data), [...members.both])
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("has the configured lifetime", () =>
    Effect.gen(function* () {
      const { expires_in, expiresAt } = (yield* issue()).json.data
      assert.strictEqual(expires_in, 3600)
      assert.strictEqual(expiresAt, "1970-01-01T01:00:00.000Z")
    }).pipe(Effect.provide(Sandbox.layer({ accessLifetime: "1 hour" })))
  )

  it.effect("reveals no secret to inspect, but does to Redacted.value", () =>
    Effect.gen(function* () {
      const { access, refresh } = yield* login
      const session = Option.getOrThrow(yield* (yield* Sandbox).session())
      assert.strictEqual(Redacted.value(session.accessToken), access)
      assert.strictEqual(Redacted.value(session.refreshToken), refresh)
      assert.strictEqual(session.clientId, Sandbox.defaultClient.clientId)
      assert.deepStrictEqual(DateTime.distanceDuration(session.issuedAt, session.expiresAt), Duration.minutes(30))
      for (const printed of [inspect(session, { depth: 9 }), JSON.stringify(session), String(session)]) {
        assert.notInclude(printed, access)
        assert.notInclude(printed, refresh)
      }
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("is invalid after a reset", () =>
    Effect.gen(function* () {
      const { reset, session, counts } = yield* Sandbox
      const { access } = yield* login
      yield* reset
      assert.isTrue(Option.isNone(yield* session()))
      assert.strictEqual((yield* counts).issued, 0)
      assert.strictEqual((yield* balance(bearer(access))).status, 401)
    }).pipe(Effect.provide(Sandbox.layer()))
  )
})

describe("the sandbox's clock", () => {
  it.effect("is the caller's, in the Date of every response", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon + 999)
      assert.strictEqual((yield* issue()).headers["date"], "Mon, 23 Nov 2026 12:00:00 GMT")
      assert.strictEqual((yield* issue({})).headers["date"], "Mon, 23 Nov 2026 12:00:00 GMT")
      assert.strictEqual((yield* balance({})).headers["date"], "Mon, 23 Nov 2026 12:00:00 GMT")
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  for (const [offset, hour] of [
    [3_600_000, "13"],
    [-3_600_000, "11"]
  ] as const) {
    it.effect(`can be ${offset} ms off, in the date, the token and the expiry alike`, () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(noon)
        const { headers, json } = yield* issue()
        assert.strictEqual(headers["date"], `Mon, 23 Nov 2026 ${hour}:00:00 GMT`)
        assert.strictEqual(json.data.expiresAt, `2026-11-23T${hour}:30:00.000Z`)
        const { exp, iat } = Jose.decodeJwt(json.data.access_token)
        assert.strictEqual(iat, (noon + offset) / 1000)
        assert.strictEqual(exp, (noon + offset) / 1000 + 1800)
        assert.strictEqual((yield* balance(bearer(json.data.access_token))).status, 200)
        yield* TestClock.adjust("30 minutes")
        assert.strictEqual((yield* balance(bearer(json.data.access_token))).status, 401)
      }).pipe(Effect.provide(Sandbox.layer({ clockOffset: offset })))
    )
  }
})

describe("an access token", () => {
  it.effect("looks like a real one: a JWT of 300 to 600 characters that carries an e-mail address", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(noon)
      const { access } = yield* login
      assert.deepStrictEqual(Jose.decodeProtectedHeader(access), { alg: "HS256", typ: "JWT" })
      const claims = Jose.decodeJwt(access)
      assert.strictEqual(claims.iat, noon / 1000)
      assert.strictEqual(claims.exp, noon / 1000 + 1800)
      assert.match(String(claims["email"]), /@/)
      assert.isAtLeast(access.length, 300)
      assert.isAtMost(access.length, 600)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  const key = new Uint8Array(32).fill(7)
  const claims = { clientId: "c", tokenId: "t", businessId: "b", issuedAt: noon, expiresAt: noon + 60_000 }

  it("has a signature that a JWT library accepts", async () => {
    const token = Redacted.value(AccessToken.make(key).sign(claims))
    const options = { currentDate: new Date(noon), algorithms: ["HS256"] }
    const { payload } = await Jose.jwtVerify(token, key, options)
    assert.strictEqual(payload.sub, "c")
    await Jose.jwtVerify(token, new Uint8Array(32), options).then(
      () => assert.fail("verified with another key"),
      (error) => assert.instanceOf(error, Jose.errors.JWSSignatureVerificationFailed)
    )
  })

  it("of a JWT library is accepted with the same key only", async () => {
    const sign = (secret: Uint8Array, payload: Jose.JWTPayload) =>
      new Jose.SignJWT(payload).setProtectedHeader({ alg: "HS256", typ: "JWT" }).sign(secret)
    const { verify } = AccessToken.make(key)
    assert.deepStrictEqual(
      verify(await sign(key, { sub: "c", jti: "t" })),
      Option.some({ clientId: "c", tokenId: "t" })
    )
    assert.deepStrictEqual(verify(await sign(new Uint8Array(32), { sub: "c", jti: "t" })), Option.none())
    assert.deepStrictEqual(verify(await sign(key, { sub: "c" })), Option.none())
  })

  it.effect.prop(
    "that was not signed is not read, whatever it looks like",
    [Schema.String, Schema.String, Schema.String],
    ([header, payload, signature]) =>
      Effect.sync(() => {
        const { verify } = AccessToken.make(key)
        assert.deepStrictEqual(verify(header), Option.none())
        assert.deepStrictEqual(verify(`${header}.${payload}.${signature}`), Option.none())
      })
  )
})

describe("under TestClock", () => {
  it.effect("a clock adjustment overtakes no request", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      assert.isDefined(client)
      assert.isString(url)
      for (let round = 0; round < 20; round++) {
        const before = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
        const herd = yield* Effect.fork(
          Effect.all(
            Array.from({ length: 20 }, () => issue()),
            { concurrency: "unbounded" }
          )
        )
        yield* TestClock.adjust("1 minute")
        for (const { json } of yield* herd) {
          assert.strictEqual(Jose.decodeJwt(json.data.access_token).iat, before / 1000)
        }
      }
    }).pipe(Effect.provide(Sandbox.layer()))
  )
})
