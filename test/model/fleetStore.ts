/** The server of a shared token store, which processes reach over a network with faults. */
import { Duration, Effect, Option, Queue, Redacted, Stream } from "effect"
import * as LeasedEntry from "../../src/layers/store/LeasedEntry.js"
import type { Connect, Owner, Reading, StoreDriver } from "../../src/layers/store/StoreDriver.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import type { StoredContent } from "../../src/schemas/Session.js"
import type { Process, Simulation } from "../support/simulator.js"
import { type Connection, type Dice, makeConnection, type Way } from "./fleetNetwork.js"

export type Step = "read" | "acquire" | "extend" | "setRefreshInFlight" | "commit" | "release"

/** A frozen server carries out later what it was told meanwhile. A full one has no memory left to write with. */
export type Health = "well" | "refusing" | "silent" | "frozen" | "full"

/** How often a command or an announcement meets each of these, from 0 to 1. */
export interface Weather {
  readonly requestLost: number
  readonly answerLost: number
  /** Carried out up to half a minute later, out of order. */
  readonly late: number
  readonly announcementLost: number
  readonly announcementLate: number
}

export const calm: Weather = { requestLost: 0, answerLost: 0, late: 0, announcementLost: 0, announcementLate: 0 }

/** What happens to one command. */
export type Fate = "request lost" | "answer lost" | "late"

export interface StoreServer {
  /** The steps of the store as one process reaches them: over one connection for commands and one for announcements. */
  readonly connectFor: (process: Process, reached: (step: Step) => void) => Connect
  health: Health
  weather: Weather
  /** Added to every way, in milliseconds. */
  latency: number
  /** How far its clock is ahead of the simulation, in milliseconds. */
  clockOffset: number
  /** The processes that cannot reach it. */
  readonly partitioned: Set<Process>
  /** The processes whose connection for announcements is half open: nothing arrives, and nobody notices. */
  readonly deaf: Set<Process>
  /** The processes that hold other encryption keys: they can read nothing that the others wrote. */
  readonly foreign: Set<Process>
  /** What happens to the next command of each step. */
  readonly fates: Map<Step, Fate>
  /** It comes back empty. */
  readonly wipe: () => void
  /** It comes back as it was before its last commit, without leases. Answers whether there was such a commit. */
  readonly goBack: () => boolean
  /** The access token that it holds and that can be adopted. */
  readonly holds: () => string | undefined
  /** What is left of it, in milliseconds. */
  readonly remaining: () => number
  readonly counts: { commands: number; timedOut: number; late: number; refusedCommits: number }
  /** How many sessions it was asked to hold and never held. */
  readonly unwritten: () => number
}

const COMMAND_TIMEOUT = 1_000
const unavailable = (detail: string) => new Unavailable({ operation: "store", reason: "Store", detail })
const timedOut = unavailable("ETIMEDOUT")
const refused = unavailable("ECONNREFUSED")
const full = unavailable("OOM")
const foreign = new Unavailable({ operation: "store", reason: "StoreCodec" })

/** The steps that need memory, as the scripts of Redis do. */
const writes: ReadonlySet<Step> = new Set(["acquire", "setRefreshInFlight", "commit"])

/** How long one way takes while nothing is wrong, in milliseconds. */
const QUICKEST = 0.2
const SLOWEST = 3

/** One write, and what was there before it. */
export interface Write {
  readonly version: number
  /** The highest version since the store was last emptied or went back. */
  readonly highest: number
  /** The highest version that the writer has been told of. */
  readonly seen: number
  readonly token: string | undefined
  readonly over: string | undefined
}

const tokenOf = (content: StoredContent | undefined): string | undefined =>
  content && Option.getOrUndefined(Option.map(content.session, ({ accessToken }) => Redacted.value(accessToken)))

type Entry = LeasedEntry.LeasedEntry<StoredContent>

/**
 * Calls `wrote` at each write. Calls `waited` if a process does not get the lease because an acquire whose caller gave up holds it,
 * with the milliseconds for which it has held it.
 */
