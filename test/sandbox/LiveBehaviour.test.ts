import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { Sandbox } from "nomba-auth/sandbox"
import { assertRefused, balance, bearer, credentials, issue, login, refresh, revoke } from "./support.js"

const { accountId } = Sandbox.defaultClient
const under = (options?: Parameters<typeof Sandbox.layer>[0]) => Effect.provide(Sandbox.layer(options))

describe("revokeBearer", () => {
  it.effect("optional takes a revoke without a bearer token, as Nomba's guide sends it", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      const body = { clientId: credentials.client_id, access_token: access }
      const answer = yield* revoke(access, body, { accountId })
      assert.strictEqual(answer.status, 200, answer.text)
      assertRefused(yield* balance(bearer(access)), 401)
      assert.strictEqual((yield* revoke(access, body, { accountId })).status, 200)
      assert.strictEqual((yield* (yield* Sandbox).counts).revoked, 1)
    }).pipe(under())
  )

  it.effect("optional still rejects a token that is invalid, another client's, or no bearer at all", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      assertRefused(yield* revoke(access, undefined, bearer("nobody")), 401)
      assertRefused(yield* revoke(access, { clientId: "another", access_token: access }, {}), 401)
      assertRefused(yield* revoke(access, { token: "nobody" }, {}), 400, "token: is not from this sandbox")
      assertRefused(yield* revoke(access, undefined, { accountId: "another" }), 401)
      assert.strictEqual((yield* balance(bearer(access))).status, 200)
    }).pipe(under())
  )

  it.effect("required rejects a revoke without a bearer token, before its body is read", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      assertRefused(yield* revoke(access, undefined, {}), 401, "Authorization: is missing")
      assertRefused(yield* revoke(access, "{", {}), 401, "Authorization: is missing")
      assert.strictEqual((yield* revoke(access)).status, 200)
    }).pipe(under({ revokeBearer: "required" }))
  )
})

describe("expiredToken", () => {
  const expired = "JWT expired at 1970-01-01T00:30:00.000Z"
  for (const [status, description] of [
    [401, "Unauthorized"],
    [400, expired],
    [500, `Internal Server Error: INTERNAL: ${expired}`]
  ] as const) {
    it.effect(`answers an expired bearer token with ${status} on every operation`, () =>
      Effect.gen(function* () {
        const { access, refresh: refreshToken } = yield* login
        yield* TestClock.adjust("31 minutes")
        for (const answer of [
          yield* balance(bearer(access)),
          yield* refresh(refreshToken, bearer(access)),
          yield* revoke(access)
        ]) {
          assertRefused(answer, status, "Authorization: the token is expired")
          assert.strictEqual(answer.json.description, description)
        }
      }).pipe(under({ expiredToken: status, refreshBearerExpired: "refused" }))
    )
  }
})

describe("the accountId header", () => {
  it.effect("is reported as missing if it is missing, and as wrong if it is wrong", () =>
    Effect.gen(function* () {
      assertRefused(yield* issue(), 401, "accountId: is missing")
      const wrong = yield* issue(credentials, { accountId: "another" })
      assertRefused(wrong, 401, "accountId: is not the account of this client")
      const right = (yield* issue(credentials, { accountId })).json.data
      assertRefused(yield* balance(bearer(right.access_token)), 401, "accountId: is missing")
      assertRefused(yield* refresh(right.refresh_token), 401, "accountId: is missing")
    }).pipe(under({ accountHeader: "required" }))
  )

  it.effect("of another account is a 403 under wrongAccount: 403", () =>
    Effect.gen(function* () {
      assertRefused(yield* issue(credentials, { accountId: "another" }), 403)
      const { access, refresh: refreshToken } = yield* login
      assertRefused(yield* balance({ ...bearer(access), accountId: "another" }), 403)
      assertRefused(yield* refresh(refreshToken, { accountId: "another" }), 403)
      assertRefused(yield* revoke(access, undefined, { ...bearer(access), accountId: "another" }), 403)
    }).pipe(under({ wrongAccount: 403 }))
  )

  it.effect("of a sub-account is a 403 that says where sub-accounts belong", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      for (const answer of [
        yield* issue(credentials, { accountId: "sub" }),
        yield* balance({ ...bearer(access), accountId: "sub" })
      ]) {
        assertRefused(answer, 403)
        assert.include(answer.text, "sub-account")
      }
    }).pipe(under({ clients: [{ ...Sandbox.defaultClient, subAccountIds: ["sub"] }] }))
  )
})

describe("callerAddress", () => {
  it.effect("refused answers 403 to issue, whatever the credentials, and to nothing else", () =>
    Effect.gen(function* () {
      const { access, refresh: refreshToken } = yield* login
      yield* (yield* Sandbox).configure({ callerAddress: "refused" })
      assertRefused(yield* issue(), 403, "the caller's IP address is not on the allow-list")
      assertRefused(yield* issue({ ...credentials, client_secret: "wrong" }), 403)
      assert.strictEqual((yield* refresh(refreshToken, bearer(access))).status, 200)
    }).pipe(under())
  )
})

describe("invalidRefreshToken", () => {
  it.effect("404 looks as it was seen live", () =>
    Effect.gen(function* () {
      const answer = yield* refresh("nothing")
      assert.strictEqual(answer.status, 404)
      assert.deepStrictEqual(answer.json, {
        code: "404",
        description: "Refresh Token not found",
        errors: ["refresh_token: is not from this sandbox, or was forgotten"],
        status: false
      })
    }).pipe(under({ invalidRefreshToken: 404 }))
  )
})
