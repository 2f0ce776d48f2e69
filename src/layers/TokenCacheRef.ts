/**
 * The token cache: one session in a `Ref`, renewed once however many ask.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { AuthError } from "../schemas/AuthError.js"
import { NombaAuth } from "../services/NombaAuth.js"
import { NombaConfig } from "../services/NombaConfig.js"
import { PublicLogin, type PublicLoginService } from "../services/PublicLogin.js"
import { SessionSource } from "../services/SessionSource.js"
import { TokenCache, type TokenCacheService } from "../services/TokenCache.js"
import { TokenStore } from "../services/TokenStore.js"
import * as Aside from "./cache/Aside.js"
import * as Cell from "./cache/Cell.js"
import * as Logout from "./cache/Logout.js"
import * as Pace from "./cache/Pace.js"
import * as Renewal from "./cache/Renewal.js"
import * as State from "./cache/State.js"

const lastingRejection =
  "Nomba still answers 401 after the token was renewed. Three causes: the accountId header is absent, the account id is wrong, or the token is dead because something else logs in with the same credentials. Renewals are held back until a replayed request succeeds."

type Dependencies = NombaAuth | NombaConfig | SessionSource | TokenStore

interface Built {
  readonly cache: TokenCacheService
  readonly publicLogin: PublicLoginService
}

/** Interruptible wherever it is built: what it forks would otherwise not heed its time-outs. */
const build: Effect.Effect<Built, never, Dependencies | Scope.Scope> = Effect.gen(function* () {
  const auth = yield* NombaAuth
  const config = yield* NombaConfig
  const source = yield* SessionSource
  const store = yield* Effect.flatMap(TokenStore, (_) => _.open(config.storeKey, config.requestTimeout))
  const fork = Runtime.runFork(yield* Effect.runtime<never>())
  const closing = yield* Deferred.make<void>()
  const cell = yield* Cell.make
  const aside = Aside.make(fork)
  const renewal = Renewal.make({ aside, auth, cell, closing, config, fork, source, store })

  const obtain: Effect.Effect<State.Held, AuthError> = Effect.suspend((): Effect.Effect<State.Held, AuthError> => {
    const decision = State.decide(cell.current(), cell.now())
    switch (decision._tag) {
      case "Serve": {
        if (decision.background === "nothing") return Effect.succeed(decision.held)
        const background = decision.background === "renew" ? renewal.flight : renewal.look
        return Effect.as(background.start, decision.held)
      }
      case "Look":
        return Effect.zipRight(renewal.look.run, obtain)
      case "Renew":
        return Effect.matchEffect(renewal.flight.run, { onFailure: orServe, onSuccess: () => obtain })
      case "Fail":
        return decision.error
    }
  })

  /** A renewal failed: its error, unless there is a token good enough. */
  const orServe = (error: AuthError): Effect.Effect<State.Held, AuthError> =>
    Effect.suspend((): Effect.Effect<State.Held, AuthError> => {
      const decision = State.decide(cell.current(), cell.now())
      return decision._tag === "Serve" ? Effect.succeed(decision.held) : error
    })

  const slow: Effect.Effect<Redacted.Redacted<string>, AuthError> = Effect.map(
    obtain,
    ({ session }) => session.accessToken
  )

  const logout = Logout.make({ auth, cell, store })

  const versions = yield* store.changes
  yield* Stream.runForEachChunk(versions, renewal.follow).pipe(Effect.forkScoped)
  yield* Effect.addFinalizer(() =>
    Effect.gen(function* () {
      yield* Deferred.succeed(closing, undefined)
      yield* aside.settled
      yield* renewal.close
      const isLast = yield* store.leave
      if (isLast && config.revokeOnClose) yield* aside.start(Effect.ignoreLogged(logout))
      yield* aside.settled
    })
  )

  const cache = TokenCache.of({
    get: Effect.suspend(() => {
      const { held } = cell.current()
      return held !== undefined && State.isFresh(held, cell.now()) ? held.hit : slow
    }),
    session: Effect.map(obtain, ({ expiresAt, origin, saved, session }) => ({
      session,
      origin,
      saved,
      remaining: Duration.millis(Math.max(0, expiresAt - cell.now()))
    })),
    invalidate: (rejected) =>
      Effect.flatMap(
        cell.update((state, now) => State.reject(state, rejected, now)),
        ({ after, before }) => {
          const isLasting = after.remedies.unhelped === Pace.LASTING && before.remedies.unhelped < Pace.LASTING
          return Effect.as(
            Effect.when(Effect.logWarning(lastingRejection), () => isLasting),
            "renew" as const
          )
        }
      ),
    confirm: (accepted) =>
      Effect.suspend(() =>
        cell.current().remedies.last === undefined
          ? Effect.void
          : Effect.asVoid(cell.update((state) => State.confirm(state, accepted)))
      ),
    logout: Effect.flatMap(aside.start(logout), Fiber.join),
    changes: cell.changes
  })
  const publicLogin = PublicLogin.of({
    login: (session) => Effect.flatMap(aside.start(renewal.login(session)), Fiber.join)
  })
  return { cache, publicLogin }
}).pipe(Effect.interruptible)

/**
 * Builds the cache on the token store. When its scope closes, a renewal that has reached for Nomba is waited for, so that
 * no session is lost between its answer and the store.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<TokenCacheService, never, Dependencies | Scope.Scope> = Effect.map(
  build,
  ({ cache }) => cache
)

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenCache, never, Dependencies> = Layer.scoped(TokenCache, make)

/**
 * The cache of a public client, and what feeds it: both hold the same session.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublic: Layer.Layer<TokenCache | PublicLogin, never, Dependencies> = Layer.scopedContext(
  Effect.map(build, ({ cache, publicLogin }) =>
    Context.make(TokenCache, cache).pipe(Context.add(PublicLogin, publicLogin))
  )
)
