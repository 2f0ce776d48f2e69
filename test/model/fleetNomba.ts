/** Nomba as a fleet meets it over HTTP: the sandbox's state machine behind a network with faults. */
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Either, Option, Redacted, Schema, Stream } from "effect"
import { Switches } from "../../src/sandbox/config/Switches.js"
import type { Counts } from "../../src/sandbox/state/Counts.js"
import * as SandboxState from "../../src/sandbox/state/SandboxState.js"
import * as Sessions from "../../src/sandbox/state/Sessions.js"
import type { Ledger } from "../fleet/Ledger.js"
import type { Process, Simulation } from "../support/simulator.js"
import { type Dice, exchange, type Way } from "./fleetNetwork.js"

export const CLIENT_ID = "fleet"
export const BASE_URL = "https://nomba.test"
export const LIFETIME = 30 * 60_000
const REFRESH_LIFETIME = 24 * 3_600_000

export interface Conditions {
  readonly health: "well" | "refusing" | "failing" | "silent"
  /** How often the answer to a request that was processed is lost. */
  readonly answerLost: number
  /** The longest that one way takes. */
  readonly slowest: number
}

export const good: Conditions = { health: "well", answerLost: 0, slowest: 150 }

/** A moment in the life of a token request. */
export type Moment = "sent" | "processed" | "answered"

export interface Nomba {
  /** Nomba as one process reaches it. */
  readonly clientFor: (process: Process, reached: (moment: Moment) => void) => HttpClient.HttpClient
  conditions: Conditions
  /** Someone outside the fleet logs in with the same credentials. */
  readonly steal: () => void
  /** A theft this long after the next session was granted. */
  stealAfterNextGrant: number | undefined
  /** The access token of the session that is alive. */
  readonly alive: () => string | undefined
  /** What is left of it, in milliseconds. */
  readonly remaining: () => number
  /** When it was granted, by this Nomba's clock; 0 where there is none. */
  readonly issuedAt: () => number
  readonly lastTheft: () => number
  /** How late, beside all else, the answer to the next call of each kind is, in milliseconds. */
  readonly delays: Map<"issue" | "refresh", number>
  readonly counts: {
    calls: number
    /** Issues and refreshes that arrived, and refreshes that were refused. */
    tokenCalls: number
    refused: number
    rejected: number
    thefts: number
    /** Refresh tokens that came a second time. */
    reused: number
  }
  readonly sandbox: () => Counts
}

const statuses = [200, 401, 503] as const
type Status = (typeof statuses)[number]

const bearerOf = (headers: Readonly<Record<string, string>>): Option.Option<string> =>
  Option.map(Option.fromNullable(headers["authorization"]), (header) => header.slice("Bearer ".length))

const isForToken = ({ url }: HttpClientRequest.HttpClientRequest): boolean => url.includes("/v1/auth/")

const serialOf = (token: string): number => Number(token.slice("access-".length))

/** Whether a session was granted before another, by their access tokens. */
export const grantedBefore = (one: string, other: string): boolean => serialOf(one) < serialOf(other)

/** The tokens of this Nomba are opaque: only their number tells them apart. */
const subjectOf = (token: string) => ({ clientId: CLIENT_ID, tokenId: token })

export interface Settings {
  /** How far its clock is off, in milliseconds. */
  readonly skew: number
  /** How long an access token lives, in milliseconds. */
  readonly lifetime?: number
  /** Notes each request for a resource. */
  readonly note?: Ledger["note"]
}

