/** One process of a fleet: the real client, cache and token operations, on a clock of its own. */
import { Cause, Duration, Effect, Exit, Option, Random, Redacted, Stream } from "effect"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import { healsByWaiting } from "../../src/schemas/ErrorMeaning.js"
import { NombaClient } from "../../src/services/NombaClient.js"
import { type CachedSession, TokenCache } from "../../src/services/TokenCache.js"
import type { Process, Simulation } from "../support/simulator.js"
import { makeConfig } from "../support/upstream.js"
import { clientLayer, hearing } from "./fleetClient.js"
import type { Dice } from "./fleetNetwork.js"
import type { Moment, Nomba } from "./fleetNomba.js"
import type { Referee } from "./fleetReferee.js"
import type { Step, StoreServer } from "./fleetStore.js"

export type Point = Moment | Step

export interface Instance {
  readonly number: number
  /** The token that it would hand out. */
  readonly holds: () => string | undefined
  readonly isAlive: () => boolean
  readonly process: () => Process
  /** When its layer was built. */
  readonly openedAt: () => number
  readonly stall: () => void
  readonly resume: () => void
  readonly kill: () => void
  /** Starts a new process in the place of one that was killed. */
  readonly start: () => void
  /** Closes its layer and builds it again at once. */
  readonly reopen: () => void
  /** Its clock is set. */
  readonly setClock: (offset: number) => void
}

export interface Surroundings {
  readonly simulation: Simulation
  readonly dice: Dice
  readonly nomba: Nomba
  readonly store: StoreServer
  readonly referee: Referee
  /** For how long a token may be handed out after its expiry, in milliseconds. */
  readonly expiryBound: () => number
  /** A path that this instance calls now, and that answers 401 to every token. */
  readonly rejectedRoute: (instance: Instance) => string | undefined
  /** An instance has come to a point of the protocol. */
  readonly reached: (instance: Instance, point: Point) => void
}

/** A caller waits no longer than this. */
const PATIENCE = Duration.seconds(50)

const BALANCE = "/v1/accounts/balance"

/** Requests that are under way at a rejection may still bring the token for this long, in milliseconds. */
const REJECTION_BOUND = 5_000

const STORM = 40

interface Answer {
  readonly status: number
}

interface Failure {
  readonly _tag: string
  readonly reason?: string
  readonly operation?: string
}

const { storeKey } = makeConfig()

/** The statuses with which this Nomba answers a token that is not alive. */
const isRejection = (status: number): boolean => status === 400 || status === 401 || status === 500

