/** The faults of a fleet: each begins, lasts and ends. */
import { Effect, Option } from "effect"
import { CALLS_PER_COLD_START } from "../support/bounds.js"
import type { Instance, Point, Surroundings } from "./fleetInstance.js"
import { type Conditions, good } from "./fleetNomba.js"
import type { Impaired, Inability } from "./fleetReferee.js"
import { calm, type Fate } from "./fleetStore.js"
import { startProgram } from "./program.js"

export interface Fleet extends Surroundings {
  readonly instances: ReadonlyArray<Instance>
  /** Who calls a path that rejects every token, at the moment. */
  readonly caller: { rejected: Instance | undefined }
  /** Waits until some instance comes to a point of the protocol. */
  readonly next: (point: Point) => Effect.Effect<Instance>
}

/** On a 503, no longer `Retry-After` is believed. */
const LONGEST_BELIEVED = 2 * 60_000

export type Fault = (fleet: Fleet) => Effect.Effect<void>

const SECOND = 1_000
const MINUTE = 60_000

const lasts = ({ dice }: Fleet, least: number, most: number): Effect.Effect<void> =>
  Effect.suspend(() => Effect.sleep(dice.between(least, most)))

const anyone = ({ dice, instances }: Fleet): Instance => dice.pick(instances.filter((_) => _.isAlive()))

/** Excuses what callers are told while it lasts, and for `aftermath` milliseconds after it. */
const impairing = (
  fleet: Fleet,
  who: Impaired,
  what: Inability,
  fault: Effect.Effect<void>,
  aftermath?: number
): Effect.Effect<void> =>
  Effect.suspend(() => {
    const end = fleet.referee.impair(who, what, aftermath)
    return Effect.ensuring(fault, Effect.sync(end))
  })

/** The store fails some: they cannot renew meanwhile, and may be told so. */
const impairingStore = (fleet: Fleet, who: Impaired, fault: Effect.Effect<void>): Effect.Effect<void> =>
  impairing(fleet, who, "storing", impairing(fleet, who, "renewing", fault))

const restart = (fleet: Fleet, instance: Instance): Effect.Effect<void> =>
  Effect.gen(function* () {
    instance.kill()
    fleet.referee.count("kills")
    fleet.referee.note(`instance ${instance.number} is killed`)
    yield* lasts(fleet, SECOND / 2, 20 * SECOND)
    instance.start()
    fleet.referee.note(`instance ${instance.number} starts`)
  })

const stall = (fleet: Fleet, instance: Instance): Effect.Effect<void> =>
  impairing(
    fleet,
    instance.number,
    "calling",
    Effect.gen(function* () {
      fleet.referee.count("stalls")
      fleet.referee.note(`instance ${instance.number} is stalled`)
      instance.stall()
      yield* lasts(fleet, SECOND, fleet.dice.pick([10 * SECOND, 40 * SECOND, 5 * MINUTE]))
      fleet.referee.note(`instance ${instance.number} goes on`)
      instance.resume()
    })
  )

const points: ReadonlyArray<Point> = [
  "sent",
  "processed",
  "answered",
  "acquire",
  "setRefreshInFlight",
  "commit",
  "release"
]

/** A process at some point of a renewal, which another login causes, or which comes by itself. */
const holder = (fleet: Fleet): Effect.Effect<Option.Option<Instance>> =>
  Effect.gen(function* () {
    const point = fleet.dice.pick(points)
    if (fleet.dice.chance(0.5)) fleet.nomba.loginElsewhere()
    const instance = yield* Effect.timeoutOption(fleet.next(point), "27 minutes")
    if (fleet.dice.chance(0.5)) yield* lasts(fleet, 0, 200)
    fleet.referee.note(`a process is at the point "${point}"`)
    return Option.filter(instance, (_) => _.isAlive())
  })

