/**
 * A fleet of processes that share one session through one store, in simulated time, with faults drawn from a seed.
 *
 * Whatever happens, the store's version and its session do not go back, and no refresh token is sent twice. A caller gets a 401
 * only if another login came between the renewal and the replay, or if its process could not renew. After each fault all
 * processes hold the live session again, with no more token requests than real processes may need.
 */
import { Effect, Utils } from "effect"
import { makeSimulation } from "../support/simulator.js"
import { beginBill } from "./fleetBill.js"
import { coldStart, type FaultName, type Fleet, faults } from "./fleetFaults.js"
import { type Instance, makeInstance, type Point, type Surroundings } from "./fleetInstance.js"
import { makeDice } from "./fleetNetwork.js"
import { grantedBefore, makeNomba } from "./fleetNomba.js"
import { makeReferee } from "./fleetReferee.js"
import type { Report } from "./fleetReport.js"
import { makeStore, type Write } from "./fleetStore.js"

export interface Volume {
  readonly instances: number
  readonly hours: number
  readonly seed: number
  /** The faults to choose from. Default: all. */
  readonly only?: ReadonlyArray<FaultName> | undefined
  /** Heard after each simulated hour. */
  readonly progress?: (hour: number) => void
}

/** The volume of `npm test`. */
export const QUICK_FLEET = { instances: 8, hours: 4 }

/** Everybody makes a request within a minute, and a failed renewal is repeated within half a minute. */
const CONVERGENCE_LIMIT = 3 * 60_000

/** What Nomba may have asked the fleet to wait when a fault ends. */
const stated: Readonly<Partial<Record<FaultName, number>>> = {
  "token requests fail with Retry-After": 2 * 60_000,
  "one POST a minute": 60_000
}

/** How long after its expiry a token may still arrive at Nomba: a request takes its time, and tokens end 10 s early. */
const EXPIRY_BOUND = 1_000

/** How long an acquire that its caller gave up may keep other processes from the lease. */
const IDLE_LEASE_BOUND = 1_000

/** Their checks expect that nothing else is wrong. */
const alone: ReadonlySet<FaultName> = new Set(["all killed", "the answer to setRefreshInFlight lost"])

/**
 * The platform's client hangs a finalizer on each response, which only a turn of the event loop runs: without one, every
 * request of the whole simulation would stay in memory.
 */
