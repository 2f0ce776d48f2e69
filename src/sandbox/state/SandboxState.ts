/** The state of the sandbox, and every change of it: pure functions, each run in one step on one `Ref`. All of it is bounded. */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { type ActiveFault, noFault, type ParsedFault } from "../config/Fault.js"
import type { FaultTarget } from "../config/operations.js"
import type { Resource } from "../config/Resource.js"
import type { Switches, SwitchesPatch } from "../config/Switches.js"
import type { BuiltIn } from "../resources/builtIn.js"
import * as Ledger from "../resources/Ledger.js"
import type { Subject } from "./AccessToken.js"
import * as Counts from "./Counts.js"
import * as FaultQueue from "./FaultQueue.js"
import * as Logins from "./Logins.js"
import * as Quotas from "./Quotas.js"
import * as RequestLog from "./RequestLog.js"
import * as Sessions from "./Sessions.js"

export interface State {
  /** Changes with each start and each reset. */
  readonly epoch: string
  readonly switches: Switches
  readonly sessions: Sessions.Sessions
  readonly logins: Logins.Logins
  readonly counts: Counts.Counts
  readonly faults: FaultQueue.FaultQueues
  readonly quotas: Quotas.Quotas
  readonly log: RequestLog.RequestLog
  /** Responses that the user added. */
  readonly resources: ReadonlyArray<Resource>
  readonly ledgers: Ledger.Ledgers
}

/** A change: its result, and the state after it. */
export type Transition<A> = (state: State) => readonly [A, State]

export const initial = (switches: Switches, epoch = "", resources: ReadonlyArray<Resource> = []): State => ({
  epoch,
  switches,
  sessions: Sessions.empty,
  logins: Logins.empty,
  counts: Counts.zero,
  faults: FaultQueue.empty,
  quotas: Quotas.none,
  log: RequestLog.empty,
  resources,
  ledgers: Ledger.empty
})

const onSessions =
  <A>(change: (switches: Switches) => Sessions.Change<A>): Transition<A> =>
  (state) => {
    const [value, sessions] = change(state.switches)(state.sessions)
    return [value, { ...state, sessions }]
  }

const counting =
  <A>(
    transition: Transition<A>,
    what: "issued" | "refreshed" | "revoked",
    happened: (value: A) => boolean
  ): Transition<A> =>
  (state) => {
    const [value, after] = transition(state)
    return [value, happened(value) ? { ...after, counts: Counts.happened(after.counts, what) } : after]
  }

export interface Arrival {
  readonly epoch: string
  readonly fault: ActiveFault
}

/** Counts a request, and takes the fault that applies to it. */
export const recordArrival =
  (arriving: FaultQueue.Arriving, now: number): Transition<Arrival> =>
  (state) => {
    const [fault, faults] = FaultQueue.take(state.faults, arriving, now)
    return [
      { epoch: state.epoch, fault: Option.getOrElse(fault, () => noFault) },
      { ...state, faults, counts: Counts.arrived(state.counts, arriving.operation) }
    ]
  }

/** Logs a request. One that arrived before a reset is ignored. */
export const recordAnswer =
  ({ epoch }: Pick<Arrival, "epoch">, entry: RequestLog.Entry): Transition<void> =>
  (state) => [
    undefined,
    state.epoch === epoch
      ? {
          ...state,
          counts: Counts.answered(state.counts, entry.operation, entry.outcome, entry.status),
          log: RequestLog.add(state.log, entry)
        }
      : state
  ]

/** Queues a fault; false if there are too many. */
export const addFault =
  (target: FaultTarget, fault: ParsedFault, now: number): Transition<boolean> =>
  (state) =>
    Option.match(FaultQueue.add(state.faults, target, fault, now), {
      onNone: () => [false, state],
      onSome: (faults) => [true, { ...state, faults }]
    })

export const clearFaults: Transition<void> = (state) => [undefined, { ...state, faults: FaultQueue.empty }]

/** Counts a POST of an account. */
export const countRequest =
  (account: string, now: number): Transition<Option.Option<Quotas.Quota>> =>
  (state) => {
    const [quota, quotas] = Quotas.spend(state.quotas, account, now, state.switches)
    return [quota, { ...state, quotas }]
  }

