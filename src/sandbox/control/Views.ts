/** What the control API tells of a sandbox. Secrets are masked in it, each in the same way. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { counted, endpoints } from "../config/endpoints.js"
import { SwitchesView } from "../config/Switches.js"
import { mustBe } from "../config/validationMessages.js"
import type { EmulatorService } from "../state/Emulator.js"
import * as FaultQueue from "../state/FaultQueue.js"
import type { RequestLog } from "../state/RequestLog.js"
import type { State } from "../state/SandboxState.js"
import * as Sessions from "../state/Sessions.js"

const text = (description: string) => Schema.String.annotations({ description })
const count = (description: string) => Schema.Int.annotations({ description })
const time = (description: string) => Schema.DateTimeUtc.annotations({ description })

const masked = (description: string) =>
  Schema.String.pipe(Schema.pattern(/^(eyJ)?….{0,3}$/u)).annotations({
    description: `${description} Masked: of a secret nobody sees more than its last three characters.`,
    examples: ["eyJ…x7Q"]
  })

/** An operation, by name. */
export const Endpoint = Schema.Literal(...endpoints).annotations({
  description: "The operation; balance is the protected resource.",
  ...mustBe(`one of ${endpoints.join(", ")}`)
})

/** A client that the sandbox knows, without its secret. */
export const ClientView = Schema.Struct({
  clientId: Schema.String,
  accountId: Schema.optional(Schema.String)
}).annotations({ identifier: "Client", description: "A client that the sandbox knows." })

/** A session that is alive. */
export const SessionView = Schema.Struct({
  id: text("The session's own name. It outlives a refresh."),
  clientId: Schema.String,
  startedBy: Schema.Literal("client", "somebody else").annotations({
    description: "Whether the client logged in, or somebody else did with its credentials."
  }),
  refreshes: count("How often it was carried on."),
  accessToken: masked("The newest access token."),
  refreshToken: masked("The refresh token that is good at the moment."),
  issuedAt: time("When the newest access token was issued, by the sandbox's clock."),
  expiresAt: time("When it expires."),
  refreshExpiresAt: time("When the refresh token expires."),
  earlier: Schema.Array(
    Schema.Struct({ accessToken: masked("An access token."), expiresAt: time("Its expiry.") })
  ).annotations({
    description: "Access tokens that a refresh left alive, the newest first; only where refreshKillsAccessToken is off."
  })
}).annotations({ identifier: "Session", description: "A session that was neither replaced nor revoked." })

const Tally = Schema.Struct({
  requests: count("Arrived, whatever came of them."),
  succeeded: count("Answered as they wished."),
  refused: count("Refused, by status or by a code on a 200."),
  faulted: count("Answered by a fault in place of the sandbox."),
  statuses: Schema.Record({ key: Schema.String, value: Schema.Int }).annotations({
    description: "How often each status was answered; `dropped` where the connection broke."
  })
}).annotations({ identifier: "Tally", description: "What became of the requests to one operation." })

/** What the sandbox has done. */
export const CountersView = Schema.Struct({
  issue: Tally,
  refresh: Tally,
  revoke: Tally,
  balance: Tally,
  authorize: Tally,
  other: Tally,
  issued: count("Sessions started by issue."),
  refreshed: count("Sessions carried on by refresh."),
  revoked: count("Sessions ended by revoke.")
}).annotations({
  identifier: "Counters",
  description:
    "What the sandbox has done since it began or was reset. `authorize` are the page of a person's login and the answers to it, `other` are requests for what it has not."
})

/** A request as the log remembers it. */
export const RequestView = Schema.Struct({
  id: count("Counts up from 1."),
  at: time("When it arrived, by the sandbox's clock."),
  method: Schema.String,
  path: text("Without the query. What does not look like a path of an API is an ellipsis."),
  endpoint: Schema.Literal(...counted),
  status: Schema.Union(Schema.Int, Schema.Literal("dropped")),
  outcome: Schema.Literal("succeeded", "refused", "faulted"),
  why: Schema.optional(text("Why it was refused, in the first of the answer's own words, or which fault it met.")),
  took: Schema.Number.annotations({ description: "Milliseconds from arrival to answer." }),
  clientId: Schema.optional(text("Whose request it was, where that is known."))
}).annotations({ identifier: "Request", description: "A request and what became of it." })

