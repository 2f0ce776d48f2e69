import { assert, it } from "@effect/vitest"
import { Effect, Redacted, TestClock } from "effect"
import { Expired, NombaAuth, NombaClient, Pkce, PublicLogin } from "nomba-auth"
import { NombaTest } from "nomba-auth/testing"

const redirectUri = "https://shop.example/callback"

/** What your program does on the redirect URI. */
const callback = (pending: Pkce.PendingLogin, callbackUrl: string) =>
  Effect.gen(function* () {
    const auth = yield* NombaAuth
    const publicLogin = yield* PublicLogin
    const session = yield* Effect.flatMap(Pkce.callback(pending, callbackUrl), auth.exchange)
    yield* publicLogin.login(session)
  })

/** The URL to which Nomba redirects the end user. */
const approved = ({ state }: Pkce.PendingLogin) =>
  `${redirectUri}?${new URLSearchParams({ code: "a-code", state: Redacted.value(state) })}`

it.live("calls fail with Expired until the end user has logged in", () =>
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    const test = yield* NombaTest
    assert.strictEqual((yield* Effect.flip(nomba.get("/v1/accounts/balance")))._tag, "Expired")
    const { pending } = yield* Pkce.authorizationUrl({ clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33", redirectUri })
    yield* callback(pending, approved(pending))
    assert.strictEqual((yield* nomba.get("/v1/accounts/balance")).status, 200)
    assert.deepInclude(yield* test.calls, { issue: 0, exchange: 1 })
  }).pipe(Effect.provide(NombaTest.layerPublic()))
)

it.live("a code that Nomba rejects starts no session", () =>
  Effect.gen(function* () {
    const nomba = yield* NombaClient
    const test = yield* NombaTest
    yield* test.fail("exchange", new Expired({ operation: "exchange", status: 401 }))
    const { pending } = yield* Pkce.authorizationUrl({ clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33", redirectUri })
    const refused = yield* Effect.flip(callback(pending, approved(pending)))
    assert.strictEqual(refused._tag, "Expired")
    assert.strictEqual((yield* Effect.flip(nomba.get("/v1/accounts/balance")))._tag, "Expired")
  }).pipe(Effect.provide(NombaTest.layerPublic()))
)

it.effect("the session is renewed without the end user, until Nomba revokes it", () =>
  Effect.gen(function* () {
    const auth = yield* NombaAuth
    const nomba = yield* NombaClient
    const publicLogin = yield* PublicLogin
    const test = yield* NombaTest
    yield* publicLogin.login(yield* test.login)
    yield* TestClock.adjust("1 hour")
    assert.strictEqual((yield* nomba.get("/v1/accounts/balance")).status, 200)
    assert.deepInclude(yield* test.calls, { refresh: 1, exchange: 0 })
    yield* test.revoke
    assert.strictEqual((yield* Effect.flip(nomba.get("/v1/accounts/balance")))._tag, "Expired")
    assert.strictEqual((yield* Effect.flip(auth.issue))._tag, "InvalidRequest")
  }).pipe(Effect.provide(NombaTest.layerPublic()))
)