const collected = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const simulateFleet = async ({ hours, instances: size, only, progress, seed }: Volume): Promise<Report> => {
  const simulation = makeSimulation(1_760_000_000_000)
  const referee = makeReferee(simulation)
  const dice = makeDice(new Utils.PCGRandom(seed))
  const nomba = makeNomba(simulation, dice, {
    skew: dice.between(-600_000, 600_000),
    reuseEndsSession: dice.chance(0.5)
  })
  const wrote = ({ highest, over, seen, token, version }: Write): void => {
    if (version <= highest) referee.blame(`the store's version went from ${highest} to ${version}`)
    if (version <= seen) referee.blame(`version ${version} was written by a process that had seen ${seen}`)
    if (token !== undefined && over !== undefined && grantedBefore(token, over)) {
      referee.blame(`${token} was written over the newer ${over}`)
    }
  }
  const waited = (millis: number): void => {
    referee.measure("a lease that no process holds kept another waiting", millis)
    if (millis > IDLE_LEASE_BOUND)
      referee.blame(`a process has waited ${Math.round(millis)} ms for a lease that no process holds`)
  }
  const store = makeStore(simulation, dice, wrote, waited)
  const caller: Fleet["caller"] = { rejected: undefined }
  let largestOffset = 0
  const waiting = new Set<{ readonly point: Point; readonly arrive: (instance: Instance) => void }>()
  const surroundings: Surroundings = {
    simulation,
    dice,
    nomba,
    store,
    referee,
    // A store whose clock was set back tells a process that joins of more time than is left.
    expiryBound: () => EXPIRY_BOUND + 2 * largestOffset,
    rejectedRoute: (instance) => (caller.rejected === instance ? `/v1/transfers/${dice.between(1, 1e9)}` : undefined),
    reached: (instance, point) => {
      if (point !== "read" && point !== "extend" && point !== "acquire")
        referee.note(`instance ${instance.number}: ${point}`)
      for (const one of waiting) {
        if (one.point !== point) continue
        waiting.delete(one)
        one.arrive(instance)
      }
    }
  }
  const fleet: Fleet = {
    ...surroundings,
    caller,
    instances: Array.from({ length: size }, (_, number) => makeInstance(number, surroundings)),
    next: (point) =>
      Effect.async((resume) => {
        const one = { point, arrive: (instance: Instance) => resume(Effect.succeed(instance)) }
        waiting.add(one)
        return Effect.sync(() => waiting.delete(one))
      })
  }
  const convergences: Record<string, Array<number>> = {}

  const isConverged = (): boolean =>
    nomba.liveToken() !== undefined &&
    store.holds() === nomba.liveToken() &&
    fleet.instances.every((instance) => instance.holds() === nomba.liveToken())

  const converge = (after: string, wait = 0): Effect.Effect<void> =>
    Effect.gen(function* () {
      const since = simulation.now()
      while (!isConverged()) {
        if (simulation.now() - since > CONVERGENCE_LIMIT + wait) {
          const astray = fleet.instances.filter((instance) => instance.holds() !== nomba.liveToken())
          const where = astray.map(({ holds, number }) => `${number} holds ${holds()}`).join(", ")
          return referee.blame(
            `no convergence after ${after}: the live token is ${nomba.liveToken()}, the store holds ${store.holds()}; ${where}`
          )
        }
        yield* Effect.sleep("250 millis")
      }
      convergences[after] = [...(convergences[after] ?? []), simulation.now() - since]
    })

  const inject = (name: FaultName): Effect.Effect<void> =>
    Effect.suspend(() => {
      referee.note(`fault: ${name}`)
      if (name === "the store's clock moves") largestOffset = 600_000
      return Effect.andThen(faults[name](fleet), () => referee.note(`end of: ${name}`))
    })

  /** Holds what the fleet does meanwhile to the token calls that are due. */
  const billed = (injected: ReadonlyArray<FaultName>, during: Effect.Effect<void>): Effect.Effect<void> =>
    Effect.suspend(() => {
      const excess = beginBill(nomba, store, simulation.now)
      return Effect.andThen(during, () => {
        const problem = excess(injected)
        if (problem !== undefined) referee.blame(`${injected.join(" and ") || "nothing"}: ${problem}`)
      })
    })

  const campaign = Effect.gen(function* () {
    yield* coldStart(fleet)
    yield* converge("cold start")
    const known = only ?? (Object.keys(faults) as Array<FaultName>)
    while (true) {
      yield* billed([], Effect.sleep(dice.between(60_000, 5 * 60_000)))
      const name = dice.pick(known)
      const other = dice.pick(known)
      if (dice.chance(0.75) || name === other || alone.has(name) || alone.has(other)) {
        yield* billed([name], Effect.zipRight(inject(name), converge(name, stated[name])))
      } else {
        const second = Effect.delay(inject(other), dice.between(0, 30_000))
        const both = Effect.all([inject(name), second], { concurrency: 2 })
        yield* billed(
          [name, other],
          Effect.zipRight(both, converge("two at once", Math.max(stated[name] ?? 0, stated[other] ?? 0)))
        )
      }
    }
  })

  const running = simulation.fork(campaign)
  running.addObserver((exit) => referee.blame(`the campaign ended: ${exit}`))
  for (let hour = 1; hour <= hours && referee.broken.length === 0; hour++) {
    simulation.pass("1 hour")
    await collected()
    progress?.(hour)
  }

  const { issued, refreshed, revoked } = nomba.sandbox()
  if (nomba.counts.reused > 0) referee.blame(`${nomba.counts.reused} refresh tokens were sent twice`)
  return {
    instances: size,
    hours,
    seed,
    counts: {
      ...referee.counts,
      "sessions issued": issued,
      "sessions refreshed": refreshed,
      "sessions revoked": revoked,
      otherLogins: nomba.counts.otherLogins,
      "requests for a resource": nomba.counts.calls,
      "401s from Nomba": nomba.counts.rejected,
      "store commands": store.counts.commands,
      "store commands timed out": store.counts.timedOut,
      "store commands late": store.counts.late,
      "commits refused": store.counts.refusedCommits
    },
    longest: referee.longest,
    convergences,
    broken: referee.broken,
    notes: referee.notes
  }
}
