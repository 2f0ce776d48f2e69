/**
 * The cost of `NombaClient` per request over the bare client, in one run: `npm run bench:client`. The budget is 1.3 µs,
 * with tracing and without it.
 */
import { HttpClient, HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Layer, Redacted } from "effect"
import { Nomba, NombaClient, TokenCache, TokenStoreMemory } from "nomba-auth"

const ROUNDS = 60
const CALLS = 2_000

const granted = { code: "00", data: { access_token: "a.b.c", refresh_token: "r", expires_in: 3600 } }

/** One for all requests: making a `Response` would cost more than everything that is measured. */
const answer = new Response('{"code":"00"}')

const bare = HttpClient.make((request) =>
  Effect.sync(() =>
    HttpClientResponse.fromWeb(
      request,
      request.url.endsWith("/token/issue") ? new Response(JSON.stringify(granted)) : answer
    )
  )
)

const NombaLive = Nomba.layer({
  clientId: "6f1c5a52-5d4f-4b3b-9c5e-0f6f0e7d1a11",
  clientSecret: Redacted.make("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXM="),
  accountId: "99999999-8888-4777-8666-555555555555",
  environment: "sandbox"
}).pipe(Layer.provide([TokenStoreMemory.layer, Layer.succeed(HttpClient.HttpClient, bare)]))

const nanosPerCall = <E>(request: Effect.Effect<unknown, E>): Effect.Effect<number, E> =>
  Effect.gen(function* () {
    let calls = 0
    const start = process.hrtime.bigint()
    yield* Effect.whileLoop({
      while: () => calls < CALLS,
      body: () => request,
      step: () => {
        calls += 1
      }
    })
    return Number(process.hrtime.bigint() - start) / CALLS
  })

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

const program = Effect.gen(function* () {
  const nomba = yield* NombaClient
  yield* Effect.flatMap(TokenCache, (cache) => cache.get)
  const headers = { authorization: "Bearer a.b.c", accountid: "99999999-8888-4777-8666-555555555555" }
  const viaBare = bare.execute(HttpClientRequest.get("https://sandbox.nomba.com/v1/accounts/balance", { headers }))
  const viaNomba = nomba.get("/v1/accounts/balance")
  for (const traced of [true, false]) {
    const differences: Array<number> = []
    const bares: Array<number> = []
    for (let round = 0; round < ROUNDS; round++) {
      const first = yield* Effect.withTracerEnabled(nanosPerCall(viaBare), traced)
      const second = yield* Effect.withTracerEnabled(nanosPerCall(viaNomba), traced)
      bares.push(first)
      differences.push(second - first)
    }
    console.log(
      `tracing ${traced ? "on " : "off"}  bare ${(median(bares) / 1000).toFixed(2)} µs  NombaClient adds ${(median(differences) / 1000).toFixed(2)} µs`
    )
  }
})

await Effect.runPromise(program.pipe(Effect.provide(NombaLive)))
