/** The connection of one process to Redis breaks at each of its commands in turn. */
import { Effect, Exit, Fiber, type Scope } from "effect"
import { CALLS_PER_COLD_START, CALLS_PER_LOST_HOLDER } from "../../support/bounds.js"
import { type Breakpoint, type Proxy, proxyTo } from "../../support/proxy.js"
import { commandsIn } from "../../support/redisCommands.js"
import { agree, type Row, type Scene, scene, until } from "../Row.js"
import type { RealSetting, RealStage } from "../realStage.js"
import type { Worker } from "../Stage.js"

type Step<A = void> = Effect.Effect<A, Error, Scope.Scope>

/** What a process does while its connection breaks, and the checks after it. */
interface Course {
  readonly act: Step
  readonly afterwards: (when: string) => Step
}

interface Phase {
  readonly name: string
  /**
   * The commands that it sends each time, on both of its connections. A process also reads when it hears of a version, which
   * happens any number of times, so such reads are not counted.
   */
  readonly commands: ReadonlyArray<string>
  readonly short: boolean
  /** The most token requests each time. */
  readonly most: number
  /** Whether the same processes can do it repeatedly. */
  readonly isRepeatable: boolean
  /** The process that connects to Redis through the proxy is the one whose connection breaks. */
  readonly prepare: (set: Scene<RealSetting>, wire: Proxy) => Step<Course>
}

const UNDISTURBED = "undisturbed"

/** Commands that a process may send in any phase, when it connects or hears of a version. */
const BESIDE: ReadonlyArray<string> = ["info", "subscribe", "version", "read"]

/** No process holds the lease, and the live session is in the store. */
const comesToRest = (set: Scene<RealSetting>, when: string): Step => {
  const isAtRest = Effect.gen(function* () {
    const keys = (yield* set.redis.call("KEYS", "nomba-auth:*")) as ReadonlyArray<string>
    const [entry] = keys
    if (entry === undefined || keys.length > 1) return false
    const live = yield* set.upstream.liveToken
    return live !== undefined && String(yield* set.redis.call("HGET", entry, "text")).includes(live)
  })
  return Effect.map(until(isAtRest), (is) => set.must(is, `${when}, the store is not at rest`))
}

/** Two processes that share a session; the connection of the first breaks. */
const running = (set: Scene<RealSetting>, { port }: Proxy): Step<readonly [first: Worker, second: Worker]> =>
  Effect.gen(function* () {
    const both = yield* Effect.all([set.one({ redis: port }), set.one()])
    yield* agree(set, both, "before")
    yield* comesToRest(set, "before")
    return both
  })

/** It may fail, but only with a typed error. */
const mayFail = <A>(set: Scene<RealSetting>, act: Effect.Effect<A, Error>, what: string): Effect.Effect<boolean> =>
  Effect.map(Effect.exit(act), (exit) => {
    const isTyped = Exit.isSuccess(exit) || String(exit.cause).includes("Unavailable")
    set.must(isTyped, `${what} failed with ${exit}`)
    return Exit.isSuccess(exit)
  })

const coldStart: Phase = {
  name: "a start with an empty store",
  commands: [
    ...["info", "info", "subscribe", "subscribe", "version"],
    ...["read", "acquire", "extend", "commit", "release"]
  ],
  short: false,
  most: CALLS_PER_COLD_START,
  isRepeatable: false,
  prepare: (set, { port }) =>
    Effect.sync(() => {
      let first: Worker | undefined
      return {
        act: Effect.gen(function* () {
          first = yield* set.one({ redis: port })
          yield* mayFail(set, first.get, "a start")
        }),
        afterwards: (when) =>
          Effect.flatMap(set.one(), (second) => agree(set, first === undefined ? [second] : [first, second], when))
      }
    })
}

const renewal: Phase = {
  name: "a renewal",
  commands: ["read", "acquire", "extend", "commit", "release"],
  short: true,
  most: CALLS_PER_LOST_HOLDER,
  isRepeatable: true,
  prepare: (set, wire) =>
    Effect.gen(function* () {
      const [first, second] = yield* running(set, wire)
      return {
        act: mayFail(set, first.outlive, "a renewal"),
        afterwards: (when) =>
          Effect.gen(function* () {
            yield* agree(set, [first, second], when)
            const { refreshed } = yield* set.upstream.counts
            set.must(when !== UNDISTURBED || refreshed === 1, `${when}, the session was not refreshed`)
          })
      }
    })
}

const logout: Phase = {
  name: "a logout",
  commands: ["acquire", "extend", "commit", "release"],
  short: false,
  most: CALLS_PER_COLD_START,
  isRepeatable: true,
  prepare: (set, wire) =>
    Effect.gen(function* () {
      const [first, second] = yield* running(set, wire)
      const { counts, liveToken } = set.upstream
      let old = yield* liveToken
      let { revoked } = yield* counts
      return {
        act: Effect.gen(function* () {
          old = yield* liveToken
          revoked = (yield* counts).revoked
          const isDone = yield* mayFail(set, first.logout, "a logout")
          if (!isDone) yield* mayFail(set, first.logout, "a second logout")
        }),
        afterwards: (when) =>
          Effect.gen(function* () {
            set.must((yield* counts).revoked === revoked + 1, `${when}, the session was not revoked`)
            yield* agree(set, [first, second], when)
            set.must((yield* liveToken) !== old, `${when}, the session is the old one`)
          })
      }
    })
}

