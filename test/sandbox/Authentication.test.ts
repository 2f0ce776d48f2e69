import { HttpApiClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, TestClock } from "effect"
import { AccountsApi, Sandbox } from "nomba-auth/sandbox"
import { NombaApi, Unauthorized } from "../../src/schemas/NombaApi.js"
import { assertRefused, balance, bearer, credentials, issue, login, refresh, revoke, secretOf } from "./support.js"

const sandbox = Effect.provide(Sandbox.layer())
const uuid = "aef105ad-f352-47a9-9531-d65072584430"

describe("clients derived with HttpApiClient", () => {
  it.effect("start a session, use it, refresh it and revoke it", () =>
    Effect.gen(function* () {
      const { url } = yield* Sandbox
      const anonymous = yield* HttpApiClient.make(NombaApi, { baseUrl: url })
      const as = (token: Redacted.Redacted | undefined) => ({
        baseUrl: url,
        transformClient: HttpClient.mapRequest(HttpClientRequest.bearerToken(token ?? Redacted.make("")))
      })
      const issued = yield* anonymous.obtainAccessToken({
        payload: {
          grant_type: "client_credentials",
          client_id: Sandbox.defaultClient.clientId,
          client_secret: Sandbox.defaultClient.clientSecret
        }
      })
      const first = issued.data?.access_token
      const read = (token: Redacted.Redacted | undefined) =>
        Effect.flatMap(HttpApiClient.make(AccountsApi, as(token)), (accounts) => accounts.getBalance({}))
      assert.strictEqual((yield* read(first)).data.currency, "NGN")

      const refreshed = yield* anonymous.refreshAccessToken({
        payload: { grant_type: "refresh_token", refresh_token: issued.data?.refresh_token ?? Redacted.make("") }
      })
      const second = refreshed.data?.access_token
      assert.instanceOf(yield* Effect.flip(read(first)), Unauthorized)
      yield* read(second)

      const mine = yield* HttpApiClient.make(NombaApi, as(second))
      assert.deepStrictEqual(yield* mine.revokeAccessToken({ payload: { token: second ?? Redacted.make("") } }), {
        code: "00",
        description: "Success"
      })
      assert.instanceOf(yield* Effect.flip(read(second)), Unauthorized)
      assert.include(yield* (yield* Sandbox).counts, { issued: 1, refreshed: 1, revoked: 1 })
    }).pipe(sandbox)
  )
})

describe("Cache-Control", () => {
  it.effect("is no-store on every token response", () =>
    Effect.gen(function* () {
      const issued = yield* issue()
      const { access_token, refresh_token } = issued.json.data
      const refreshed = yield* refresh(refresh_token, bearer(access_token))
      const answers = [
        issued,
        refreshed,
        yield* revoke(refreshed.json.data.access_token),
        yield* issue({ ...credentials, client_secret: "wrong" })
      ]
      for (const { headers } of answers) assert.strictEqual(headers["cache-control"], "no-store")
    }).pipe(sandbox)
  )
})

describe("issue", () => {
  it.effect("rejects an unknown client", () =>
    Effect.gen(function* () {
      const answer = yield* issue({ ...credentials, client_id: uuid })
      assertRefused(answer, 401, "client_id: is not known to this sandbox")
    }).pipe(sandbox)
  )

  it.effect("rejects a wrong secret, however similar", () =>
    Effect.forEach(
      ["", ` ${secretOf}`, `${secretOf} `, secretOf.slice(0, -1), secretOf.toLowerCase()],
      (client_secret) =>
        Effect.gen(function* () {
          const answer = yield* issue({ ...credentials, client_secret })
          assertRefused(answer, 401, "client_secret: is not that of this client_id")
        })
    ).pipe(sandbox)
  )

  it.effect("rejects a request with missing members, and names each", () =>
    Effect.gen(function* () {
      assertRefused(yield* issue({}), 400, ...Object.keys(credentials).map((member) => `${member}: is missing`))
      assertRefused(yield* issue({ ...credentials, client_id: undefined }), 400, "client_id: is missing")
    }).pipe(sandbox)
  )

  it.effect("rejects a member of the wrong type", () =>
    Effect.gen(function* () {
      for (const value of [null, 7, true, [], {}, [secretOf]]) {
        assertRefused(yield* issue({ ...credentials, client_secret: value }), 400, "client_secret: must be a string")
      }
    }).pipe(sandbox)
  )

  it.effect("rejects an unknown grant type, and names the known one", () =>
    Effect.gen(function* () {
      for (const grant_type of ["password", "refresh_token", "", null, 1]) {
        const answer = yield* issue({ ...credentials, grant_type })
        assertRefused(answer, 400, 'grant_type: must be "client_credentials"')
      }
    }).pipe(sandbox)
  )

  it.effect("ignores unknown members", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* issue({ ...credentials, scope: "all", __proto__: { x: 1 } })).status, 200)
    }).pipe(sandbox)
  )
})