/** A fault that waits. */
export const FaultView = Schema.Struct({
  left: Schema.Union(Schema.Int, Schema.Literal("always")).annotations({
    description: "How many requests it befalls yet."
  }),
  until: Schema.optional(time("When it ends by itself, by the sandbox's clock.")),
  latency: Schema.optional(Schema.Number.annotations({ description: "Milliseconds." })),
  answer: Schema.optional(
    Schema.Union(Schema.Literal("drop", "cut", "garbage"), Schema.Struct({ status: Schema.Int }))
  ),
  processed: Schema.Boolean
}).annotations({ identifier: "QueuedFault", description: "A fault that waits. Its headers and body are not told." })

const queue = Schema.Array(FaultView)

/** What waits for each operation, the next first. */
export const FaultsView = Schema.Struct({ issue: queue, refresh: queue, revoke: queue, balance: queue }).annotations({
  identifier: "Faults",
  description: "The faults that wait for each operation, the next first."
})

/** All that can be seen of a sandbox, at one moment. */
export const StateView = Schema.Struct({
  epoch: text("Another one since each start and each reset, from which on the requests are numbered."),
  now: time("The sandbox's time."),
  url: text("The base URL to point a client at."),
  clients: Schema.Array(ClientView),
  sessions: Schema.Array(SessionView),
  counters: CountersView,
  switches: SwitchesView,
  faults: FaultsView,
  requests: Schema.Array(RequestView).annotations({ description: "The last 200, the newest first." })
}).annotations({ identifier: "State", description: "All that can be seen of the sandbox, at one moment." })

/**
 * All that can be seen of a sandbox, at one moment. No secret is in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface SandboxView extends Schema.Schema.Type<typeof StateView> {}

/** At most the last three characters of a secret, behind the three that every JWT begins with. */
const mask = (secret: Redacted.Redacted): string => {
  const text = Redacted.value(secret)
  return `${text.startsWith("eyJ") ? "eyJ" : ""}…${text.slice(-3)}`
}

const utc = (millis: number): DateTime.Utc => DateTime.unsafeMake(millis)

const sessionView = (one: Sessions.Session): typeof SessionView.Type => ({
  id: one.sessionId,
  clientId: one.clientId,
  startedBy: one.startedBy,
  refreshes: one.refreshes,
  accessToken: mask(one.accessToken),
  refreshToken: mask(one.refreshToken),
  issuedAt: utc(one.issuedAt),
  expiresAt: utc(one.expiresAt),
  refreshExpiresAt: utc(one.refreshExpiresAt),
  earlier: one.earlier.map(({ accessToken, expiresAt }) => ({
    accessToken: mask(accessToken),
    expiresAt: utc(expiresAt)
  }))
})

const faultView = ({ fault, left, until }: FaultQueue.QueuedFault): (typeof FaultsView.Type)["issue"][number] => ({
  left: left === Number.POSITIVE_INFINITY ? "always" : left,
  ...(until === Number.POSITIVE_INFINITY ? {} : { until: utc(until) }),
  ...(fault.latency === undefined ? {} : { latency: fault.latency }),
  ...(fault.answer === undefined
    ? {}
    : { answer: typeof fault.answer === "string" ? fault.answer : { status: fault.answer.status } }),
  processed: fault.processed
})

/** The sessions that are alive. */
export const sessionViews = (state: State): ReadonlyArray<typeof SessionView.Type> =>
  Sessions.all(state.sessions).map(sessionView)

/** The faults that wait. */
export const faultsView = (state: State, now: number): typeof FaultsView.Type => ({
  issue: FaultQueue.pending(state.faults, "issue", now).map(faultView),
  refresh: FaultQueue.pending(state.faults, "refresh", now).map(faultView),
  revoke: FaultQueue.pending(state.faults, "revoke", now).map(faultView),
  balance: FaultQueue.pending(state.faults, "balance", now).map(faultView)
})

/** The last requests, the newest first. */
export const requestViews = ({ entries }: RequestLog): ReadonlyArray<typeof RequestView.Type> =>
  entries.map(({ at, clientId, why, ...entry }) => ({
    ...entry,
    at: utc(at),
    ...(why === undefined ? {} : { why }),
    ...(clientId === undefined ? {} : { clientId })
  }))

/** All that can be seen of a state, now. */
export const stateView = (emulator: EmulatorService, state: State): Effect.Effect<SandboxView> =>
  Effect.zipWith(emulator.now, emulator.url, (now, url) => ({
    epoch: state.epoch,
    now: utc(now),
    url,
    clients: Array.from(emulator.settings.clients.values(), ({ accountId, clientId }) => ({
      clientId,
      ...(accountId === undefined ? {} : { accountId })
    })),
    sessions: sessionViews(state),
    counters: state.counts,
    switches: state.switches,
    faults: faultsView(state, now),
    requests: requestViews(state.log)
  }))
