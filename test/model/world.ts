/** One cache in simulated time, driven by commands, and what must hold whatever they are. */
import { Cause, Duration, Effect, Exit, Fiber, Option, Redacted, Scope } from "effect"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import { type AuthError, Unavailable } from "../../src/schemas/AuthError.js"
import type { Session } from "../../src/schemas/Session.js"
import type { NombaAuthService } from "../../src/services/NombaAuth.js"
import type { SessionStore, TokenStoreService } from "../../src/services/TokenStore.js"
import { makeSimulation } from "../support/simulator.js"
import { type FedCache, makeConfig, makeFedCache, makeUpstream } from "../support/upstream.js"

export const LIFETIME = Duration.minutes(30)

/** The end of that, in which no token is handed out: one that is rejected then may have expired. */
const MARGIN = 10_000

interface GrantedToken {
  readonly expiresAt: number
  /** Which of Nomba's grants it was. */
  readonly order: number
}

/** Failed renewals in a row, of one kind. */
interface Streak {
  readonly endedAt: number
  readonly count: number
  readonly isCredentials: boolean
  readonly inFlight: boolean
}

interface EarlyRejection {
  readonly at: number
  /** Ten others happened within the ten minutes before it. */
  readonly isHeldBack: boolean
  readonly usableUntil: number
}

const storeDown = new Unavailable({ operation: "store", reason: "Store", detail: "ECONNREFUSED" })

/** The memory store, which can be out of reach. */
const flakyStore = (isDown: () => boolean): TokenStoreService => {
  const guard = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E | Unavailable, R> =>
    Effect.suspend((): Effect.Effect<A, E | Unavailable, R> => (isDown() ? storeDown : effect))
  return {
    ...TokenStoreMemory.make,
    open: (key, requestTimeout, memory) =>
      Effect.map(
        TokenStoreMemory.make.open(key, requestTimeout, memory),
        (store): SessionStore => ({
          ...store,
          readVersioned: guard(store.readVersioned),
          renew: (options) => guard(store.renew(options)),
          save: (unsaved) => guard(store.save(unsaved)),
          restore: (live) => guard(store.restore(live)),
          logout: (revoke) => guard(store.logout(revoke))
        })
      )
  }
}

/** Thrown when something that must hold does not. */
export class Broken extends Error {}