describe("one session for each client", () => {
  it.effect("an issue ends the previous session with both tokens", () =>
    Effect.gen(function* () {
      const first = yield* login
      const second = yield* login
      assertRefused(yield* balance(bearer(first.access)), 401, "Authorization: the token is replaced or revoked")
      const old = yield* refresh(first.refresh)
      assertRefused(old, 401, "refresh_token: a newer session of the client replaced its session")
      assert.strictEqual((yield* balance(bearer(second.access))).status, 200)
    }).pipe(sandbox)
  )

  it.effect("a rejected issue leaves the session alone", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      yield* issue({ ...credentials, client_secret: "wrong" })
      assert.strictEqual((yield* balance(bearer(access))).status, 200)
    }).pipe(sandbox)
  )

  it.effect("two clients do not affect each other", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      assert.strictEqual((yield* issue({ ...credentials, client_id: "other", client_secret: "x" })).status, 200)
      assert.strictEqual((yield* balance(bearer(access))).status, 200)
    }).pipe(
      Effect.provide(
        Sandbox.layer({ clients: [Sandbox.defaultClient, { clientId: "other", clientSecret: Redacted.make("x") }] })
      )
    )
  )

  it.effect("another login leaves the client with invalid tokens", () =>
    Effect.gen(function* () {
      const { steal } = yield* Sandbox
      const mine = yield* login
      const theirs = yield* steal()
      assertRefused(yield* balance(bearer(mine.access)), 401)
      assertRefused(yield* refresh(mine.refresh), 401)
      assert.strictEqual((yield* balance(bearer(Redacted.value(theirs.accessToken)))).status, 200)
      assert.strictEqual((yield* (yield* Sandbox).counts).issued, 1)
    }).pipe(sandbox)
  )

  it.effect("two hundred concurrent issues leave one session", () =>
    Effect.gen(function* () {
      const answers = yield* Effect.all(
        Array.from({ length: 200 }, () => login),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(answers.map(({ access }) => access)).size, 200)
      const statuses = yield* Effect.forEach(answers, ({ access }) => balance(bearer(access)))
      assert.strictEqual(statuses.filter(({ status }) => status === 200).length, 1)
    }).pipe(sandbox)
  )
})

describe("refresh", () => {
  it.effect("returns new tokens and ends both old ones", () =>
    Effect.gen(function* () {
      const first = yield* login
      const { json, status } = yield* refresh(first.refresh)
      assert.strictEqual(status, 200)
      assert.notStrictEqual(json.data.access_token, first.access)
      assert.notStrictEqual(json.data.refresh_token, first.refresh)
      assertRefused(yield* balance(bearer(first.access)), 401)
      assertRefused(yield* refresh(first.refresh), 401, "refresh_token: was used before; it works once")
      assert.strictEqual((yield* balance(bearer(json.data.access_token))).status, 200)
    }).pipe(sandbox)
  )

  it.effect("gives one of two concurrent refreshes a session, and the other a 401", () =>
    Effect.gen(function* () {
      const first = yield* login
      const both = yield* Effect.all([refresh(first.refresh), refresh(first.refresh)], { concurrency: "unbounded" })
      assert.deepStrictEqual(both.map(({ status }) => status).sort(), [200, 401])
    }).pipe(sandbox)
  )

  it.effect("accepts the session's own token as bearer, expired or not", () =>
    Effect.gen(function* () {
      const first = yield* login
      const second = (yield* refresh(first.refresh, bearer(first.access))).json.data
      yield* (yield* Sandbox).expire("access")
      assert.strictEqual((yield* refresh(second.refresh_token, bearer(second.access_token))).status, 200)
    }).pipe(sandbox)
  )

  it.effect("rejects a bearer token of another session, without using up the refresh token", () =>
    Effect.gen(function* () {
      const stale = yield* login
      const current = yield* login
      const answer = yield* refresh(current.refresh, bearer(stale.access))
      assertRefused(answer, 401, "Authorization: the token is not the session's own")
      assertRefused(yield* refresh(current.refresh, bearer("junk")), 401)
      assertRefused(yield* refresh(current.refresh, { authorization: `Basic ${current.access}` }), 401)
      assert.strictEqual((yield* refresh(current.refresh)).status, 200)
    }).pipe(sandbox)
  )

  it.effect("rejects a token that was never issued, and a malformed request", () =>
    Effect.gen(function* () {
      yield* login
      assertRefused(yield* refresh("bogus"), 401, "refresh_token: is not from this sandbox, or was forgotten")
      assertRefused(yield* refresh(undefined), 400, "refresh_token: is missing")
      assertRefused(yield* refresh(7), 400, "refresh_token: must be a string")
    }).pipe(sandbox)
  )

  it.effect("rejects a refresh token once its lifetime is over, and not before", () =>
    Effect.gen(function* () {
      const first = yield* login
      yield* TestClock.adjust("59 seconds")
      const second = (yield* refresh(first.refresh)).json.data
      yield* TestClock.adjust("60 seconds")
      assertRefused(yield* refresh(second.refresh_token), 401, "refresh_token: has expired")
    }).pipe(Effect.provide(Sandbox.layer({ refreshLifetime: "60 seconds" })))
  )

  it.effect("rejects a refresh token that was expired by the controls", () =>
    Effect.gen(function* () {
      const first = yield* login
      yield* (yield* Sandbox).expire("refresh")
      assertRefused(yield* refresh(first.refresh), 401, "refresh_token: has expired")
      assert.strictEqual((yield* balance(bearer(first.access))).status, 200)
    }).pipe(sandbox)
  )
})

