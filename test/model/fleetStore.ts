/** A store on a server of its own, which a network with faults lies before. */
import { Duration, Effect, Option, Queue, Redacted, Stream } from "effect"
import type { Connect, Entry, Next, StoreDriver } from "../../src/layers/store/StoreDriver.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import type { Process, Simulation } from "../support/simulator.js"
import { type Dice, exchange, type Way } from "./fleetNetwork.js"

type Step = "read" | "acquire" | "extend" | "mark" | "commit" | "release"

/** How the server is. Frozen, it does later what it was told meanwhile; full, it has no memory left to write with. */
export type Health = "well" | "refusing" | "silent" | "frozen" | "full"

/** How often a command or an announcement meets each of these, from 0 to 1. */
export interface Weather {
  readonly requestLost: number
  readonly answerLost: number
  /** Done up to half a minute later. */
  readonly late: number
  readonly announcementLost: number
  readonly announcementLate: number
}

export const calm: Weather = { requestLost: 0, answerLost: 0, late: 0, announcementLost: 0, announcementLate: 0 }

export interface StoreServer {
  /** The steps of the store as one process reaches them. */
  readonly connectFor: (process: Process, reached: (step: Step) => void) => Connect
  health: Health
  weather: Weather
  /** How late everything is beside that, each way, in milliseconds. */
  latency: number
  /** The processes that do not reach it. */
  readonly partitioned: Set<Process>
  /** What becomes of the next commit. */
  nextCommit: "request lost" | "answer lost" | "late" | undefined
  /** It comes back empty. */
  readonly wipe: () => void
  /** The access token that it holds and that can be adopted. */
  readonly holds: () => string | undefined
  /** What is left of it, in milliseconds. */
  readonly remaining: () => number
  readonly counts: { commands: number; timedOut: number; late: number; refusedCommits: number }
  /** How many sessions it was asked to hold and never held. */
  readonly unwritten: () => number
}

interface Content extends Next {
  readonly version: number
  readonly marked: boolean
  readonly until: number
}

const COMMAND_TIMEOUT = 1_000
const unavailable = (detail: string) => new Unavailable({ operation: "store", reason: "Store", detail })
const timedOut = unavailable("ETIMEDOUT")
const refused = unavailable("ECONNREFUSED")
const full = unavailable("OOM")

/** What needs memory, as the scripts of Redis do. */
const writes: ReadonlySet<Step> = new Set(["acquire", "mark", "commit"])

/** How long one way takes where nothing is wrong, in milliseconds. */
const QUICKEST = 0.2
const SLOWEST = 3

/** What a write puts in the place of what, and the highest version that there ever was before it. */
export interface Write {
  readonly version: number
  readonly highest: number
  readonly token: string | undefined
  readonly over: string | undefined
}

const tokenOf = (content: Pick<Content, "session"> | undefined): string | undefined =>
  content && Option.getOrUndefined(Option.map(content.session, ({ accessToken }) => Redacted.value(accessToken)))