/** `isPublic`: a client whose sessions only end users start. */
export const makeWorld = (isPublic: boolean) => {
  let clockOffset = 0
  const simulation = makeSimulation(1_760_000_000_000, () => clockOffset)
  const upstream = makeUpstream()
  upstream.lifetime = LIFETIME
  const grants = new Map<string, GrantedToken>()
  const spent = new Set<string>()
  const reported = new Map<string, number>()
  /** Tokens that were rejected before their lifetime was over. */
  const ended = new Set<string>()
  let earlyRejections: ReadonlyArray<EarlyRejection> = []
  const config = makeConfig()
  const broken: Array<string> = []
  let storeIsDown = false
  let repeatsTokens = false
  let lastGranted: Session | undefined
  const store = flakyStore(() => storeIsDown)
  let underWay = 0
  /** The session that the cache received last: each one ends those before it. */
  let latest: number | undefined
  let streak: Streak | undefined
  let lastEnd = Number.NEGATIVE_INFINITY
  let fed: FedCache
  let scope: Scope.CloseableScope
  let callers: Array<Fiber.RuntimeFiber<string, AuthError>> = []
  let lastToken: string | undefined

  const check = (holds: boolean, what: string): void => {
    if (!holds) broken.push(what)
  }

  /** A token request begins: one at a time, and after failures no sooner than their pause is over. */
  const begin = (at: number): void => {
    check(underWay === 0, "two token requests were in flight at once")
    underWay += 1
    const isSameFlight = at === lastEnd
    if (streak !== undefined && !isSameFlight) {
      const [first, most] = streak.isCredentials ? [10_000, 300_000] : [1_000, 30_000]
      const backoff = Math.min(most, first * 2 ** (streak.count - 1))
      check(at >= streak.endedAt + backoff, `Nomba was called ${at - streak.endedAt} ms after failure ${streak.count}`)
    }
    const last = earlyRejections.at(-1)
    if (last?.isHeldBack && at < last.usableUntil) {
      check(at >= last.at + 3_000, `a token was requested ${at - last.at} ms after one early rejection of many`)
    }
  }

  const end = (isGranted: boolean, isCredentials: boolean): void => {
    underWay -= 1
    const isSameFlight = streak !== undefined && streak.endedAt === lastEnd && streak.inFlight
    lastEnd = simulation.now()
    if (isGranted) streak = undefined
    else {
      const isSameKind = streak !== undefined && streak.isCredentials === isCredentials
      const count = streak === undefined || !isSameKind ? 1 : isSameFlight ? streak.count : streak.count + 1
      streak = { endedAt: lastEnd, count, isCredentials, inFlight: true }
    }
  }

  /** What Nomba granted, from the moment when it was asked. */
  const record = ({ accessToken, lifetime }: Session, at: number): number => {
    const token = Redacted.value(accessToken)
    const order = Number(token.replace("access-", ""))
    // The lifetime of a token that Nomba repeats began when Nomba gave it first.
    if (!grants.has(token)) grants.set(token, { expiresAt: at + Duration.toMillis(lifetime), order })
    return order
  }

  /** The cache has it. */
  const receive = (order: number): void => {
    latest = order
  }

  /** Whether the cache has a newer session, whose token was not reported. */
  const hasBetter = (order: number): boolean =>
    latest !== undefined && latest > order && !reported.has(`access-${latest}`)

  const booked = <E extends AuthError>(call: Effect.Effect<Session, E>): Effect.Effect<Session, E> =>
    Effect.gen(function* () {
      const at = simulation.now()
      begin(at)
      const answer = Effect.map(call, (session) => {
        if (!repeatsTokens || lastGranted === undefined) lastGranted = session
        // A refresh token that Nomba gives again may be sent again.
        Option.map(lastGranted.refreshToken, (token) => spent.delete(Redacted.value(token)))
        return lastGranted
      })
      return yield* Effect.onExit(answer, (exit) =>
        Effect.sync(() => {
          check(!Exit.isInterrupted(exit), "a token request that was sent was interrupted")
          const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
          end(Exit.isSuccess(exit), error?._tag === "InvalidCredentials")
          if (Exit.isFailure(exit)) return
          receive(record(exit.value, at))
        })
      )
    })

  const auth: NombaAuthService = {
    ...upstream.auth,
    issue: booked(upstream.auth.issue),
    refresh: (options) =>
      Effect.suspend(() => {
        const token = Redacted.value(options.refreshToken)
        check(
          isPublic || !spent.has(token),
          "a refresh token was sent again after an answer that may have been processed"
        )
        const bearer = options.accessToken === undefined ? "" : Redacted.value(options.accessToken)
        check(isPublic || !ended.has(bearer), "a session that had been ended was refreshed")
        return Effect.onExit(booked(upstream.auth.refresh(options)), (exit) =>
          Effect.sync(() => {
            const error = Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
            const isGivenAgain =
              Exit.isSuccess(exit) && Option.exists(exit.value.refreshToken, (again) => Redacted.value(again) === token)
            const wasNotProcessed = error?._tag === "Unavailable" && error.processed === "no"
            if (!isGivenAgain && !wasNotProcessed) spent.add(token)
          })
        )
      })
  }

  const open = (): void => {
    lastToken = undefined
    scope = Effect.runSync(Scope.make())
    const exit = simulation.run(
      Scope.extend(makeFedCache({ upstream: { auth }, config, interactive: isPublic, store }), scope)
    )
    if (Exit.isFailure(exit)) throw new Broken("the layer could not be built")
    fed = exit.value
  }

  const interrupt = (index: number): void => {
    const caller = callers[index % Math.max(1, callers.length)]
    if (caller === undefined) return
    simulation.fork(Fiber.interrupt(caller))
    simulation.settle()
  }

  const close = (): void => {
    while (callers.length > 0) interrupt(0)
    const exit = simulation.run(Scope.close(scope, Exit.void))
    check(Exit.isSuccess(exit), "the scope could not be closed")
    simulation.settle()
    check(underWay === 0, "a token request outlived its scope")
    check(simulation.sleeping() === 0, `${simulation.sleeping()} sleeps were left when the scope had closed`)
  }

  /** A caller, whose answer is held to the promises when it comes. */
  const get = (): Fiber.RuntimeFiber<string, AuthError> => {
    const fiber = simulation.fork(Effect.map(fed.cache.get, Redacted.value))
    callers.push(fiber)
    fiber.addObserver((exit) => {
      callers = callers.filter((caller) => caller !== fiber)
      if (Exit.isFailure(exit)) {
        const isExpected = Option.isSome(Cause.failureOption(exit.cause)) || Exit.isInterrupted(exit)
        check(isExpected, `a caller got a ${exit.cause._tag} in the place of a typed error`)
        return
      }
      lastToken = exit.value
      const grant = grants.get(exit.value)
      check(grant !== undefined, "a caller got a token that Nomba did not grant")
      if (grant === undefined) return
      check(simulation.now() < grant.expiresAt, "a caller got a token past its lifetime")
      const isReported = reported.has(exit.value)
      check(!(isReported && hasBetter(grant.order)), "a caller got a rejected token while another was there")
    })
    simulation.settle()
    return fiber
  }

  /** Runs a program beside the callers, and lets no time pass. */
  const start = <A, E>(program: Effect.Effect<A, E>): Fiber.RuntimeFiber<A, E> => {
    const fiber = simulation.fork(program)
    simulation.settle()
    return fiber
  }

  return {
    simulation,
    upstream,
    broken,
    open,
    close,
    get,
    interrupt,
    start,
    cache: () => fed.cache,
    isWaiting: () => callers.length > 0,
    /** The token that a caller got last. */
    lastToken: () => lastToken,
    report: (token: string, route?: string) => {
      const now = simulation.now()
      const usableUntil = (grants.get(token)?.expiresAt ?? 0) - MARGIN
      start(
        Effect.gen(function* () {
          const served = yield* fed.cache.peek
          const use = route === undefined ? undefined : { sentAt: now, route }
          const remedy = yield* fed.cache.invalidate(Redacted.make(token), use)
          if (remedy !== "Renewal") return
          reported.set(token, now)
          const isCached = Option.exists(served, ({ session }) => Redacted.value(session.accessToken) === token)
          if (!isCached || now >= usableUntil || ended.has(token)) return
          ended.add(token)
          const recent = earlyRejections.filter(({ at }) => now - at < 600_000)
          earlyRejections = [...recent, { at: now, isHeldBack: recent.length >= 10, usableUntil }]
        })
      )
    },
    confirm: (token: string, route?: string) => {
      const use = route === undefined ? undefined : { sentAt: simulation.now(), route }
      start(fed.cache.confirm(Redacted.make(token), use))
    },
    logout: () => {
      latest = undefined
      start(Effect.exit(fed.cache.logout))
    },
    isPublic,
    /** An end user takes some time to log in, which ends every earlier session and every backoff. */
    login: () => {
      simulation.pass(1)
      const fiber = start(
        Effect.gen(function* () {
          const session = yield* upstream.startSession
          const order = record(session, simulation.now())
          yield* fed.login(session)
          receive(order)
        })
      )
      fiber.addObserver(() => {
        streak = undefined
      })
    },
    /** The machine's clock is set back by a number of milliseconds. */
    setClockBack: (millis: number) => {
      clockOffset -= millis
      upstream.skew = Duration.sum(upstream.skew, millis)
    },
    /** Whether Nomba answers each token request with the session that it granted last. */
    setRepeatsTokens: (repeats: boolean) => {
      repeatsTokens = repeats
    },
    setStoreDown: (isDown: boolean) => {
      storeIsDown = isDown
    }
  }
}

export type World = ReturnType<typeof makeWorld>