describe("a bearer token", () => {
  it.effect("is valid for its lifetime, by the clock of the test", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      yield* TestClock.adjust("1799999 millis")
      assert.strictEqual((yield* balance(bearer(access))).status, 200)
      yield* TestClock.adjust("1 millis")
      assertRefused(yield* balance(bearer(access)), 401, "Authorization: the token is expired")
    }).pipe(sandbox)
  )

  it.effect("may come without its scheme, as Nomba's own plugin sends it", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      for (const header of [access, `bearer ${access}`, `BEARER   ${access}`]) {
        assert.strictEqual((yield* balance({ authorization: header })).status, 200)
      }
      assertRefused(
        yield* balance({ authorization: `Basic ${access}` }),
        401,
        "Authorization: must be a token, with or without Bearer"
      )
    }).pipe(sandbox)
  )

  it.effect("needs its scheme, in any case, under bearerScheme: bearer", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      for (const header of [`bearer ${access}`, `BEARER   ${access}`]) {
        assert.strictEqual((yield* balance({ authorization: header })).status, 200)
      }
      for (const header of [
        "Bearer",
        access,
        `Basic  ${access}`,
        `Bearer:${access}`,
        `Bearer ${access} x`,
        `Bearer ${access},`
      ]) {
        assertRefused(yield* balance({ authorization: header }), 401, "Authorization: must be Bearer and a token")
      }
      assertRefused(yield* balance({}), 401, "Authorization: is missing")
    }).pipe(Effect.provide(Sandbox.layer({ bearerScheme: "bearer" })))
  )

  it.effect("is rejected if it is from another sandbox or tampered with", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      const foreign = yield* Effect.provide(login, Sandbox.layer())
      const [head, payload, signature] = access.split(".")
      const other = foreign.access.split(".")
      for (const token of [
        foreign.access,
        `${head}.${payload}.${other[2]}`,
        `${head}.${other[1]}.${signature}`,
        `${head}.${payload}.`,
        `${head}.${payload}`,
        `${access}.${signature}`,
        `${Buffer.from('{"alg":"none"}').toString("base64url")}.${payload}.`
      ]) {
        assertRefused(yield* balance(bearer(token)), 401, "Authorization: the token is not from this sandbox")
      }
    }).pipe(sandbox)
  )
})

