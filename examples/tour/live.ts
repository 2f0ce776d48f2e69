/** The demo against the environment that `NOMBA_*` names. It ends the session of every other program with these credentials. */
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { type ConfigError, Duration, Effect, Layer, Ref } from "effect"
import { Nomba, TokenCache, TokenStoreMemory } from "nomba-auth"
import { count, ms, note, print, type Step, steps, timed, title } from "./report.js"

const promises = (requests: Effect.Effect<number>): ReadonlyArray<Step<TokenCache>> => [
  {
    promise: "A token from the credentials in the environment",
    run: Effect.gen(function* () {
      const cache = yield* TokenCache
      const [{ remaining, session }, took] = yield* timed(cache.session)
      return {
        holds: Duration.greaterThan(remaining, Duration.zero),
        says: `issued in ${ms(took)}, good for ${Duration.format(session.lifetime)}; printed it reads ${session.accessToken}`
      }
    })
  },
  {
    promise: "10,000 callers more cost no request",
    run: Effect.gen(function* () {
      const cache = yield* TokenCache
      const before = yield* requests
      const callers = Array.from({ length: 10_000 }, () => cache.get)
      const [tokens, took] = yield* timed(Effect.all(callers, { concurrency: "unbounded" }))
      const more = (yield* requests) - before
      return {
        holds: more === 0,
        says: `${count(tokens.length, "caller")} served in ${ms(took)} with ${count(more, "request")}`
      }
    })
  },
  {
    promise: "Logged out again",
    run: Effect.gen(function* () {
      const cache = yield* TokenCache
      const before = yield* requests
      const [, took] = yield* timed(cache.logout)
      const revocations = (yield* requests) - before
      return { holds: revocations > 0, says: `${count(revocations, "revocation")} in ${ms(took)}` }
    })
  }
]

/** Answers whether every promise held. */
export const live: Effect.Effect<boolean> = Effect.gen(function* () {
  const requests = yield* Ref.make(0)
  const counting = HttpClient.tapRequest(() => Ref.update(requests, (n) => n + 1))
  yield* title("nomba-auth against the environment that NOMBA_* names")
  yield* note("Nomba keeps one session per client: this logs every other instance with these credentials out.\n")
  return yield* steps(promises(Ref.get(requests)), { stopAtFailure: true }).pipe(
    Effect.provide(
      Nomba.layerConfig(Nomba.defaultConfig, { transformClient: counting }).pipe(
        Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer])
      )
    )
  )
}).pipe(
  Effect.catchAll((error: ConfigError.ConfigError) =>
    Effect.as(print(`The configuration is incomplete:\n${error}`), false)
  )
)
