/**
 * The token cache: one session in a `Ref`, renewed once for all callers.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type AuthError, Expired, UnexpectedResponse } from "../schemas/AuthError.js"
import { NombaAuth } from "../services/NombaAuth.js"
import { NombaConfig } from "../services/NombaConfig.js"
import { PublicLogin, type PublicLoginService } from "../services/PublicLogin.js"
import {
  type CachedSession,
  type Remedy,
  SessionEvent,
  TokenCache,
  type TokenCacheService,
  type TokenUse
} from "../services/TokenCache.js"
import { TokenStore } from "../services/TokenStore.js"
import * as Logout from "./cache/Logout.js"
import { closed } from "./cache/obtainSession.js"
import * as Renewal from "./cache/Renewal.js"
import * as RenewalHistory from "./cache/RenewalHistory.js"
import * as Snapshot from "./cache/Snapshot.js"
import * as State from "./cache/State.js"
import * as Telemetry from "./telemetry.js"
import { firstOf, RENEWAL_LIMIT, STORE_LIMIT, stallTolerantSleep, timelineOf } from "./time.js"

type Dependencies = NombaAuth | NombaConfig | TokenStore

interface Built {
  readonly cache: TokenCacheService
  readonly publicLogin: PublicLoginService
}

const contestedWarning =
  "Another program logs in with these credentials: tokens are rejected although their lifetime is not over, and a new token works. Nomba keeps one session per client, so the programs log each other out. Share one token store between them, or use another client id."

const lastingWarning = (accountId: string): string =>
  `Nomba still answers 401 after the token was renewed. Either the account id is missing or wrong (${accountId}), or the route always answers 401. Renewals are held back while this lasts.`

const heldWarning = (route: string, accountId: string): string =>
  `${route} answered 401 to renewed tokens, and Nomba has accepted none of them since. Either another program logs in with these credentials, or the account id is missing or wrong (${accountId}), or the route always answers 401. The 401s of this route cause fewer renewals while this lasts.`

const allSuspendedWarning = (route: string, accountId: string, duration: Duration.Duration): string =>
  `Several routes, the last of them ${route}, answered 401 to renewed tokens that Nomba accepted for other requests. For ${Duration.toMinutes(duration)} minutes a 401 of a route that has not succeeded causes no renewal. Check the account id (${accountId}) and whether it may call these routes.`

const suspendedWarning = (route: string, accountId: string, duration: Duration.Duration): string =>
  `${route} answered 401 to two renewed tokens that Nomba accepted for other requests. For ${Duration.toMinutes(duration)} minutes a 401 of this route causes no renewal. Check the account id (${accountId}) and whether it may call this route.`

const warnOfUnrevoked = ({ message }: AuthError): Effect.Effect<void> =>
  Effect.logWarning(`The session was to be revoked when its last layer closed, and may go on at Nomba. ${message}`)

/** `needsLogin`: a public client, whose end user has to log in to start a session. */
const build = (needsLogin: boolean): Effect.Effect<Built, never, Dependencies | Scope.Scope> =>
  Effect.gen(function* () {
    const auth = yield* NombaAuth
    const config = yield* NombaConfig
    const tokenStore = yield* TokenStore
    const clock = yield* Effect.clock
    const timeline = timelineOf(clock)
    const { now } = timeline
    const history = yield* RenewalHistory.use(tokenStore, config.storeKey)
    const store = yield* tokenStore.open(config.storeKey, config.requestTimeout, history.storeMemory)
    const fibers = yield* FiberSet.make<unknown, unknown>()
    // Callers that wait learn how a fiber failed. Effect would log it once more.
    const runtime = Runtime.setFiberRef(yield* Effect.runtime<never>(), FiberRef.unhandledErrorLogLevel, Option.none())
    const runFork = Runtime.runFork(runtime)
    const fork = <A, E>(effect: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> => {
      const fiber = runFork(effect)
      FiberSet.unsafeAdd(fibers, fiber)
      return fiber
    }
    /** Goes on if the caller is interrupted. `Fiber.join` would give the caller the layer's context, scope and log level. */
    const inLayer = <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => Effect.flatten(Fiber.await(fork(effect))))
    const closing = yield* Deferred.make<void>()
    const events = State.makeEvents()
    const state = yield* State.makeRef
    const renewal = Renewal.make({
      auth,
      closing,
      config,
      events,
      fork,
      history,
      issue: needsLogin ? new Expired({ operation: "authorize" }) : auth.issue,
      needsLogin,
      state,
      store,
      timeline
    })
    const accountId = Option.getOrElse(config.accountId, () => "not set")
    /** Layers with other account ids share the session, and Nomba may reject one of them. */
    const resourceOf = (use: TokenUse | undefined): string | undefined =>
      use && `${accountId} ${use.resource ?? use.route}`

    /** A caller that has a span sees what it waits for. A caller without one gets no trace of its own. */
    const traced = <A, E extends AuthError>(
      what: "renewal" | "store",
      waiting: Effect.Effect<A, E>
    ): Effect.Effect<A, E> =>
      Effect.flatMap(Effect.contextWith(Telemetry.spanOf), (caller) =>
        caller === undefined
          ? waiting
          : Effect.useSpan(
              "TokenCache.wait",
              { parent: caller, captureStackTrace: false, attributes: { "nomba.wait.for": what } },
              (span) =>
                Effect.onExit(waiting, (exit) =>
                  Effect.sync(() => {
                    const renewing = what === "renewal" ? renewal.span() : undefined
                    if (renewing !== undefined) span.addLinks([Telemetry.linkTo(renewing)])
                    for (const [key, value] of Object.entries(Telemetry.failureOf(exit))) span.attribute(key, value)
                  })
                )
            )
      )

    const waitForRenewal = <A, E extends AuthError>(waiting: Effect.Effect<A, E>): Effect.Effect<A, E> =>
      Effect.suspend(() => {
        const since = now()
        return Effect.ensuring(
          traced("renewal", waiting),
          Effect.suspend(() => Telemetry.recordWait(now() - since))
        )
      })

    const obtain: Effect.Effect<State.Cached, AuthError> = Effect.gen(function* () {
      const until = now() + Duration.toMillis(RENEWAL_LIMIT)
      let hasRenewed = false
      for (;;) {
        const before = state.current()
        const decision = State.decide(before, history, now())
        // After the layer was closed nothing can be read or renewed, so a loop would not wait.
        if (decision._tag !== "Serve" && (yield* Deferred.isDone(closing))) return yield* closed
        switch (decision._tag) {
          case "Serve": {
            if (decision.background === "renew") yield* renewal.flight.start
            if (decision.background === "readStore") yield* renewal.sync.reading.start
            return decision.cached
          }
          case "ReadStore": {
            yield* traced("store", renewal.sync.reading.run)
            break
          }
          case "Fail": {
            if (yield* renewal.liftIfCredentialsChanged) break
            return yield* Effect.fail(decision.error)
          }
          case "Renew": {
            if (hasRenewed) return yield* new UnexpectedResponse({ operation: "issue", reason: "RenewalIneffective" })
            if (now() >= until) return yield* Renewal.givenUp
            const outcome = yield* Effect.either(waitForRenewal(renewal.flight.runUntil(until)))
            const after = state.current()
            if (outcome._tag === "Left") {
              // A token that was rejected before the renewal is no answer for those who waited for a better one.
              const isDoubtful =
                before.cached?.rejected === true &&
                after.cached !== undefined &&
                State.sameToken(before.cached.session.accessToken, after.cached.session.accessToken)
              if (State.isServed(after.cached, now()) && !isDoubtful) return after.cached
              return yield* outcome.left
            }
            // A renewal that was joined or overtaken does not count.
            hasRenewed = outcome.right && before.epoch === after.epoch && before.rejections === after.rejections
          }
        }
      }
    })

    const slowGet = Effect.map(obtain, ({ session }) => session.accessToken)

    const viewOf = (cached: State.Cached): CachedSession => State.view(cached, now())

    const warn = (cause: Telemetry.EarlyEnd, message: string): Effect.Effect<void> => {
      if (!RenewalHistory.mayWarn(history.rejections, cause, now())) return Effect.void
      history.rejections = {
        ...history.rejections,
        warnedAt: { ...history.rejections.warnedAt, [cause]: now() }
      }
      return Effect.logWarning(message)
    }

    const warnAboutRejections = (at: number): Effect.Effect<void> => {
      const since = RenewalHistory.rejectedOftenSince(history.rejections, at)
      if (since === undefined) return Effect.void
      return history.rejections.otherLogins.some((found) => found >= since)
        ? warn("another_program", contestedWarning)
        : warn("account_or_route", lastingWarning(accountId))
    }

    const metricLabels = yield* Effect.metricLabels

    const countEarlyEnd = (cause: Telemetry.EarlyEnd | undefined): void => {
      if (cause !== undefined) Telemetry.unsafeCountEarlyEnd(cause, metricLabels)
    }

    const reject = (
      rejected: Redacted.Redacted<string>,
      use: TokenUse | undefined,
      random: number
    ): Effect.Effect<void> =>
      Effect.gen(function* () {
        const { after, before } = yield* state.update((current) => State.reject(current, rejected))
        if (after === before || before.cached === undefined) return
        const at = now()
        const token = Redacted.value(rejected)
        const early = State.isLive(before.cached, at)
        events.publish(SessionEvent.Rejected({ early }))
        // After a renewal that failed, a rejected token is served once more because there is no other. Its second 401 is not counted.
        if (RenewalHistory.isRejected(history, token)) return
        RenewalHistory.remember(history, token, {
          expiresAt: before.cached.expiresAt,
          rejection: early ? "early" : "late"
        })
        yield* Effect.logDebug(`Nomba rejected the access token${early ? " before its lifetime was over" : ""}.`)
        if (!early) return
        // Once its renewal is due, the renewal may have ended it.
        if (at < before.cached.renewAfter) countEarlyEnd(history.earlyEnds.ended(token, resourceOf(use)))
        history.rejections = RenewalHistory.countRejection(history.rejections, at, random)
        yield* warnAboutRejections(at)
      })

    const invalidate: TokenCacheService["invalidate"] = (rejected, use) =>
      Effect.gen(function* () {
        const random = yield* Random.next
        const isCurrent = () => {
          const { cached } = state.current()
          return State.isServed(cached, now()) && State.sameToken(cached.session.accessToken, rejected)
        }
        if (use !== undefined && !isCurrent()) {
          history.routes.alsoRejected(accountId, Redacted.value(rejected), use)
        } else if (use !== undefined) {
          const { route } = use
          countEarlyEnd(history.earlyEnds.rejected(Redacted.value(rejected), resourceOf(use)))
          const wait = 3_000 + random * 6_000
          const verdict = history.routes.rejected(accountId, Redacted.value(rejected), use, now(), wait)
          if (verdict._tag === "Replay") return "SameToken" satisfies Remedy
          if (verdict._tag !== "Reject") {
            if (verdict._tag === "Held") yield* warn("account_or_route", heldWarning(route, accountId))
            else if (verdict.suspendedFor) {
              const warning = verdict.isOneRoute ? suspendedWarning : allSuspendedWarning
              yield* Effect.logWarning(warning(route, accountId, verdict.suspendedFor))
            }
            // Our own token request may have ended the token, and its answer replaces it.
            if (!renewal.isRequesting()) return "None" satisfies Remedy
            yield* renewal.flight.join
            return (isCurrent() ? "None" : "Renewal") satisfies Remedy
          }
        }
        yield* reject(rejected, use, random)
        return "Renewal" satisfies Remedy
      })

    /** The request that was answered with 401 succeeds with the token that replaced it. Returns the warning that is due. */
    const explainEarlyEnd = (
      accepted: Redacted.Redacted<string>,
      use: TokenUse | undefined
    ): Effect.Effect<void> | undefined => {
      const { cached } = state.current()
      if (cached === undefined || !State.sameToken(cached.session.accessToken, accepted)) return undefined
      const cause = history.earlyEnds.accepted(Redacted.value(accepted), resourceOf(use))
      // A program that shares the store may have ended the session, by renewing it.
      if (cause === undefined || cached.origin === "store") return undefined
      countEarlyEnd(cause)
      const at = now()
      history.rejections = RenewalHistory.countOtherLogin(history.rejections, at)
      return RenewalHistory.isContested(history.rejections, at) ? warn(cause, contestedWarning) : undefined
    }

    const logout = Logout.make({ auth, events, now, state, store })

    const versions = yield* store.changes
    yield* Stream.runForEachChunk(versions, renewal.sync.follow).pipe(Effect.forkScoped)
    // Fibers that lost their timers must not hold the layer open for ever.
    const settle = (until: number) =>
      firstOf(
        FiberSet.awaitEmpty(fibers),
        stallTolerantSleep(Duration.millis(Math.max(Duration.toMillis(STORE_LIMIT), until - now())))
      )
    yield* Effect.addFinalizer(() =>
      Effect.gen(function* () {
        const until = now() + Duration.toMillis(RENEWAL_LIMIT)
        yield* Deferred.succeed(closing, undefined)
        yield* renewal.close
        yield* settle(until)
        const isLast = yield* store.close
        if (isLast && config.revokeOnClose) yield* Fiber.await(fork(Effect.catchAll(logout, warnOfUnrevoked)))
        yield* settle(until)
        yield* events.end
      })
    )

    yield* Telemetry.observe({
      remaining: () => {
        const { cached } = state.current()
        const at = now()
        return State.isServed(cached, at) ? cached.expiresAt - at : undefined
      },
      failureBackoff: () => Math.max(0, (history.failure?.until ?? 0) - now()),
      rejectionBackoff: () => Math.max(0, history.rejections.until - now())
    })
    const peek = (): CachedSession | undefined => {
      const { cached } = state.current()
      return State.isServed(cached, now()) ? viewOf(cached) : undefined
    }

    const confirm = (accepted: Redacted.Redacted<string>, use?: TokenUse): Effect.Effect<void> | undefined => {
      history.routes.accepted(accountId, Redacted.value(accepted), use?.sentAt ?? clock.unsafeCurrentTimeMillis(), use)
      return history.earlyEnds.isOpen() ? explainEarlyEnd(accepted, use) : undefined
    }

    const cache = TokenCache.of({
      get: Effect.suspend(() => {
        const { cached } = state.current()
        return cached !== undefined && !cached.rejected && timeline.isBefore(cached.freshUntil)
          ? cached.cachedGet
          : slowGet
      }),
      session: Effect.map(obtain, viewOf),
      peek: Effect.sync(() => Option.fromNullable(peek())),
      verify: Effect.zipRight(obtain, Effect.asVoid(store.readVersioned)),
      invalidate,
      confirm: (accepted, use) => Effect.suspend(() => confirm(accepted, use) ?? Effect.void),
      logout: inLayer(logout),
      changes: events.stream(() => {
        const { cached } = state.current()
        return SessionEvent.Current({ session: Option.map(Option.fromNullable(cached), viewOf) })
      })
    })
    // Reading both clocks takes longer than all else, so it is done once in a millisecond.
    let proven: State.Cached | undefined
    let provenAt = 0
    Snapshot.provide(cache, {
      fresh: () => {
        const { cached } = state.current()
        if (cached === undefined || cached.rejected) return undefined
        const wall = clock.unsafeCurrentTimeMillis()
        if (cached !== proven || wall !== provenAt) {
          if (!timeline.isBefore(cached.freshUntil)) return undefined
          proven = cached
          provenAt = wall
        }
        return cached.session.accessToken
      },
      peek,
      confirm: (accepted, use) => {
        const warning = confirm(accepted, use)
        if (warning !== undefined) fork(warning)
      },
      renewed: renewal.flight.settled,
      listen: (resume) => {
        const since = now()
        return renewal.flight.listen(() => {
          Telemetry.unsafeRecordWait(now() - since, metricLabels)
          resume()
        })
      }
    })
    const publicLogin = PublicLogin.of({
      login: (session) => inLayer(renewal.login(session))
    })
    return { cache, publicLogin }
    // Interruptible wherever it is built: otherwise what it forks would ignore its time-outs.
  }).pipe(Effect.interruptible)

/**
 * Builds the cache on the token store. When its scope closes, a renewal that has called Nomba is waited for, so that no
 * session is lost between Nomba's answer and the store.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<TokenCacheService, never, Dependencies | Scope.Scope> = Effect.map(
  build(false),
  ({ cache }) => cache
)

/** The services of `layer`. @internal */
export const services: Effect.Effect<Context.Context<TokenCache>, never, Dependencies | Scope.Scope> = Effect.map(
  make,
  (cache) => Context.make(TokenCache, cache)
)

/** The services of `layerPublic`. @internal */
export const publicServices: Effect.Effect<
  Context.Context<TokenCache | PublicLogin>,
  never,
  Dependencies | Scope.Scope
> = Effect.map(build(true), ({ cache, publicLogin }) =>
  Context.make(TokenCache, cache).pipe(Context.add(PublicLogin, publicLogin))
)

/**
 * The cache of a client with a secret, which starts its sessions by itself.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<TokenCache, never, Dependencies> = Layer.scopedContext(services)

/**
 * The cache of a public client, and the service that puts the session of a login into it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPublic: Layer.Layer<TokenCache | PublicLogin, never, Dependencies> =
  Layer.scopedContext(publicServices)