describe("revoke", () => {
  const bodies = (token: string) => [
    { token },
    { clientId: Sandbox.defaultClient.clientId, access_token: token },
    { token, clientId: Sandbox.defaultClient.clientId, access_token: token }
  ]

  it.effect("ends the session with the members of either description or of both", () =>
    Effect.forEach([0, 1, 2], (form) =>
      Effect.gen(function* () {
        const { access, refresh: refreshToken } = yield* login
        const answer = yield* revoke(access, bodies(access)[form])
        assert.deepStrictEqual(answer.json, { code: "00", description: "Success" })
        assertRefused(yield* balance(bearer(access)), 401)
        assertRefused(yield* refresh(refreshToken), 401, "refresh_token: its session was revoked")
      })
    ).pipe(sandbox)
  )

  it.effect("rejects an invalid bearer token before it reads the body", () =>
    Effect.gen(function* () {
      const old = yield* login
      yield* login
      assertRefused(yield* revoke(old.access), 401, "Authorization: the token is replaced or revoked")
      assertRefused(yield* revoke(old.access, "{"), 401)
      yield* (yield* Sandbox).expire("access")
      const { access } = yield* login
      yield* revoke(access)
      assertRefused(yield* revoke(access), 401)
    }).pipe(sandbox)
  )

  it.effect("rejects an expired bearer token", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      yield* TestClock.adjust("30 minutes")
      assertRefused(yield* revoke(access), 401, "Authorization: the token is expired")
    }).pipe(sandbox)
  )

  it.effect("accepts a token that has ended already, and leaves the bearer's session alone", () =>
    Effect.gen(function* () {
      const old = yield* login
      const current = yield* login
      assert.strictEqual((yield* revoke(current.access, { token: old.access })).status, 200)
      assert.strictEqual((yield* balance(bearer(current.access))).status, 200)
      assert.strictEqual((yield* (yield* Sandbox).counts).revoked, 0)
    }).pipe(sandbox)
  )

  it.effect("rejects half a body, two different tokens and an unknown token", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      const { clientId } = Sandbox.defaultClient
      assertRefused(yield* revoke(access, {}), 400, "token: is missing")
      assertRefused(yield* revoke(access, { clientId }), 400, "token: is missing")
      assertRefused(yield* revoke(access, { access_token: access }), 400, "clientId: is missing")
      const two = yield* revoke(access, { token: access, access_token: "other" })
      assertRefused(two, 400, "access_token: must be the same as token")
      assertRefused(yield* revoke(access, { token: "junk" }), 400, "token: is not from this sandbox")
      assert.strictEqual((yield* balance(bearer(access))).status, 200)
    }).pipe(sandbox)
  )

  it.effect("rejects a token of another client", () =>
    Effect.gen(function* () {
      const mine = yield* login
      const theirs = (yield* issue({ ...credentials, client_id: "other", client_secret: "x" })).json.data.access_token
      assertRefused(yield* revoke(mine.access, { token: theirs }), 401)
      assertRefused(yield* revoke(mine.access, { token: mine.access, clientId: "other" }), 401)
      assert.strictEqual((yield* balance(bearer(theirs))).status, 200)
    }).pipe(
      Effect.provide(
        Sandbox.layer({ clients: [Sandbox.defaultClient, { clientId: "other", clientSecret: Redacted.make("x") }] })
      )
    )
  )
})

describe("the accountId header", () => {
  const right = { accountid: Sandbox.defaultClient.accountId }
  const wrong = { accountId: "0b5f2a86-6f0a-4f6c-9d0e-4a7f1c6f3d52" }
  const everywhere = (headers: Record<string, string>) =>
    Effect.gen(function* () {
      const { url, steal } = yield* Sandbox
      assert.isString(url)
      const issued = yield* issue(credentials, headers)
      const session = yield* steal()
      const access = Redacted.value(session.accessToken)
      const resource = yield* balance({ ...bearer(access), ...headers })
      const refreshed = yield* refresh(Redacted.value(session.refreshToken), headers)
      const last = Redacted.value((yield* steal()).accessToken)
      const revoked = yield* revoke(last, { token: last }, { ...bearer(last), ...headers })
      return [issued, resource, refreshed, revoked].map(({ status }) => status)
    })

  it.effect("may be missing, but not wrong", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* everywhere({}), [200, 200, 200, 200])
      assert.deepStrictEqual(yield* everywhere(right), [200, 200, 200, 200])
      assert.deepStrictEqual(yield* everywhere(wrong), [401, 401, 401, 401])
    }).pipe(sandbox)
  )

  it.effect("can be made compulsory, as in the live API", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* everywhere({}), [401, 401, 401, 401])
      assert.deepStrictEqual(yield* everywhere(right), [200, 200, 200, 200])
      assert.deepStrictEqual(yield* everywhere(wrong), [401, 401, 401, 401])
    }).pipe(Effect.provide(Sandbox.layer({ accountHeader: "required" })))
  )

  it.effect("can be ignored, as in the spec", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* everywhere(wrong), [200, 200, 200, 200])
    }).pipe(Effect.provide(Sandbox.layer({ accountHeader: "ignored" })))
  )
})
