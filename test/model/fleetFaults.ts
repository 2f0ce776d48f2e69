/** What can befall a fleet: each fault begins, lasts and ends. */
import { Effect, Option } from "effect"
import { CALLS_PER_COLD_START } from "../support/bounds.js"
import type { Instance, Point, Surroundings } from "./fleetInstance.js"
import { good } from "./fleetNomba.js"
import type { Impaired, Inability } from "./fleetReferee.js"
import { calm } from "./fleetStore.js"

export interface Fleet extends Surroundings {
  readonly instances: ReadonlyArray<Instance>
  /** Waits until some instance comes to a point of the protocol. */
  readonly next: (point: Point) => Effect.Effect<Instance>
}

export type Fault = (fleet: Fleet) => Effect.Effect<void>

const SECOND = 1_000
const MINUTE = 60_000

const lasts = ({ dice }: Fleet, least: number, most: number): Effect.Effect<void> =>
  Effect.suspend(() => Effect.sleep(dice.between(least, most)))

const anyone = ({ dice, instances }: Fleet): Instance => dice.pick(instances.filter((_) => _.isAlive()))

/** Excuses what callers are told while it lasts. */
const impairing = (fleet: Fleet, who: Impaired, what: Inability, fault: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.suspend(() => {
    const end = fleet.referee.impair(who, what)
    return Effect.ensuring(fault, Effect.sync(end))
  })

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

/** Someone who renews, at some point of that; a renewal is provoked by a theft, or waited for. */
const holder = (fleet: Fleet): Effect.Effect<Option.Option<Instance>> =>
  Effect.gen(function* () {
    const point = fleet.dice.pick(points)
    if (fleet.dice.chance(0.5)) fleet.nomba.steal()
    const instance = yield* Effect.timeoutOption(fleet.next(point), "27 minutes")
    if (fleet.dice.chance(0.5)) yield* lasts(fleet, 0, 200)
    fleet.referee.note(`somebody is at the point "${point}"`)
    return Option.filter(instance, (_) => _.isAlive())
  })

const toHolder =
  (act: (fleet: Fleet, instance: Instance) => Effect.Effect<void>): Fault =>
  (fleet) =>
    Effect.flatMap(holder(fleet), Option.match({ onNone: () => Effect.void, onSome: (_) => act(fleet, _) }))

const nombaIs =
  (conditions: (fleet: Fleet) => Partial<typeof good>, most: number): Fault =>
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

const commitMeets =
  (fate: "request lost" | "answer lost" | "late"): Fault =>
  (fleet) =>
    Effect.gen(function* () {
      fleet.store.nextCommit = fate
      if (fleet.dice.chance(0.5)) fleet.nomba.steal()
      yield* Effect.timeoutOption(fleet.next("commit"), "27 minutes")
      yield* Effect.sleep("35 seconds")
      fleet.store.nextCommit = undefined
    })

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
  theft: (fleet) => Effect.sync(fleet.nomba.steal),
  "theft soon after a renewal": (fleet) =>
    Effect.sync(() => {
      fleet.nomba.stealAfterNextGrant = fleet.dice.between(0, 500)
      fleet.nomba.steal()
    }),
  "theft soon after an unheard renewal": (fleet) =>
    Effect.gen(function* () {
      fleet.store.weather = { ...fleet.store.weather, announcementLost: 1 }
      fleet.nomba.stealAfterNextGrant = fleet.dice.between(200, 1_000)
      fleet.nomba.steal()
      yield* Effect.sleep("2 minutes")
      fleet.store.weather = { ...fleet.store.weather, announcementLost: 0 }
    }),
  "store out of reach": (fleet) =>
    impairing(
      fleet,
      "everybody",
      "renewing",
      Effect.gen(function* () {
        fleet.referee.count("outages of the store")
        fleet.store.health = fleet.dice.pick(["refusing", "silent", "frozen", "full"])
        fleet.referee.note(`the store is ${fleet.store.health}`)
        yield* lasts(fleet, 2 * SECOND, fleet.dice.pick([20 * SECOND, 20 * MINUTE]))
        fleet.store.health = "well"
      })
    ),
  "commands lost and late": (fleet) =>
    impairing(
      fleet,
      "everybody",
      "renewing",
      Effect.gen(function* () {
        fleet.store.weather = { ...fleet.store.weather, requestLost: 0.2, answerLost: 0.2, late: 0.2 }
        if (fleet.dice.chance(0.5)) fleet.nomba.steal()
        yield* lasts(fleet, MINUTE, 30 * MINUTE)
        fleet.store.weather = calm
      })
    ),
  "a commit lost": commitMeets("request lost"),
  "a commit's answer lost": commitMeets("answer lost"),
  "a commit late": commitMeets("late"),
  "announcements lost and late": (fleet) =>
    Effect.gen(function* () {
      fleet.store.weather = { ...fleet.store.weather, announcementLost: 0.5, announcementLate: 0.5 }
      yield* lasts(fleet, 10 * MINUTE, 40 * MINUTE)
      fleet.store.weather = { ...fleet.store.weather, announcementLost: 0, announcementLate: 0 }
    }),
  "the store comes back empty": (fleet) =>
    Effect.gen(function* () {
      fleet.store.wipe()
      if (fleet.dice.chance(0.5)) fleet.nomba.steal()
      yield* Effect.timeoutOption(fleet.next("commit"), "27 minutes")
    }),
  "one instance without the store": (fleet) =>
    Effect.suspend(() => {
      const instance = anyone(fleet)
      const process = instance.process()
      return impairing(
        fleet,
        instance.number,
        "renewing",
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
      const isAdoptable = fleet.store.holds() === fleet.nomba.alive()
      if (isAdoptable && fleet.store.remaining() > 6 * MINUTE) yield* startTogether(fleet, 0)
      else {
        fleet.store.wipe()
        yield* startTogether(fleet, CALLS_PER_COLD_START)
      }
    }),
  "Nomba out of reach": nombaIs(({ dice }) => ({ health: dice.pick(["refusing", "failing", "silent"]) }), 10 * MINUTE),
  "Nomba slow": nombaIs(() => ({ slowest: 6 * SECOND }), 20 * MINUTE),
  "Nomba's answers lost": nombaIs(() => ({ answerLost: 0.4 }), 20 * MINUTE),
  "a clock set": (fleet) =>
    Effect.suspend(() => {
      const instance = anyone(fleet)
      return impairing(
        fleet,
        instance.number,
        "calling",
        Effect.sync(() => instance.setClock(fleet.dice.between(-10 * MINUTE, 10 * MINUTE)))
      )
    })
} satisfies Readonly<Record<string, Fault>>

export type FaultName = keyof typeof faults