export const makeNomba = (
  simulation: Simulation,
  dice: Dice,
  { lifetime = LIFETIME, note = () => {}, skew }: Settings
): Nomba => {
  const counts = { calls: 0, tokenCalls: 0, refused: 0, rejected: 0, thefts: 0, reused: 0 }
  const encoder = new TextEncoder()
  let state = SandboxState.initial(Schema.decodeSync(Switches)({}))
  const expiries = new Map<string, number>()
  let serial = 0
  let lastTheft = Number.NEGATIVE_INFINITY

  const apply = <A>(transition: SandboxState.Transition<A>): A => {
    const [answer, next] = transition(state)
    state = next
    return answer
  }

  const now = (): number => simulation.now() + skew

  const current = (): Option.Option<Sessions.Session> =>
    Option.fromNullable(Sessions.ofClient(state.sessions, CLIENT_ID).at(-1))

  const grant = (): Sessions.NewTokens => {
    serial += 1
    expiries.set(`access-${serial}`, now() + lifetime)
    return {
      clientId: CLIENT_ID,
      tokenId: `access-${serial}`,
      sessionId: `session-${serial}`,
      accessToken: Redacted.make(`access-${serial}`),
      refreshToken: Redacted.make(`refresh-${serial}`),
      issuedAt: now(),
      expiresAt: now() + lifetime,
      refreshExpiresAt: now() + REFRESH_LIFETIME
    }
  }

  const steal = (): void => {
    counts.thefts += 1
    lastTheft = simulation.now()
    apply(SandboxState.steal(grant()))
  }

  const granted = (session: Sessions.Session): object => {
    if (nomba.stealAfterNextGrant !== undefined) simulation.after(nomba.stealAfterNextGrant, steal)
    nomba.stealAfterNextGrant = undefined
    return {
      code: "00",
      data: {
        access_token: Redacted.value(session.accessToken),
        refresh_token: Redacted.value(session.refreshToken),
        expiresAt: new Date(session.expiresAt).toISOString()
      }
    }
  }

  const refresh = (request: HttpClientRequest.HttpClientRequest): object | undefined => {
    const body = request.body._tag === "Uint8Array" ? JSON.parse(new TextDecoder().decode(request.body.body)) : {}
    const outcome = apply(
      SandboxState.refresh(
        {
          refreshToken: Redacted.make(String(body.refresh_token)),
          bearer: Option.map(bearerOf(request.headers), subjectOf),
          admits: () => true,
          now: now()
        },
        grant
      )
    )
    if (Either.isLeft(outcome)) {
      counts.refused += 1
      if (outcome.left === "used") counts.reused += 1
    }
    return Either.isRight(outcome) ? granted(outcome.right) : undefined
  }

  const revoke = (request: HttpClientRequest.HttpClientRequest): object | undefined => {
    const token = Option.getOrElse(bearerOf(request.headers), () => "")
    const outcome = apply(SandboxState.revoke(subjectOf(token), token, now()))
    return Either.isRight(outcome) ? { code: "00" } : undefined
  }

  const resource = ({ headers, method }: HttpClientRequest.HttpClientRequest): Status => {
    const token = Option.getOrElse(bearerOf(headers), () => "")
    const isAlive = Either.isRight(Sessions.authenticate(subjectOf(token), now())(state.sessions))
    if (!isAlive) counts.rejected += 1
    const status = isAlive ? 200 : 401
    note({ headers, method, status, expiresAt: expiries.get(token) ?? 0, now: now() })
    return status
  }

  const tokenCall = (request: HttpClientRequest.HttpClientRequest): object | undefined => {
    if (request.url.endsWith("/revoke")) return revoke(request)
    return request.url.endsWith("/issue") ? granted(apply(SandboxState.issue(grant()))) : refresh(request)
  }

  interface Answer {
    readonly status: Status
    /** When it was given, by this Nomba's clock. */
    readonly at: number
    readonly json?: object
  }

  const serve = (request: HttpClientRequest.HttpClientRequest): Answer => {
    if (isForToken(request) && !request.url.endsWith("/revoke")) counts.tokenCalls += 1
    const at = now()
    if (nomba.conditions.health === "failing") return { status: 503, at }
    if (!isForToken(request)) return { status: resource(request), at }
    const json = tokenCall(request)
    return json === undefined ? { status: 401, at } : { status: 200, at, json }
  }

  const empty = new Map(statuses.map((status) => [status, new Response(null, { status })]))

  /** Reading the body of a web response would take a real promise. */
  const respond = (request: HttpClientRequest.HttpClientRequest, { at, json, status }: Answer) =>
    json === undefined
      ? Object.defineProperty(
          HttpClientResponse.fromWeb(request, empty.get(status) ?? new Response(null, { status })),
          "text",
          { value: Effect.succeed("") }
        )
      : Object.defineProperty(
          HttpClientResponse.fromWeb(
            request,
            new Response(null, { status, headers: { date: new Date(at).toUTCString() } })
          ),
          "stream",
          { value: Stream.make(encoder.encode(JSON.stringify(json))) }
        )

  const delayOf = ({ url }: HttpClientRequest.HttpClientRequest): number => {
    for (const [call, delay] of nomba.delays) if (url.endsWith(`/${call}`) && nomba.delays.delete(call)) return delay
    return 0
  }

  const clientFor: Nomba["clientFor"] = (process, reached) =>
    HttpClient.make((request) =>
      Effect.async((resume) => {
        const { health, slowest } = nomba.conditions
        const isTokenRequest = isForToken(request)
        const pass = (moment: Moment): void => {
          if (isTokenRequest) reached(moment)
        }
        counts.calls += isTokenRequest ? 0 : 1
        pass("sent")
        if (health === "refusing") {
          const cause = Object.assign(new Error("refused"), { code: "ECONNREFUSED", syscall: "connect" })
          return resume(Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause })))
        }
        const latency = (): number => dice.between(20, slowest)
        exchange(
          simulation,
          process,
          {
            there: health === "silent" ? "lost" : latency(),
            serve: () => {
              const answer = serve(request)
              pass("processed")
              return answer
            },
            back: (): Way => (dice.chance(nomba.conditions.answerLost) ? "lost" : latency() + delayOf(request))
          },
          (answer) => {
            resume(Effect.succeed(respond(request, answer)))
            pass("answered")
          }
        )
      })
    )

  const nomba: Nomba = {
    clientFor,
    conditions: good,
    steal,
    stealAfterNextGrant: undefined,
    alive: () => Option.getOrUndefined(current())?.tokenId,
    remaining: () => Option.match(current(), { onNone: () => 0, onSome: ({ expiresAt }) => expiresAt - now() }),
    issuedAt: () => Option.match(current(), { onNone: () => 0, onSome: (_) => _.issuedAt }),
    lastTheft: () => lastTheft,
    delays: new Map(),
    counts,
    sandbox: () => state.counts
  }
  return nomba
}