const toHolder =
  (act: (fleet: Fleet, instance: Instance) => Effect.Effect<void>): Fault =>
  (fleet) =>
    Effect.flatMap(holder(fleet), Option.match({ onNone: () => Effect.void, onSome: (_) => act(fleet, _) }))

const nombaIs =
  (conditions: (fleet: Fleet) => Partial<Conditions>, most: number): Fault =>
  (fleet) =>
    impairing(
      fleet,
      "everybody",
      "calling",
      Effect.gen(function* () {
        fleet.nomba.conditions = { ...good, ...conditions(fleet) }
        yield* lasts(fleet, 5 * SECOND, most)
        fleet.nomba.conditions = good
      })
    )

/** Resources answer, so only who has no live token is told anything. `wait`: what Nomba may ask the fleet to wait after it. */
const tokenRequestsAre =
  (conditions: (fleet: Fleet) => Partial<Conditions>, most: number, wait: number): Fault =>
  (fleet) =>
    impairing(
      fleet,
      "everybody",
      "renewing",
      Effect.gen(function* () {
        fleet.nomba.conditions = { ...good, affected: "token requests", ...conditions(fleet) }
        if (fleet.dice.chance(0.7)) fleet.nomba.loginElsewhere()
        yield* lasts(fleet, 5 * SECOND, most)
        fleet.nomba.conditions = good
      }),
      wait + MINUTE
    )

const commitMeets =
  (fate: Fate): Fault =>
  (fleet) =>
    impairing(
      fleet,
      "everybody",
      "saving",
      Effect.gen(function* () {
        fleet.store.fates.set("commit", fate)
        if (fleet.dice.chance(0.5)) fleet.nomba.loginElsewhere()
        yield* Effect.timeoutOption(fleet.next("commit"), "27 minutes")
        yield* Effect.sleep("35 seconds")
        fleet.store.fates.delete("commit")
      })
    )

/** The connection of a process for announcements is half open; a heartbeat has to find what is stored meanwhile. */
const hearsNothing = (fleet: Fleet, instance: Instance): Effect.Effect<void> => {
  const process = instance.process()
  fleet.store.deaf.add(process)
  const fault = Effect.gen(function* () {
    fleet.nomba.loginElsewhere()
    yield* Effect.timeoutOption(fleet.next("commit"), "2 minutes")
    const { liveToken } = fleet.nomba
    const stored = liveToken()
    yield* Effect.sleep("35 seconds")
    const isAround =
      // No other program has logged in since.
      liveToken() === stored &&
      fleet.store.holds() === stored &&
      instance.isAlive() &&
      instance.process() === process &&
      // A heartbeat begins when the layer is built.
      fleet.simulation.now() - instance.openedAt() > 35_000
    const isWell = !fleet.referee.wasImpaired(instance.number, "calling", fleet.simulation.now() - MINUTE)
    if (isAround && isWell && fleet.store.health === "well" && instance.holds() !== stored) {
      fleet.referee.blame(`instance ${instance.number} holds ${instance.holds()}, 35 s after ${stored} was stored`)
    }
    yield* lasts(fleet, 0, 20 * MINUTE)
  })
  return Effect.ensuring(
    fault,
    Effect.sync(() => fleet.store.deaf.delete(process))
  )
}

/** Everybody starts at once, over a store that is empty or not; how many sessions that may start. */
const startTogether = (fleet: Fleet, starts: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    const before = fleet.nomba.sandbox()
    for (const instance of fleet.instances) instance.start()
    yield* Effect.sleep("30 seconds")
    const { issued, refreshed } = fleet.nomba.sandbox()
    const count = issued - before.issued + refreshed - before.refreshed
    if (count !== starts) fleet.referee.blame(`${count} sessions in place of ${starts} when everybody started at once`)
  })

export const coldStart: Fault = (fleet) => startTogether(fleet, CALLS_PER_COLD_START)

