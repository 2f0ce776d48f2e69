/** What the control API shows of a sandbox. This is the only way out for session data, and every secret is masked. */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import { AnswerKind } from "../config/Fault.js"
import { defaultClient } from "../config/Options.js"
import { counted, isFaultTarget, operations } from "../config/operations.js"
import { Resource } from "../config/Resource.js"
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
    description: `${description} Masked: at most the last three characters are shown.`,
    examples: ["eyJ…x7Q"]
  })

export const Target = Schema.String.pipe(
  Schema.filter(isFaultTarget, {
    jsonSchema: { examples: [...operations, "POST /v2/transfers/bank", "* /v1/accounts/{id}/balance"] }
  })
).annotations({
  description:
    "What it applies to: a token operation, `resource` for any other call, or a method (or `*`) and a path with `{name}` and `*`.",
  ...mustBe(`one of ${operations.join(", ")}, or a method and a path such as POST /v2/transfers/bank`)
})

const ClientView = Schema.Struct({
  clientId: Schema.String,
  accountId: Schema.optional(Schema.String),
  isDefault: Schema.Boolean.annotations({ description: "Whether it is the client that the manual documents." })
}).annotations({ identifier: "Client", description: "A client that the sandbox knows." })

export const SessionView = Schema.Struct({
  id: text("The id of the session. A refresh does not change it."),
  clientId: Schema.String,
  startedBy: Schema.Literal("client", "another login").annotations({
    description: "Whether a token request started it, or a simulated login elsewhere."
  }),
  refreshes: count("How often it was refreshed."),
  accessToken: masked("The newest access token."),
  refreshToken: masked("The valid refresh token."),
  issuedAt: time("When the newest access token was issued, by the sandbox's clock."),
  expiresAt: time("When the access token expires."),
  refreshExpiresAt: time("When the refresh token expires."),
  earlier: Schema.Array(
    Schema.Struct({ accessToken: masked("An access token."), expiresAt: time("When it expires.") })
  ).annotations({
    description: "Access tokens that a refresh left valid, the newest first. Empty if refreshKillsAccessToken is on."
  })
}).annotations({ identifier: "Session", description: "A session that was neither replaced nor revoked." })

const Tally = Schema.Struct({
  requests: count("Requests that arrived."),
  succeeded: count("Requests that succeeded."),
  refused: count("Requests that were rejected, by status or by a code in a 200."),
  faulted: count("Requests whose response a fault replaced."),
  statuses: Schema.Record({ key: Schema.String, value: Schema.Int }).annotations({
    description: "How often each status was sent; `dropped` if the connection was closed."
  })
}).annotations({ identifier: "Tally", description: "The requests to one operation." })

export const CountersView = Schema.Struct({
  issue: Tally,
  refresh: Tally,
  revoke: Tally,
  resource: Tally,
  authorize: Tally,
  other: Tally,
  issued: count("Sessions started by issue."),
  refreshed: count("Sessions continued by refresh."),
  revoked: count("Sessions ended by revoke.")
}).annotations({
  identifier: "Counters",
  description:
    "Requests since the start or the last reset. `resource` are calls under /v1/ and /v2/, `authorize` the login page and its form, `other` anything else."
})

export const RequestView = Schema.Struct({
  id: count("Counts up from 1."),
  at: time("When it arrived, by the sandbox's clock."),
  method: Schema.String,
  path: text("Without the query. A segment that may be a secret is an ellipsis."),
  operation: Schema.Literal(...counted),
  status: Schema.Union(Schema.Int, Schema.Literal("dropped")),
  outcome: Schema.Literal("succeeded", "refused", "faulted"),
  why: Schema.optional(text("Why it was rejected, or which fault applied.")),
  took: Schema.Number.annotations({ description: "Milliseconds until the response." }),
  clientId: Schema.optional(text("The client that sent it, if known."))
}).annotations({ identifier: "Request", description: "A request and its outcome." })

export const FaultView = Schema.Struct({
  left: Schema.Union(Schema.Int, Schema.Literal("always")).annotations({
    description: "How many requests it still applies to."
  }),
  until: Schema.optional(time("When it ends by itself, by the sandbox's clock.")),
  latency: Schema.optional(Schema.Number.annotations({ description: "Milliseconds." })),
  answer: Schema.optional(Schema.Union(AnswerKind, Schema.Struct({ status: Schema.Int }))),
  processed: Schema.Boolean
}).annotations({ identifier: "QueuedFault", description: "A queued fault, without its headers and body." })

