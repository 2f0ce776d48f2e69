/** A small program for browsers: it logs a person in and uses the session. What it found it shows as JSON. */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { Nomba, NombaAuth, NombaClient, Pkce, PublicLogin, TokenCache, TokenStoreMemory } from "nomba-auth"

declare const CLIENT_ID: string

const baseUrl = document.body.dataset["baseUrl"] ?? ""

const KEPT = "pending login"
const Kept = Schema.parseJson(Pkce.PendingLogin)

const leave = Effect.gen(function* () {
  const { pending, url } = yield* Pkce.authorizationUrl({
    clientId: CLIENT_ID,
    redirectUri: `${location.origin}/callback`,
    baseUrl
  })
  sessionStorage.setItem(KEPT, yield* Schema.encode(Kept)(pending))
  location.assign(Redacted.value(url))
})

const vector = Pkce.challenge(Redacted.make("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))

const show = (result: object): Effect.Effect<void> =>
  Effect.map(vector, (challenge) => {
    document.body.append(JSON.stringify({ ...result, challenge }))
  })

const comeBack = Effect.gen(function* () {
  const callback = location.href
  history.replaceState(null, "", "/")
  const pending = Schema.decodeUnknownOption(Kept)(sessionStorage.getItem(KEPT))
  sessionStorage.removeItem(KEPT)
  if (Option.isNone(pending)) return yield* leave
  const auth = yield* NombaAuth
  const cache = yield* TokenCache
  const before = yield* Effect.flip(cache.get).pipe(Effect.orElseSucceed(() => ({ _tag: "a session" })))
  const session = yield* Effect.flatMap(Pkce.callback(pending.value, callback), auth.exchange)
  yield* Effect.flatMap(PublicLogin, ({ login }) => login(session))
  const response = yield* Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/accounts/balance"))
  return yield* show({
    before: before._tag,
    served: Redacted.value(yield* cache.get) === Redacted.value(session.accessToken),
    status: response.status,
    printed: String(session)
  })
})

const program = Effect.if(location.pathname === "/callback", {
  onTrue: () => comeBack,
  onFalse: () => leave
})

Effect.runFork(
  program.pipe(
    Effect.catchAll((error) => show({ failed: error._tag, message: error.message })),
    Effect.provide(
      Nomba.layerPublic({ clientId: CLIENT_ID, subject: "ada", baseUrl }).pipe(
        Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]),
        Layer.orDie
      )
    )
  )
)
