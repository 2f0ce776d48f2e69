import { HttpClient, HttpClientResponse } from "@effect/platform"
import { Effect, Layer, Redacted } from "effect"
import { Nomba, TokenCache, TokenStoreMemory } from "nomba-auth"

let n = 0
const answer = { code: "00", data: { access_token: "a.b.c", refresh_token: "r", expires_in: 3600 } }
const upstream = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make((request) => {
    n++
    return Effect.delay(
      Effect.succeed(HttpClientResponse.fromWeb(request, new Response(JSON.stringify(answer)))),
      "50 millis"
    )
  })
)
const client = () =>
  Nomba.layer({
    clientId: `6f1c5a52-5d4f-4b3b-9c5e-0f6f0e7d1a${10 + n}`,
    clientSecret: Redacted.make("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXM="),
    environment: "sandbox"
  }).pipe(Layer.provide([upstream, TokenStoreMemory.layer]))
const herd = Effect.gen(function* () {
  const cache = yield* TokenCache
  const t = performance.now()
  yield* Effect.all(
    Array.from({ length: 10000 }, () => cache.get),
    { concurrency: "unbounded" }
  )
  return performance.now() - t
})
for (let i = 0; i < 5; i++) console.log(Math.round(await Effect.runPromise(Effect.provide(herd, client()))), "ms", n)