export const makeStore = (
  simulation: Simulation,
  dice: Dice,
  wrote: (write: Write) => void,
  waited: (millis: number) => void = () => {}
): StoreServer => {
  const counts: StoreServer["counts"] = { commands: 0, timedOut: 0, late: 0, refusedCommits: 0 }
  const offered = new Set<string>()
  const written = new Set<string>()
  const subscribers = new Map<object, { readonly process: Process; readonly hear: (version: number) => void }>()
  let entry: Entry = LeasedEntry.empty
  let previous: Entry["content"]
  let highest = 0
  /** The lease that was given to an acquire after its caller had given up, and when. */
  let idle: { readonly owner: Owner; readonly since: number } | undefined
  let thawed: Array<() => void> = []
  let health: Health = "well"

  const now = () => simulation.now() + server.clockOffset

  const apply = <A>([answer, next]: LeasedEntry.Outcome<StoredContent, A>): A => {
    entry = next
    return answer
  }

  const reading = (): Reading => ({
    now: now(),
    isLeased: LeasedEntry.isLeased(entry, now()),
    failure: LeasedEntry.failureAt(entry, now()),
    entry: Option.map(Option.fromNullable(entry.content), (content) => ({
      ...content.value,
      version: content.version,
      refreshInFlight: content.refreshInFlight,
      remaining: LeasedEntry.left(content, now())
    }))
  })

  const isCut = (process: Process): boolean =>
    health === "silent" || health === "frozen" || server.partitioned.has(process)

  const oneWay = (): number => server.latency + dice.between(QUICKEST, SLOWEST)

  const announce = (version: number): void => {
    for (const [key, { hear, process }] of subscribers) {
      if (!process.isAlive()) subscribers.delete(key)
      else if (!isCut(process) && !server.deaf.has(process) && !dice.chance(server.weather.announcementLost)) {
        hear(version)
      }
    }
  }

  const weatherFor = (step: Step): Weather => {
    const fate = server.fates.get(step)
    if (fate === undefined) return server.weather
    server.fates.delete(step)
    const is = (_: Fate): number => (fate === _ ? 1 : 0)
    return { ...calm, requestLost: is("request lost"), answerLost: is("answer lost"), late: is("late") }
  }

  const command =
    (process: Process, connection: Connection, reached: (step: Step) => void) =>
    <A>(step: Step, serve: () => A): Effect.Effect<A, Unavailable> =>
      Effect.async((resume) => {
        counts.commands += 1
        reached(step)
        if (health === "refusing") return resume(refused)
        if (health === "full" && writes.has(step)) {
          return simulation.after(2 * oneWay(), () => process.deliver(() => resume(full)))
        }
        const { answerLost, late, requestLost } = weatherFor(step)
        const isLate = dice.chance(late)
        if (isLate) counts.late += 1
        const there: Way =
          health === "silent" || server.partitioned.has(process) || dice.chance(requestLost)
            ? "lost"
            : isLate
              ? dice.between(1_000, 30_000)
              : oneWay()
        const back = (): Way => (isCut(process) || dice.chance(answerLost) ? "lost" : oneWay())
        let isAnswered = false
        const answered = (answer: A): void => {
          isAnswered = true
          resume(Effect.succeed(answer))
        }
        if (health === "frozen") thawed.push(() => connection.exchange({ there: 0, serve, back }, answered))
        else connection.exchange({ there, serve, back, isOrdered: !isLate }, answered)
        simulation.after(COMMAND_TIMEOUT, () =>
          process.deliver(() => {
            if (isAnswered) return
            counts.timedOut += 1
            resume(timedOut)
          })
        )
      })

  const driverFor = (
    process: Process,
    connections: { readonly commands: Connection; readonly announcements: Connection },
    reached: (step: Step) => void,
    leaseTime: Duration.Duration
  ): StoreDriver => {
    const run = command(process, connections.commands, reached)
    let seen = 0
    /** If the store's clock was moved after its last answer, a process cannot say how late its acquire may be. */
    let offsetSeen = Number.NaN
    const isReadable = () => !server.foreign.has(process)
    const look = <A extends Reading>(step: Effect.Effect<A, Unavailable>): Effect.Effect<A, Unavailable> =>
      Effect.flatMap(step, (read) => {
        offsetSeen = server.clockOffset
        if (!isReadable() && Option.isSome(read.entry)) return foreign
        seen = Math.max(seen, Option.match(read.entry, { onNone: () => 0, onSome: (_) => _.version }))
        return Effect.succeed(read)
      })
    const extend = (owner: Owner) => LeasedEntry.extend(entry, owner, now(), leaseTime)
    return {
      leaseTime,
      acquireTimeout: Duration.millis(COMMAND_TIMEOUT),
      read: look(run("read", reading)),
      acquire: (owner, options) =>
        Effect.suspend(() => {
          const givenUpAt = simulation.now() + COMMAND_TIMEOUT
          return look(
            run("acquire", () => {
              const held = apply(LeasedEntry.acquire(entry, owner, options, now(), leaseTime))
              const isClockKnown = server.clockOffset === offsetSeen
              if (held && isClockKnown && simulation.now() > givenUpAt) idle = { owner, since: simulation.now() }
              if (!held && idle !== undefined && entry.lease?.owner === idle.owner)
                waited(simulation.now() - idle.since)
              return { held, ...reading() }
            })
          )
        }),
      extend: (owner) => run("extend", () => apply(extend(owner))),
      setRefreshInFlight: (owner, inFlight) =>
        run("setRefreshInFlight", () =>
          apply(LeasedEntry.setRefreshInFlight(entry, owner, inFlight, now(), leaseTime))
        ),
      commit: (owner, expectedVersion, { session, tombstone, ...write }) =>
        Effect.suspend(() => {
          const token = tokenOf({ session, tombstone })
          if (token !== undefined) offered.add(token)
          return run("commit", () => {
            const before = entry.content
            const isWritten = apply(
              LeasedEntry.commit(entry, owner, expectedVersion, { ...write, value: { session, tombstone } }, now())
            )
            if (!isWritten) counts.refusedCommits += 1
            else {
              wrote({ version: write.version, highest, seen, token, over: tokenOf(before?.value) })
              if (token !== undefined) written.add(token)
              highest = Math.max(highest, write.version)
              previous = before
              announce(write.version)
            }
            return isWritten
          })
        }),
      release: (owner, outcome) =>
        Effect.ignore(
          run("release", () => {
            if (apply(LeasedEntry.release(entry, owner, outcome, now()))) announce(entry.content?.version ?? 0)
          })
        ),
      changes: Effect.gen(function* () {
        const heard = yield* Queue.sliding<number>(16)
        const key = {}
        const hear = (version: number): void => {
          const isLate = dice.chance(server.weather.announcementLate)
          connections.announcements.push(isLate ? dice.between(1_000, 30_000) : oneWay(), () =>
            Queue.unsafeOffer(heard, version)
          )
        }
        const send = (serve: () => void): Effect.Effect<void> =>
          Effect.sync(() =>
            connections.announcements.exchange({ there: oneWay(), serve, back: () => "lost" }, () => {})
          )
        yield* Effect.acquireRelease(
          send(() => {
            subscribers.set(key, { process, hear })
            if (!isCut(process)) hear(entry.content?.version ?? 0)
          }),
          () => send(() => subscribers.delete(key))
        )
        return Stream.fromQueue(heard)
      }),
      close: Effect.succeed(false)
    }
  }

  const server: StoreServer = {
    connectFor: (process, reached) => {
      const connections = {
        commands: makeConnection(simulation, process),
        announcements: makeConnection(simulation, process)
      }
      return (_, leaseTime) => Effect.sync(() => driverFor(process, connections, reached, leaseTime))
    },
    get health() {
      return health
    },
    set health(next) {
      health = next
      if (next === "frozen") return
      for (const execute of thawed) execute()
      thawed = []
    },
    weather: calm,
    latency: 0,
    clockOffset: 0,
    partitioned: new Set(),
    deaf: new Set(),
    foreign: new Set(),
    fates: new Map(),
    remaining: () => (entry.content === undefined ? 0 : Duration.toMillis(LeasedEntry.left(entry.content, now()))),
    wipe: () => {
      entry = LeasedEntry.empty
      previous = undefined
      highest = 0
    },
    goBack: () => {
      if (previous === undefined) return false
      entry = { ...LeasedEntry.empty, content: previous }
      highest = previous.version
      previous = undefined
      return true
    },
    unwritten: () => offered.size - written.size,
    holds: () => {
      const { content } = entry
      return content === undefined || content.value.tombstone || Option.isSome(content.refreshInFlight)
        ? undefined
        : tokenOf(content.value)
    },
    counts
  }
  return server
}
