/**
 * What a cached `get` costs inside a fiber, against its floor in the same run: the clock, one field, a prebuilt effect.
 * `npm run bench:hot` prints nanoseconds a call and the ratio; the budget is 1.3.
 */

import { HttpClient, HttpClientResponse } from "@effect/platform"
import { Clock, Duration, Effect, Layer, Option, Redacted, Ref } from "effect"
import { Nomba, TokenCache, TokenStoreMemory } from "nomba-auth"

const ROUNDS = 300
const CALLS = 2_000

const answer = { code: "00", data: { access_token: "a.b.c", refresh_token: "r", expires_in: 3600 } }

const upstream = Layer.succeed(
  HttpClient.HttpClient,
  HttpClient.make((request) =>
    Effect.succeed(HttpClientResponse.fromWeb(request, new Response(JSON.stringify(answer))))
  )
)

const client = Nomba.layer({
  clientId: "6f1c5a52-5d4f-4b3b-9c5e-0f6f0e7d1a11",
  clientSecret: Redacted.make("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXM="),
  environment: "sandbox"
}).pipe(Layer.provide([TokenStoreMemory.layer, upstream]))

const repeat = <E>(get: Effect.Effect<unknown, E>): Effect.Effect<number, E> =>
  Effect.gen(function* () {
    let calls = 0
    const start = process.hrtime.bigint()
    yield* Effect.whileLoop({
      while: () => calls < CALLS,
      body: () => get,
      step: () => {
        calls += 1
      }
    })
    return Number(process.hrtime.bigint() - start) / CALLS
  })

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

const program = Effect.gen(function* () {
  const cache = yield* TokenCache
  yield* cache.get

  const token = Redacted.make("a.b.c")
  const held = { until: Date.now() + 3_600_000, hit: Effect.succeed(token) }
  const floor = Effect.clockWith((clock) => (clock.unsafeCurrentTimeMillis() < held.until ? held.hit : Effect.never))

  const ref = yield* Ref.make(Option.some({ token, until: held.until }))
  const obvious = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const found = yield* Ref.get(ref)
    return Option.isSome(found) && now < found.value.until ? found.value.token : yield* Effect.never
  })

  const rows = { floor, "TokenCache.get": cache.get, "a generator over a Ref": obvious }
  const samples = new Map(Object.keys(rows).map((name) => [name, [] as number[]]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, get] of Object.entries(rows)) samples.get(name)?.push(yield* repeat(get))
  }
  const base = median(samples.get("floor") ?? [])
  for (const [name, values] of samples) {
    const nanos = median(values)
    console.log(`${name.padEnd(24)} ${nanos.toFixed(0).padStart(5)} ns   ${(nanos / base).toFixed(2)} x floor`)
  }
})

console.log(`median of ${ROUNDS} rounds of ${CALLS} calls, ${Duration.format(Duration.hours(1))} token`)
await Effect.runPromise(program.pipe(Effect.provide(client)))
