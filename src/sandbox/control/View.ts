/**
 * From what the sandbox remembers to what it tells. Here every secret is masked, and no other way leads out.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type { EmulatorService } from "../Emulator.js"
import type { State } from "../SandboxState.js"
import * as Faults from "../state/Faults.js"
import type { RequestLog } from "../state/RequestLog.js"
import * as Sessions from "../state/Sessions.js"
import type { FaultsView, RequestView, SandboxView, SessionView } from "./Views.js"

/** At most the last three characters of a secret, behind the three that every JWT begins with. */
const mask = (secret: Redacted.Redacted): string => {
  const text = Redacted.value(secret)
  return `${text.startsWith("eyJ") ? "eyJ" : ""}…${text.slice(-3)}`
}

const time = (millis: number): DateTime.Utc => DateTime.unsafeMake(millis)

const session = (one: Sessions.Session): typeof SessionView.Type => ({
  id: one.sessionId,
  clientId: one.clientId,
  startedBy: one.startedBy,
  refreshes: one.refreshes,
  accessToken: mask(one.accessToken),
  refreshToken: mask(one.refreshToken),
  issuedAt: time(one.issuedAt),
  expiresAt: time(one.expiresAt),
  refreshExpiresAt: time(one.refreshExpiresAt),
  earlier: one.earlier.map(({ accessToken, expiresAt }) => ({
    accessToken: mask(accessToken),
    expiresAt: time(expiresAt)
  }))
})

const fault = ({ fault, left, until }: Faults.Waiting): (typeof FaultsView.Type)["issue"][number] => ({
  left: left === Number.POSITIVE_INFINITY ? "always" : left,
  ...(until === Number.POSITIVE_INFINITY ? {} : { until: time(until) }),
  ...(fault.latency === undefined ? {} : { latency: fault.latency }),
  ...(fault.answer === undefined
    ? {}
    : { answer: typeof fault.answer === "string" ? fault.answer : { status: fault.answer.status } }),
  processed: fault.processed
})

/** The sessions that are alive. */
export const sessions = (state: State): ReadonlyArray<typeof SessionView.Type> =>
  Sessions.all(state.sessions).map(session)

/** The faults that wait. */
export const faults = (state: State, now: number): typeof FaultsView.Type => ({
  issue: Faults.waiting(state.faults, "issue", now).map(fault),
  refresh: Faults.waiting(state.faults, "refresh", now).map(fault),
  revoke: Faults.waiting(state.faults, "revoke", now).map(fault),
  balance: Faults.waiting(state.faults, "balance", now).map(fault)
})

/** The last requests, the newest first. */
export const requests = ({ entries }: RequestLog): ReadonlyArray<typeof RequestView.Type> =>
  entries.map(({ at, clientId, why, ...entry }) => ({
    ...entry,
    at: time(at),
    ...(why === undefined ? {} : { why }),
    ...(clientId === undefined ? {} : { clientId })
  }))

/** All that can be seen of a state, now. */
export const view = (emulator: EmulatorService, state: State): Effect.Effect<SandboxView> =>
  Effect.zipWith(emulator.now, emulator.url, (now, url) => ({
    epoch: state.epoch,
    now: time(now),
    url,
    clients: Array.from(emulator.settings.clients.values(), ({ accountId, clientId }) => ({
      clientId,
      ...(accountId === undefined ? {} : { accountId })
    })),
    sessions: sessions(state),
    counters: state.counts,
    switches: state.switches,
    faults: faults(state, now),
    requests: requests(state.log)
  }))