export const faults = {
  "another login": (fleet) => Effect.sync(fleet.nomba.loginElsewhere),
  "another login soon after a renewal": (fleet) =>
    Effect.sync(() => {
      fleet.nomba.loginElsewhereAfterNextIssue = fleet.dice.between(0, 500)
      fleet.nomba.loginElsewhere()
    }),
  "another login soon after an unheard renewal": (fleet) =>
    Effect.gen(function* () {
      fleet.store.weather = { ...fleet.store.weather, announcementLost: 1 }
      fleet.nomba.loginElsewhereAfterNextIssue = fleet.dice.between(200, 1_000)
      fleet.nomba.loginElsewhere()
      yield* Effect.sleep("2 minutes")
      fleet.store.weather = { ...fleet.store.weather, announcementLost: 0 }
    }),
  "store out of reach": (fleet) =>
    impairingStore(
      fleet,
      "everybody",
      Effect.gen(function* () {
        fleet.referee.count("outages of the store")
        fleet.store.health = fleet.dice.pick(["refusing", "silent", "frozen", "full"])
        fleet.referee.note(`the store is ${fleet.store.health}`)
        yield* lasts(fleet, 2 * SECOND, fleet.dice.pick([20 * SECOND, 20 * MINUTE]))
        fleet.store.health = "well"
      })
    ),
  "commands lost and late": (fleet) =>
    impairingStore(
      fleet,
      "everybody",
      Effect.gen(function* () {
        fleet.store.weather = { ...fleet.store.weather, requestLost: 0.2, answerLost: 0.2, late: 0.2 }
        if (fleet.dice.chance(0.5)) fleet.nomba.loginElsewhere()
        yield* lasts(fleet, MINUTE, 30 * MINUTE)
        fleet.store.weather = calm
      })
    ),
  "a commit lost": commitMeets("request lost"),
  "a commit's answer lost": commitMeets("answer lost"),
  "a commit late": commitMeets("late"),
  "the answer to setRefreshInFlight lost": (fleet) =>
    Effect.gen(function* () {
      const { otherLogins } = fleet.nomba.counts
      const { issued } = fleet.nomba.sandbox()
      fleet.store.fates.set("setRefreshInFlight", fleet.dice.pick(["answer lost", "late"]))
      yield* Effect.timeoutOption(fleet.next("setRefreshInFlight"), "27 minutes")
      yield* Effect.sleep("35 seconds")
      fleet.store.fates.delete("setRefreshInFlight")
      const isIssued = fleet.nomba.sandbox().issued > issued
      // Nothing was sent under the flag, so the refresh token is not spent.
      if (isIssued && fleet.nomba.counts.otherLogins === otherLogins) {
        fleet.referee.blame("a session was issued, although its refresh token had not been sent")
      }
    }),
  "announcements lost and late": (fleet) =>
    Effect.gen(function* () {
      fleet.store.weather = { ...fleet.store.weather, announcementLost: 0.5, announcementLate: 0.5 }
      yield* lasts(fleet, 10 * MINUTE, 40 * MINUTE)
      fleet.store.weather = { ...fleet.store.weather, announcementLost: 0, announcementLate: 0 }
    }),
  "the store comes back empty": (fleet) =>
    Effect.gen(function* () {
      fleet.store.wipe()
      if (fleet.dice.chance(0.5)) fleet.nomba.loginElsewhere()
      yield* Effect.timeoutOption(fleet.next("commit"), "27 minutes")
    }),
  "one instance without the store": (fleet) =>
    Effect.suspend(() => {
      const instance = anyone(fleet)
      const process = instance.process()
      return impairingStore(
        fleet,
        instance.number,
        Effect.gen(function* () {
          fleet.store.partitioned.add(process)
          yield* lasts(fleet, 10 * SECOND, 40 * MINUTE)
          fleet.store.partitioned.delete(process)
        })
      )
    }),
  "anyone stalled": (fleet) => Effect.suspend(() => stall(fleet, anyone(fleet))),
  "a holder stalled": toHolder(stall),
  "anyone killed": (fleet) => Effect.suspend(() => restart(fleet, anyone(fleet))),
  "a holder killed": toHolder(restart),
  "all killed": (fleet) =>
    Effect.gen(function* () {
      for (const instance of fleet.instances) instance.kill()
      fleet.referee.count("kills", fleet.instances.length)
      yield* Effect.sleep("30 seconds")
      const isAdoptable = fleet.store.holds() === fleet.nomba.liveToken()
      if (isAdoptable && fleet.store.remaining() > 6 * MINUTE) yield* startTogether(fleet, 0)
      else {
        fleet.store.wipe()
        yield* startTogether(fleet, CALLS_PER_COLD_START)
      }
    }),
  "Nomba out of reach": nombaIs(({ dice }) => ({ health: dice.pick(["refusing", "failing", "silent"]) }), 10 * MINUTE),
  "Nomba slow": nombaIs(() => ({ slowest: 6 * SECOND }), 20 * MINUTE),
  "Nomba's answers lost": nombaIs(() => ({ answerLost: 0.4 }), 20 * MINUTE),
  "the store goes back": (fleet) =>
    Effect.gen(function* () {
      if (fleet.dice.chance(0.5)) {
        fleet.nomba.loginElsewhere()
        yield* Effect.timeoutOption(fleet.next("commit"), "2 minutes")
        // Every process hears of the new session, so that each knows better than the store.
        yield* Effect.sleep("75 seconds")
      }
      const known = fleet.store.holds()
      const isLive = known !== undefined && known === fleet.nomba.liveToken() && fleet.nomba.remaining() > 6 * MINUTE
      if (!fleet.store.goBack() || !isLive) return
      const otherLogins = fleet.nomba.counts.otherLogins
      const processes = fleet.instances.map((_) => _.process())
      yield* Effect.sleep("45 seconds")
      // A process that has started since knows only what the store holds, and renews that.
      const isAnyNew = fleet.instances.some((_, i) => _.process() !== processes[i])
      if (
        !isAnyNew &&
        fleet.nomba.counts.otherLogins === otherLogins &&
        fleet.store.health === "well" &&
        fleet.store.holds() !== known
      ) {
        fleet.referee.blame(
          `the store went back and holds ${fleet.store.holds()}, although all processes knew ${known}`
        )
      }
    }),
  "the store's clock moves": (fleet) =>
    Effect.gen(function* () {
      const before = fleet.store.clockOffset
      fleet.store.clockOffset = fleet.dice.between(-10 * MINUTE, 10 * MINUTE)
      fleet.referee.note(`the store's clock moves by ${Math.round(fleet.store.clockOffset - before)} ms`)
      yield* lasts(fleet, 10 * SECOND, 20 * MINUTE)
    }),
  "one process hears no announcements": (fleet) => Effect.suspend(() => hearsNothing(fleet, anyone(fleet))),
  "one process with other keys": (fleet) =>
    Effect.suspend(() => {
      const instance = anyone(fleet)
      const process = instance.process()
      return impairingStore(
        fleet,
        instance.number,
        Effect.gen(function* () {
          fleet.store.foreign.add(process)
          if (fleet.dice.chance(0.7)) fleet.nomba.loginElsewhere()
          yield* lasts(fleet, MINUTE, 20 * MINUTE)
          fleet.store.foreign.delete(process)
        })
      )
    }),
  "closed and opened in one tick": (fleet) =>
    Effect.gen(function* () {
      const instance = anyone(fleet)
      if (fleet.dice.chance(0.5)) fleet.nomba.loginElsewhere()
      yield* lasts(fleet, 0, MINUTE)
      instance.reopen()
      yield* lasts(fleet, 0, SECOND)
      if (fleet.dice.chance(0.5)) instance.reopen()
      // As if the connection ended the subscription of the first layer after it began that of the second.
      if (fleet.dice.chance(0.5)) yield* hearsNothing(fleet, instance)
    }),
  "joined ahead of expiry while Nomba fails": (fleet) =>
    Effect.gen(function* () {
      const ahead = fleet.nomba.remaining() - 6 * MINUTE
      yield* Effect.sleep(Math.max(0, ahead))
      const instance = anyone(fleet)
      const fault = Effect.gen(function* () {
        fleet.nomba.conditions = {
          ...good,
          affected: "token requests",
          health: fleet.dice.pick(["failing", "refusing"])
        }
        yield* Effect.sleep("90 seconds")
        instance.kill()
        yield* lasts(fleet, SECOND, 30 * SECOND)
        instance.start()
        yield* Effect.sleep("45 seconds")
        const { liveToken, remaining } = fleet.nomba
        const isServable = remaining() > 30 * SECOND && fleet.store.holds() === liveToken()
        const readsStore = !fleet.referee.wasImpaired(instance.number, "storing", instance.openedAt())
        if (isServable && readsStore && instance.isAlive() && instance.holds() !== liveToken()) {
          fleet.referee.blame(
            `instance ${instance.number} joined and holds ${instance.holds()}, not the live ${liveToken()}`
          )
        }
        fleet.nomba.conditions = good
      })
      yield* impairing(fleet, "everybody", "renewing", fault)
    }),
  "token requests fail": tokenRequestsAre(
    ({ dice }) => ({ health: dice.pick(["failing", "refusing"]) }),
    10 * MINUTE,
    0
  ),
  "token requests fail with Retry-After": tokenRequestsAre(
    ({ dice }) => ({ health: "failing", retryAfter: dice.pick(["0", "3600", "86400"]) }),
    5 * MINUTE,
    LONGEST_BELIEVED
  ),
  "one POST a minute": tokenRequestsAre(
    ({ dice }) => ({ rateLimit: { limit: 1, window: MINUTE }, retryAfter: dice.pick([undefined, "0"]) }),
    10 * MINUTE,
    MINUTE
  ),
  "Nomba repeats its tokens": tokenRequestsAre(() => ({ repeatsTokens: true }), 10 * MINUTE, 0),
  "expired tokens are answered with 400 or 500": (fleet) =>
    Effect.gen(function* () {
      fleet.nomba.conditions = { ...good, expiredStatus: fleet.dice.pick([400, 500]) }
      fleet.nomba.loginElsewhere()
      yield* lasts(fleet, MINUTE, 20 * MINUTE)
      fleet.nomba.conditions = good
    }),
  "one process calls a route that rejects every token": (fleet) =>
    Effect.suspend(() => {
      fleet.nomba.conditions = { ...good, rejectedPath: "/v1/transfers" }
      fleet.caller.rejected = anyone(fleet)
      return Effect.ensuring(
        lasts(fleet, MINUTE, 60 * MINUTE),
        Effect.sync(() => {
          fleet.caller.rejected = undefined
          fleet.nomba.conditions = good
        })
      )
    }),
  "a rival program": (fleet) =>
    Effect.gen(function* () {
      const rival = startProgram(fleet.simulation, fleet.nomba, fleet.dice, { isRival: true })
      const every = fleet.dice.between(5 * SECOND, 60 * SECOND)
      const call = Effect.ignore(rival.call("GET", "/v1/accounts/balance"))
      rival.fork(Effect.forever(Effect.zipRight(call, Effect.sleep(every))))
      yield* lasts(fleet, MINUTE, 10 * MINUTE)
      rival.process.kill()
    }),
  "a clock set": (fleet) =>
    Effect.suspend(() => {
      const instance = anyone(fleet)
      return impairing(
        fleet,
        instance.number,
        "renewing",
        Effect.sync(() => instance.setClock(fleet.dice.between(-10 * MINUTE, 10 * MINUTE)))
      )
    })
} satisfies Readonly<Record<string, Fault>>

export type FaultName = keyof typeof faults