export const FaultsView = Schema.Record({ key: Schema.String, value: Schema.Array(FaultView) }).annotations({
  identifier: "Faults",
  description: "The queued faults of each target that has any, the next first."
})

export const ResourcesView = Schema.Struct({
  own: Schema.Array(Resource).annotations({ description: "Responses that were added. They take precedence." }),
  builtIn: Schema.Array(Schema.Struct({ method: Schema.String, path: Schema.String }))
}).annotations({ identifier: "Resources", description: "The calls that the sandbox has a response for." })

export const StateView = Schema.Struct({
  epoch: text("Changes with each start and each reset. Requests are numbered from there."),
  now: time("The sandbox's time."),
  url: text("The base URL for a client."),
  clients: Schema.Array(ClientView),
  sessions: Schema.Array(SessionView),
  counters: CountersView,
  switches: SwitchesView,
  faults: FaultsView,
  resources: Schema.Array(Resource).annotations({ description: "Responses that were added." }),
  requests: Schema.Array(RequestView).annotations({ description: "The last 200, the newest first." })
}).annotations({ identifier: "State", description: "The whole state of the sandbox." })

/**
 * The whole state of a sandbox, without secrets.
 *
 * @since 0.1.0
 * @category models
 */
export interface SandboxView extends Schema.Schema.Type<typeof StateView> {}

/** At most the last three characters, after the three with which every JWT begins. */
const mask = (secret: Redacted.Redacted): string => {
  const value = Redacted.value(secret)
  return `${value.startsWith("eyJ") ? "eyJ" : ""}…${value.slice(-3)}`
}

const utc = (millis: number): DateTime.Utc => DateTime.unsafeMake(millis)

const sessionView = (session: Sessions.Session): typeof SessionView.Type => ({
  id: session.sessionId,
  clientId: session.clientId,
  startedBy: session.startedBy,
  refreshes: session.refreshes,
  accessToken: mask(session.accessToken),
  refreshToken: mask(session.refreshToken),
  issuedAt: utc(session.issuedAt),
  expiresAt: utc(session.expiresAt),
  refreshExpiresAt: utc(session.refreshExpiresAt),
  earlier: session.earlier.map(({ accessToken, expiresAt }) => ({
    accessToken: mask(accessToken),
    expiresAt: utc(expiresAt)
  }))
})

const faultView = ({ fault, left, until }: FaultQueue.QueuedFault): typeof FaultView.Type => ({
  left: left === Number.POSITIVE_INFINITY ? "always" : left,
  ...(until === Number.POSITIVE_INFINITY ? {} : { until: utc(until) }),
  ...(fault.latency === undefined ? {} : { latency: fault.latency }),
  ...(fault.answer === undefined
    ? {}
    : { answer: typeof fault.answer === "string" ? fault.answer : { status: fault.answer.status } }),
  processed: fault.processed
})

export const sessionViews = (state: State): ReadonlyArray<typeof SessionView.Type> =>
  Sessions.all(state.sessions).map(sessionView)

export const faultsView = (state: State, now: number): typeof FaultsView.Type =>
  Object.fromEntries(
    [...state.faults].flatMap(([target, queue]) => {
      const pending = FaultQueue.pending(queue, now).map(faultView)
      return pending.length === 0 ? [] : [[target, pending]]
    })
  )

export const requestViews = ({ entries }: RequestLog): ReadonlyArray<typeof RequestView.Type> =>
  entries.map(({ at, clientId, why, ...entry }) => ({
    ...entry,
    at: utc(at),
    ...(why === undefined ? {} : { why }),
    ...(clientId === undefined ? {} : { clientId })
  }))

export const stateView = (emulator: EmulatorService, state: State): Effect.Effect<SandboxView> =>
  Effect.zipWith(emulator.now, emulator.url, (now, url) => ({
    epoch: state.epoch,
    now: utc(now),
    url,
    clients: Array.from(emulator.settings.clients.values(), ({ accountId, clientId, clientSecret }) => ({
      clientId,
      ...(accountId === undefined ? {} : { accountId }),
      isDefault:
        clientSecret !== undefined && Redacted.value(clientSecret) === Redacted.value(defaultClient.clientSecret)
    })),
    sessions: sessionViews(state),
    counters: state.counts,
    switches: state.switches,
    faults: faultsView(state, now),
    resources: state.resources,
    requests: requestViews(state.log)
  }))