/** The commit fails because Redis is out of memory, and is repeated when Redis has memory and is reachable again. */
const save: Phase = {
  name: "a repeated commit",
  commands: ["acquire", "commit", "release"],
  short: false,
  most: 0,
  isRepeatable: false,
  prepare: (set, wire) =>
    Effect.gen(function* () {
      const first = yield* set.one({ redis: wire.port, waitAt: "before the commit" })
      const start = yield* Effect.fork(first.get)
      yield* first.arrived
      yield* set.store.fill
      yield* first.goOn
      yield* Fiber.join(start)
      // From now on either all of an attempt is heard or nothing of it.
      yield* wire.disconnect
      yield* set.store.makeRoom
      const isWritten = Effect.map(set.redis.call("KEYS", "nomba-auth:*}"), (keys) => `${keys}` !== "")
      return {
        act: Effect.gen(function* () {
          yield* wire.reconnect
          set.must(yield* until(isWritten), "the session was never written")
        }),
        afterwards: (when) => Effect.flatMap(set.one(), (second) => agree(set, [first, second], when))
      }
    })
}

/** The commands that were not heard. */
const without = (commands: ReadonlyArray<string>, heard: ReadonlyArray<string>): ReadonlyArray<string> => {
  const left = [...heard]
  return commands.filter((command) => {
    const index = left.indexOf(command)
    if (index >= 0) left.splice(index, 1)
    return index < 0
  })
}

interface Played {
  readonly isReached: boolean
  readonly calls: number
  readonly broken: ReadonlyArray<string>
}

type Play = (place?: Breakpoint) => Step<Played>

/** Undisturbed if no place is given. */
const playing = (stage: RealStage, { commands, most, prepare }: Phase): Step<Play> =>
  Effect.gen(function* () {
    const set = yield* scene(stage)
    const wire = yield* proxyTo(set.redis.port, commandsIn)
    const { act, afterwards } = yield* prepare(set, wire)
    let told = 0
    return (place) =>
      Effect.gen(function* () {
        const when =
          place === undefined ? UNDISTURBED : `after the ${place.what} of ${place.request} ${place.nth} was lost`
        const before = yield* set.upstream.tokenCalls
        yield* wire.listen(place)
        yield* act
        const isReached = yield* until(
          Effect.sync(() => (place === undefined ? without(commands, wire.heard()).length === 0 : wire.hasBroken()))
        )
        const heard = wire.heard()
        set.must(isReached, `${when}, not all commands were sent: ${heard.join(", ")}`)
        const unknown = heard.filter((_) => !commands.includes(_) && !BESIDE.includes(_))
        set.must(unknown.length === 0, `${when}, it sent unexpected commands: ${unknown.join(", ")}`)
        yield* wire.listen()
        yield* afterwards(when)
        yield* comesToRest(set, when)
        const calls = (yield* set.upstream.tokenCalls) - before
        set.must(calls <= most, `${when}, ${calls} token requests, at most ${most} were due`)
        const { broken } = yield* set.end(2, "")
        const found = broken.slice(told)
        told = broken.length
        return { isReached, calls, broken: found }
      })
  })

const placesOf = (commands: ReadonlyArray<string>): ReadonlyArray<Breakpoint> =>
  commands.flatMap((request, index) => {
    const nth = commands.slice(0, index + 1).filter((_) => _ === request).length
    return [
      { request, nth, what: "request" },
      { request, nth, what: "answer" }
    ] as const
  })

const disconnectAtEveryCommand = (phase: Phase): Row<RealSetting> => ({
  name: `connection to Redis lost at each command of ${phase.name} in turn`,
  short: phase.short,
  run: (stage) =>
    Effect.gen(function* () {
      const again = yield* playing(stage, phase)
      const anew: Play = (place) => Effect.scoped(Effect.flatMap(playing(stage, phase), (play) => play(place)))
      const undisturbed = yield* again()
      const { commands } = phase
      const places = placesOf(commands)
      const plays = yield* phase.isRepeatable
        ? Effect.forEach(places, again)
        : Effect.forEach(places, anew, { concurrency: 2 })
      const reached = plays.filter((_) => _.isReached).length
      const costliest = Math.max(...plays.map((_) => _.calls))
      return {
        processes: 2,
        tokenCalls: plays.reduce((total, { calls }) => total + calls, 0),
        cost: undefined,
        figures: `${commands.length} commands (${commands.join(", ")}), each lost before and after Redis processed it: ${reached} of ${places.length} places reached; at most ${costliest} token requests each (allowed: ${phase.most}), one session each time`,
        broken: [undisturbed, ...plays].flatMap(({ broken }) => broken)
      }
    })
})

export const disconnects: ReadonlyArray<Row<RealSetting>> = [coldStart, renewal, logout, save].map(
  disconnectAtEveryCommand
)