/** `wrote` hears of each write. */
export const makeStore = (simulation: Simulation, dice: Dice, wrote: (write: Write) => void): StoreServer => {
  const counts: StoreServer["counts"] = { commands: 0, timedOut: 0, late: 0, refusedCommits: 0 }
  const offered = new Set<string>()
  const written = new Set<string>()
  const subscribers = new Map<Process, (version: number) => void>()
  let content: Content | undefined
  let lease: { readonly owner: string; readonly until: number } | undefined
  let highest = 0
  let thawed: Array<() => void> = []
  let health: Health = "well"

  const now = simulation.now
  const isHeldBy = (owner: string): boolean => lease !== undefined && lease.owner === owner && now() < lease.until
  const entry = (): Option.Option<Entry> =>
    Option.map(Option.fromNullable(content), ({ until, ...rest }) => ({
      ...rest,
      remaining: Duration.millis(Math.max(0, until - now()))
    }))

  const isCut = (process: Process): boolean =>
    health === "silent" || health === "frozen" || server.partitioned.has(process)

  const oneWay = (): number => server.latency + dice.between(QUICKEST, SLOWEST)

  const announce = (version: number): void => {
    for (const [process, hear] of subscribers) {
      if (!process.isAlive()) subscribers.delete(process)
      else if (!isCut(process) && !dice.chance(server.weather.announcementLost)) {
        const latency = dice.chance(server.weather.announcementLate) ? dice.between(1_000, 30_000) : oneWay()
        simulation.after(latency, () => process.deliver(() => hear(version)))
      }
    }
  }

  const weatherFor = (step: Step): Weather => {
    const fate = step === "commit" ? server.nextCommit : undefined
    if (fate === undefined) return server.weather
    server.nextCommit = undefined
    const is = (_: typeof fate): number => (fate === _ ? 1 : 0)
    return { ...calm, requestLost: is("request lost"), answerLost: is("answer lost"), late: is("late") }
  }

  const command =
    (process: Process, reached: (step: Step) => void) =>
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
        if (health === "frozen") {
          thawed.push(() => exchange(simulation, process, { there: dice.between(0, 3), serve, back }, answered))
        } else exchange(simulation, process, { there, serve, back }, answered)
        simulation.after(COMMAND_TIMEOUT, () =>
          process.deliver(() => {
            if (isAnswered) return
            counts.timedOut += 1
            resume(timedOut)
          })
        )
      })

  const driverFor = (process: Process, reached: (step: Step) => void, leaseTime: Duration.Duration) =>
    Effect.gen(function* () {
      const run = command(process, reached)
      const heard = yield* Queue.sliding<number>(16)
      subscribers.set(process, (version) => Queue.unsafeOffer(heard, version))
      const extend = (owner: string): boolean => {
        const ours = isHeldBy(owner)
        if (ours) lease = { owner, until: now() + Duration.toMillis(leaseTime) }
        return ours
      }
      const driver: StoreDriver = {
        leaseTime,
        read: run("read", entry),
        acquire: (owner) =>
          run("acquire", () => {
            if (lease === undefined || now() >= lease.until || lease.owner === owner) {
              lease = { owner, until: now() + Duration.toMillis(leaseTime) }
            }
            return { held: isHeldBy(owner), entry: entry() }
          }),
        extend: (owner) => run("extend", () => extend(owner)),
        mark: (owner, marked) =>
          run("mark", () => {
            const ours = extend(owner)
            if (ours && content !== undefined) content = { ...content, marked }
            return ours
          }),
        commit: (owner, basis, next) =>
          Effect.suspend(() => {
            const until = now() + Duration.toMillis(next.remaining)
            const token = tokenOf(next)
            if (token !== undefined) offered.add(token)
            return run("commit", () => {
              const previous = content?.version ?? 0
              if (!isHeldBy(owner) || previous !== basis) {
                counts.refusedCommits += 1
                return Option.none()
              }
              const version = Math.max(previous + 1, Math.floor(now()))
              wrote({ version, highest, token, over: tokenOf(content) })
              if (token !== undefined) written.add(token)
              highest = Math.max(highest, version)
              content = { ...next, version, marked: false, until }
              announce(version)
              return Option.some(version)
            })
          }),
        release: (owner) =>
          Effect.ignore(
            run("release", () => {
              if (lease?.owner !== owner) return
              lease = undefined
              announce(content?.version ?? 0)
            })
          ),
        changes: Effect.succeed(Stream.fromQueue(heard)),
        leave: Effect.succeed(false)
      }
      return driver
    })

  const server: StoreServer = {
    connectFor: (process, reached) => (_, leaseTime) => driverFor(process, reached, leaseTime),
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
    partitioned: new Set(),
    nextCommit: undefined,
    remaining: () => (content === undefined ? 0 : Math.max(0, content.until - now())),
    wipe: () => {
      content = undefined
      lease = undefined
    },
    unwritten: () => offered.size - written.size,
    holds: () => (content?.tombstone || content?.marked ? undefined : tokenOf(content)),
    counts
  }
  return server
}