/** Another login with the credentials of a client. */
export const steal = (tokens: Sessions.NewTokens): Transition<Sessions.Session> =>
  onSessions((switches) => Sessions.start(tokens, "another login", switches))

export const issue = (tokens: Sessions.NewTokens): Transition<Sessions.Session> =>
  counting(
    onSessions((switches) => Sessions.start(tokens, "client", switches)),
    "issued",
    () => true
  )

const onLogins =
  <A>(change: Logins.Change<A>): Transition<A> =>
  (state) => {
    const [value, logins] = change(state.logins)
    return [value, { ...state, logins }]
  }

export const startLogin = (
  asked: Logins.AuthorizationRequest,
  ticket: Redacted.Redacted,
  now: number
): Transition<void> => onLogins(Logins.start(asked, ticket, now))

export const finishLogin = (
  ticket: Redacted.Redacted,
  now: number
): Transition<Option.Option<Logins.AuthorizationRequest>> => onLogins(Logins.finish(ticket, now))

export const grantCode = (asked: Logins.AuthorizationRequest, code: Redacted.Redacted, now: number): Transition<void> =>
  onLogins(Logins.addCode(asked, code, now))

/** Exchanges a code for a session. A code that is used again ends the session that it started (RFC 6749 section 4.1.2). */
export const exchange =
  (
    presented: Logins.CodeExchange,
    tokens: Sessions.NewTokens,
    now: number
  ): Transition<Either.Either<Sessions.Session, Logins.CodeRefusal>> =>
  (state) => {
    const [verdict, judged] = onLogins(Logins.redeem(presented, now))(state)
    if (verdict.refusal === undefined) {
      const [session, after] = issue(tokens)(judged)
      const logins = Logins.linkSession(presented.code, session.sessionId)(after.logins)
      return [Either.right(session), { ...after, logins }]
    }
    const sessions = Option.match(verdict.sessionId, {
      onNone: () => judged.sessions,
      onSome: (sessionId) => Sessions.endOne(presented.clientId, sessionId)(judged.sessions)
    })
    return [Either.left(verdict.refusal), { ...judged, sessions }]
  }

export const refresh = (
  presented: Sessions.RefreshRequest,
  newTokens: (clientId: string) => Sessions.NewTokens
): Transition<Either.Either<Sessions.Session, Sessions.RefreshRefusal>> =>
  counting(
    onSessions((switches) => Sessions.refresh(presented, newTokens, switches)),
    "refreshed",
    Either.isRight
  )

export const revoke = (
  bearer: Subject,
  tokenId: string,
  now: number
): Transition<Either.Either<boolean, Sessions.BearerRefusal>> =>
  counting(
    onSessions(() => Sessions.revoke(bearer, tokenId, now)),
    "revoked",
    Either.getOrElse(() => false)
  )

export const revokeAll = (clientId: string): Transition<number> => onSessions(() => Sessions.revokeAll(clientId))

export const expire = (clientId: string, token: "access" | "refresh", now: number): Transition<number> =>
  onSessions(() => Sessions.expire(clientId, token, now))

export const configure =
  (given: typeof SwitchesPatch.Type): Transition<Switches> =>
  (state) => {
    const turned = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    const switches = { ...state.switches, ...turned }
    return [switches, { ...state, switches }]
  }

export const mostResources = 200

const isSameRoute = (one: Resource, other: Resource): boolean => one.method === other.method && one.path === other.path

/** Adds a response, or replaces the one of the same route; false if there are too many. */
export const addResource =
  (resource: Resource): Transition<boolean> =>
  (state) => {
    const others = state.resources.filter((one) => !isSameRoute(one, resource))
    return others.length >= mostResources ? [false, state] : [true, { ...state, resources: [...others, resource] }]
  }

export const setResources =
  (resources: ReadonlyArray<Resource>): Transition<void> =>
  (state) => [undefined, { ...state, resources }]

export const callResource =
  (resource: BuiltIn, call: Ledger.Call): Transition<Ledger.Answer> =>
  (state) => {
    const [answer, ledgers] = Ledger.answer(resource, call)(state.ledgers)
    return [answer, { ...state, ledgers }]
  }