export const makeInstance = (number: number, surroundings: Surroundings): Instance => {
  const { dice, nomba, referee, simulation, store } = surroundings
  let offset = dice.between(-600_000, 600_000)
  let process = simulation.process(() => offset)
  let held: string | undefined
  let reopen = (): void => {}
  let openedAt = simulation.now()
  let reopenedAt = Number.NEGATIVE_INFINITY
  /** Its clock was set since the token came: it is wrong about what is left of it. */
  let isMistaken = false

  const hold = (cached: CachedSession | undefined): void => {
    isMistaken = false
    doubtedUntil = Math.min(doubtedUntil, simulation.now())
    held = cached === undefined ? undefined : Redacted.value(cached.session.accessToken)
  }

  /** One request for a resource, and whether its outcome may be told to a caller. */
  const call = (client: NombaClient["Type"], own: Process, path: string): Effect.Effect<void> =>
    Effect.suspend(() => {
      const since = simulation.now()
      const isServed = held === nomba.liveToken() && nomba.remaining() > 15_000 && !isMistaken
      const token = isServed ? held : undefined
      return client.get(path).pipe(
        Effect.timeout(PATIENCE),
        Effect.onExit((exit) => Effect.sync(() => own.isAlive() && judge(path, since, token, exit))),
        Effect.ignore
      )
    })

  /** What a caller is told, who began then; `live` is the token that it could be served with. */
  const judge = (path: string, since: number, live: string | undefined, exit: Exit.Exit<Answer, Failure>): void => {
    referee.count("calls")
    const isDoubted = live === rejectedByRoute && (path !== BALANCE || doubtedUntil >= since)
    const isServed = live !== undefined && live === nomba.liveToken() && !isDoubted
    const cannotCall = referee.wasImpaired(number, "calling", since)
    const excused = cannotCall || (!isServed && referee.wasImpaired(number, "renewing", since))
    const took = `after ${Math.round(simulation.now() - since)} ms`
    if (Exit.isFailure(exit)) {
      const error = Option.getOrUndefined(Cause.failureOption(exit.cause))
      const reason = error === undefined ? "a defect" : (error.reason ?? error._tag)
      referee.count(`callers told ${reason}`)
      if (reason === "Closed" && reopenedAt >= since) return
      if (reason === "SessionContested" && nomba.lastOtherLogin() > since - 600_000) return
      const told = `instance ${number} told a caller ${took}: ${Cause.pretty(exit.cause).split("\n")[0]}`
      if (!excused || error === undefined) referee.blame(told)
      else if (!referee.wasImpaired(number, "storing", since) && !cannotCall) {
        if (reason === "Store") referee.blame(`${told}, but nothing was wrong with the store`)
        const isStated = nomba.conditions.health === "failing" && nomba.conditionsSince() < since
        if (isStated && error.operation === "store") referee.blame(`${told}, and not what Nomba answers`)
      }
    } else if (isRejection(exit.value.status)) {
      if (path !== BALANCE) referee.count("401s told to callers: a route that rejects every token")
      else if (nomba.lastOtherLogin() >= since) referee.count("401s told to callers: another login before the replay")
      // A client replays twice if it adopted the first token. A late store may hand it two that another login has ended since.
      else if (nomba.lastOtherLogin() >= since - 600_000 && referee.wasImpaired(number, "storing", since))
        referee.count("401s told to callers: another login had ended two adopted sessions")
      // A commit was lost, so another process renews and ends the session of the replay.
      else if (nomba.grantedSince(since) >= 2 && referee.wasImpaired(number, "saving", since))
        referee.count("401s told to callers: another process did not see the session of the replay")
      // Each adopted token may be one that Nomba repeated to another process, and is dead.
      else if (nomba.lastRepeat() >= since - 60_000) referee.count("401s told to callers: Nomba repeats its tokens")
      // The cache knows why it could not renew, and has to fail with that.
      else referee.blame(`instance ${number} told a caller of a ${exit.value.status} ${took} without a reason`)
    } else if (exit.value.status !== 200) {
      referee.count(`callers told ${exit.value.status}`)
      if (!excused) referee.blame(`instance ${number} told a caller of a ${exit.value.status} ${took}`)
    }
  }

  /** When this process first got a 401 for a token. */
  let rejections = new Map<string, number>()
  /** The last token that a route rejected which rejects every token. */
  let rejectedByRoute: string | undefined
  /** A process that takes that for a rejected token doubts it until its renewal has ended; its other callers wait for that. */
  let doubtedUntil = Number.NEGATIVE_INFINITY

  /** A token was handed out: is it one that has expired, or one that this process knows to be rejected? */
  const judgeUse = (token: string, status: number, path: string): void => {
    const expiredFor = nomba.expiredFor(token)
    if (expiredFor > 0) {
      const bound = surroundings.expiryBound()
      referee.measure("an expired token was handed out", expiredFor)
      const isStalled = referee.wasImpaired(number, "calling", simulation.now())
      if (expiredFor > bound && !isStalled) {
        referee.blame(`instance ${number} handed out a token ${Math.round(expiredFor)} ms after its expiry`)
      }
    }
    if (!isRejection(status)) return
    if (path !== BALANCE) {
      rejectedByRoute = token
      return
    }
    const first = rejections.get(token)
    if (first === undefined) {
      if (rejections.size > 50) rejections = new Map()
      rejections.set(token, simulation.now())
      return
    }
    const rejectedFor = simulation.now() - first
    referee.measure("a rejected token was handed out", rejectedFor)
    const cannotRenew = referee.wasImpaired(number, "renewing", first) || referee.wasImpaired(number, "calling", first)
    if (rejectedFor > REJECTION_BOUND && !cannotRenew) {
      referee.blame(`instance ${number} handed out a token ${Math.round(rejectedFor)} ms after it was rejected`)
    }
  }

  /** More token requests than this within a minute are a storm, whatever is wrong. */
  const noteTokenRequest = (): void => {
    const now = simulation.now()
    tokenRequests = [...tokenRequests.filter((at) => now - at < 60_000), now]
    referee.measure("token requests of one process within a minute", tokenRequests.length)
    if (tokenRequests.length > STORM) {
      referee.blame(`instance ${number} sent ${tokenRequests.length} token requests within a minute`)
      tokenRequests = []
    }
  }
  let tokenRequests: ReadonlyArray<number> = []

  const program = (own: Process, seed: number) => {
    const layer = clientLayer(
      {
        client: nomba.clientFor(
          own,
          (moment) => {
            if (moment === "sent") noteTokenRequest()
            surroundings.reached(instance, moment)
          },
          ({ path, status, token }) => judgeUse(token, status, path)
        ),
        store: SessionStore.fromDriver(store.connectFor(own, (step) => surroundings.reached(instance, step)))
      },
      { storeKey }
    )
    const life = Effect.gen(function* () {
      openedAt = simulation.now()
      hold(undefined)
      const client = yield* NombaClient
      const { changes } = yield* TokenCache
      yield* Effect.fork(
        Stream.runForEach(changes, (event) =>
          Effect.sync(() => {
            switch (event._tag) {
              case "Current":
                return hold(Option.getOrUndefined(event.session))
              case "Issued":
              case "Refreshed":
              case "Adopted":
                return hold(event.session)
              case "LoggedOut":
                return hold(undefined)
              case "Rejected":
                doubtedUntil = Number.POSITIVE_INFINITY
                return
              case "RenewalFailed":
                // What does not heal by waiting is not covered up with a doubtful token.
                if (healsByWaiting(event.error)) doubtedUntil = Math.min(doubtedUntil, simulation.now())
                return
            }
          })
        )
      )
      while (true) {
        const rejected = surroundings.rejectedRoute(instance)
        yield* Effect.forkDaemon(call(client, own, BALANCE))
        if (rejected !== undefined) yield* Effect.forkDaemon(call(client, own, rejected))
        const wait = rejected === undefined ? dice.between(40_000, 60_000) : dice.between(500, 20_000)
        yield* Effect.sleep(Duration.millis(dice.chance(0.05) ? dice.between(0, 500) : wait))
      }
    }).pipe(Effect.provide(layer))
    const reopened = Effect.async<void>((resume) => {
      reopen = () => resume(Effect.void)
    })
    return Effect.forever(Effect.raceFirst(life, reopened)).pipe(
      hearing((message) => referee.note(`instance ${number} logs: ${message.slice(0, 200)}`)),
      Effect.withRandom(Random.make(seed)),
      Effect.withTracerEnabled(false)
    )
  }

  const instance: Instance = {
    number,
    holds: () => held,
    isAlive: () => process.isAlive(),
    process: () => process,
    openedAt: () => openedAt,
    stall: () => process.stall(),
    resume: () => process.resume(),
    kill: () => {
      process.kill()
      held = undefined
    },
    start: () => {
      rejections = new Map()
      process = simulation.process(() => offset)
      process.fork(program(process, dice.between(0, 2 ** 31)))
    },
    reopen: () => {
      reopenedAt = simulation.now()
      reopen()
    },
    setClock: (next) => {
      offset = next
      isMistaken = true
    }
  }
  return instance
}
