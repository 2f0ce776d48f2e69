/** The controls of a sandbox, the same in code and over HTTP. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as DurationInput from "../config/DurationInput.js"
import * as Fault from "../config/Fault.js"
import { faultTargetIssue } from "../config/operations.js"
import { checkResource } from "../config/Resource.js"
import { SandboxError } from "../config/SandboxError.js"
import { SwitchesPatch } from "../config/Switches.js"
import { validationMessages } from "../config/validationMessages.js"
import type { EmulatorService } from "../state/Emulator.js"
import * as FaultQueue from "../state/FaultQueue.js"
import * as SandboxState from "../state/SandboxState.js"
import * as Sessions from "../state/Sessions.js"
import type { LiveSession, SandboxService } from "./SandboxService.js"
import * as Views from "./Views.js"

export type Controls = Omit<SandboxService, "url" | "client">

const live = (session: Sessions.Session): LiveSession => ({
  clientId: session.clientId,
  accessToken: session.accessToken,
  refreshToken: session.refreshToken,
  issuedAt: DateTime.unsafeMake(session.issuedAt),
  expiresAt: DateTime.unsafeMake(session.expiresAt),
  refreshExpiresAt: DateTime.unsafeMake(session.refreshExpiresAt)
})

const decodePatch = Schema.decodeUnknownEither(SwitchesPatch, { errors: "all", onExcessProperty: "error" })

const failing = (reason: SandboxError["reason"], ...issues: ReadonlyArray<string>): SandboxError =>
  new SandboxError({ reason, issues })

/** How often a view is sent at most. */
const interval = Schedule.spaced("100 millis")

export const make = (emulator: EmulatorService): Controls => {
  const { now, state, transition } = emulator
  const first = Array.from(emulator.settings.clients.keys())[0] ?? ""

  const known = (clientId: string): Effect.Effect<string, SandboxError> =>
    emulator.settings.clients.has(clientId)
      ? Effect.succeed(clientId)
      : Effect.fail(failing("Client", "clientId: is not known to this sandbox"))

  const onSessions = (
    clientId: string,
    change: (clientId: string, now: number) => SandboxState.Transition<number>
  ): Effect.Effect<void, SandboxError> =>
    Effect.gen(function* () {
      const changed = yield* transition(change(yield* known(clientId), yield* now))
      if (changed === 0) return yield* failing("Session", "clientId: has no session")
    })

  const configure: Controls["configure"] = (switches) =>
    Either.match(decodePatch(switches), {
      onLeft: ({ issue }) => Effect.fail(failing("Options", ...validationMessages(issue, "switches"))),
      onRight: (patch) => transition(SandboxState.configure(patch))
    })

  const moved = (offset: number, name: string): Effect.Effect<DateTime.Utc, SandboxError> =>
    configure({ clockOffset: offset }).pipe(
      Effect.mapError(() => failing("Clock", `${name}: must stay within ten years of the machine's clock`)),
      Effect.zipRight(time)
    )

  const time = Effect.map(now, (millis) => DateTime.unsafeMake(millis))

  return {
    counts: Effect.map(state, ({ counts }) => counts),
    session: (clientId = first) =>
      Effect.map(state, ({ sessions }) =>
        Option.map(Option.fromNullable(Sessions.ofClient(sessions, clientId).at(-1)), live)
      ),
    sessions: Effect.map(state, ({ sessions }) => Sessions.all(sessions).map(live)),
    view: Effect.flatMap(state, (state) => Views.stateView(emulator, state)),
    views: Stream.repeatEffectWithSchedule(state, interval).pipe(
      Stream.changesWith((before, after) => before === after),
      Stream.mapEffect((state) => Views.stateView(emulator, state))
    ),
    now: time,
    advance: (duration) =>
      Option.match(DurationInput.read(duration), {
        onNone: () => Effect.fail(failing("Clock", "advance: must be a duration")),
        onSome: (ahead) =>
          Effect.flatMap(emulator.switches, ({ clockOffset }) =>
            moved(clockOffset + Duration.toMillis(ahead), "advance")
          )
      }),
    setTime: (at) =>
      Effect.flatMap(Clock.currentTimeMillis, (machine) =>
        moved(
          Option.match(DateTime.make(at), {
            onNone: () => Number.NaN,
            onSome: ({ epochMillis }) => epochMillis - machine
          }),
          "set"
        )
      ),
    switches: emulator.switches,
    configure,
    reset: emulator.reset,
    steal: (clientId = first) =>
      Effect.gen(function* () {
        const client = yield* known(clientId)
        const newTokens = yield* emulator.newTokens
        return live(yield* transition(SandboxState.steal(newTokens(client))))
      }),
    expire: (token, clientId = first) => onSessions(clientId, (client, at) => SandboxState.expire(client, token, at)),
    revoke: (clientId = first) => onSessions(clientId, SandboxState.revokeAll),
    fault: (target, fault) =>
      Effect.gen(function* () {
        const problem = faultTargetIssue(target)
        if (problem !== undefined) return yield* failing("Fault", `target: ${problem}`)
        const checked = yield* Fault.check(fault)
        const added = yield* transition(SandboxState.addFault(target, checked, yield* now))
        if (!added)
          return yield* failing(
            "Fault",
            `faults: must be at most ${FaultQueue.limit} for a target, and as many targets`
          )
      }),
    clearFaults: transition(SandboxState.clearFaults),
    respond: (resource) =>
      Effect.gen(function* () {
        const added = yield* transition(SandboxState.addResource(yield* checkResource(resource)))
        if (!added) return yield* failing("Resource", `resources: must be at most ${SandboxState.mostResources}`)
      }),
    clearResponses: transition(SandboxState.setResources([]))
  }
}
