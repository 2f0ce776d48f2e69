/** Nomba as a fleet meets it over HTTP: the sandbox's state machine behind a network with faults. */
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Either, Option, Redacted, Schema, Stream } from "effect"
import { Switches } from "../../src/sandbox/config/Switches.js"
import type { Counts } from "../../src/sandbox/state/Counts.js"
import * as SandboxState from "../../src/sandbox/state/SandboxState.js"
import * as Sessions from "../../src/sandbox/state/Sessions.js"
import type { Ledger } from "../fleet/Ledger.js"
import type { Process, Simulation } from "../support/simulator.js"
import { type Dice, makeConnection, type Way } from "./fleetNetwork.js"

export const CLIENT_ID = "fleet"
export const BASE_URL = "https://nomba.test"
export const LIFETIME = 30 * 60_000
const REFRESH_LIFETIME = 24 * 3_600_000

export interface Conditions {
  readonly health: "well" | "refusing" | "failing" | "silent"
  /** What the health is about. */
  readonly affected: "everything" | "token requests"
  /** How often the answer to a request that was processed is lost. */
  readonly answerLost: number
  /** The longest that one way takes. */
  readonly slowest: number
  /** The `Retry-After` header of a 429 or 503. */
  readonly retryAfter: string | undefined
  /** How many POSTs are answered in each window of so many milliseconds; token requests count. */
  readonly rateLimit: { readonly limit: number; readonly window: number } | undefined
  /** Every token request is answered with the tokens that were granted last, as if they were new. */
  readonly repeatsTokens: boolean
  /** Requests whose path begins like this are answered with 401, whatever the token. */
  readonly rejectedPath: string | undefined
  /** Tokens that are not alive are answered with this status, and with `JWT expired at …` if it is not 401. */
  readonly expiredStatus: 400 | 401 | 500
}

export const good: Conditions = {
  health: "well",
  affected: "everything",
  answerLost: 0,
  slowest: 150,
  retryAfter: undefined,
  rateLimit: undefined,
  repeatsTokens: false,
  rejectedPath: undefined,
  expiredStatus: 401
}

/** A moment in the life of a token request. */
export type Moment = "sent" | "processed" | "answered"

/** A request for a resource. */
export interface Use {
  readonly token: string
  readonly path: string
  readonly status: number
}

export interface Nomba {
  /** Nomba as one process reaches it. `used` is told of each request for a resource when it arrives. */
  readonly clientFor: (
    process: Process,
    reached: (moment: Moment) => void,
    used?: (use: Use) => void
  ) => HttpClient.HttpClient
  /** The same for another program with the same credentials: each session that it starts ends that of the fleet. */
  readonly rivalClientFor: (process: Process) => HttpClient.HttpClient
  conditions: Conditions
  /** A program outside the fleet logs in with the same credentials. */
  readonly loginElsewhere: () => void
  /** Another login this long after the next session was granted. */
  loginElsewhereAfterNextIssue: number | undefined
  /** The access token of the live session. */
  readonly liveToken: () => string | undefined
  /** What is left of it, in milliseconds. */
  readonly remaining: () => number
  /** When it was granted, by this Nomba's clock; 0 where there is none. */
  readonly issuedAt: () => number
  readonly lastOtherLogin: () => number
  /** How many sessions were granted since then. */
  readonly grantedSince: (moment: number) => number
  /** When it last repeated its tokens. */
  readonly lastRepeat: () => number
  /** Since when the conditions are what they are. */
  readonly conditionsSince: () => number
  /** How long ago the lifetime of a token was over, in milliseconds; negative before that. */
  readonly expiredFor: (token: string) => number
  /** How late, beside all else, the answer to the next call of each kind is, in milliseconds. */
  readonly delays: Map<"issue" | "refresh", number>
  readonly counts: {
    calls: number
    /** Issues and refreshes that arrived, and refreshes that were refused. */
    tokenCalls: number
    refused: number
    rejected: number
    /** POSTs over the limit of their window. */
    limited: number
    otherLogins: number
    /** Refresh tokens that came a second time. */
    reused: number
  }
  readonly sandbox: () => Counts
}

type Status = 200 | 400 | 401 | 429 | 500 | 503

const bearerOf = (headers: Readonly<Record<string, string>>): Option.Option<string> =>
  Option.map(Option.fromNullable(headers["authorization"]), (header) => header.slice("Bearer ".length))

const jwtExpired = { description: "Internal Server Error: INTERNAL: JWT expired at 2026-11-27T03:35:49Z" }

const isForToken = ({ url }: HttpClientRequest.HttpClientRequest): boolean => url.includes("/v1/auth/")

const serialOf = (token: string): number => Number(token.slice("access-".length))

/** Whether a session was granted before another, by their access tokens. */
export const grantedBefore = (one: string, other: string): boolean => serialOf(one) < serialOf(other)

/** The tokens of this Nomba are opaque: only their number tells them apart. */
const subjectOf = (token: string) => ({ clientId: CLIENT_ID, tokenId: token })

export interface Settings {
  /** A refresh token that is sent a second time ends the session. */
  readonly reuseEndsSession?: boolean
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
  { lifetime = LIFETIME, note = () => {}, reuseEndsSession = false, skew }: Settings
): Nomba => {
  const counts = { calls: 0, tokenCalls: 0, refused: 0, rejected: 0, limited: 0, otherLogins: 0, reused: 0 }
  const encoder = new TextEncoder()
  let state = SandboxState.initial(
    Schema.decodeSync(Switches)({ refreshReuse: reuseEndsSession ? "killsSession" : "refused" })
  )
  const expiries = new Map<string, number>()
  let granting: Sessions.Session | undefined
  let window = { start: 0, used: 0 }
  let serial = 0
  let conditions = good
  let changedAt = simulation.now()
  let lastOtherLogin = Number.NEGATIVE_INFINITY
  const grantedAt: Array<number> = []
  let lastRepeat = Number.NEGATIVE_INFINITY

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
    grantedAt.push(simulation.now())
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

  const loginElsewhere = (): void => {
    counts.otherLogins += 1
    lastOtherLogin = simulation.now()
    apply(SandboxState.steal(grant()))
  }

  const granted = (session: Sessions.Session): object => {
    granting = session
    if (nomba.loginElsewhereAfterNextIssue !== undefined)
      simulation.after(nomba.loginElsewhereAfterNextIssue, loginElsewhere)
    nomba.loginElsewhereAfterNextIssue = undefined
    return {
      code: "00",
      data: {
        access_token: Redacted.value(session.accessToken),
        refresh_token: Redacted.value(session.refreshToken),
        expiresAt: new Date(session.expiresAt).toISOString()
      }
    }
  }

  /** The tokens that were granted last, with a lifetime as if they were new. */
  const repeated = (session: Sessions.Session): object => {
    lastRepeat = simulation.now()
    return granted({ ...session, expiresAt: now() + lifetime })
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

  const isRejectedPath = (url: string): boolean => {
    const { rejectedPath } = nomba.conditions
    return rejectedPath !== undefined && url.startsWith(BASE_URL + rejectedPath)
  }

  const resource = ({ headers, method, url }: HttpClientRequest.HttpClientRequest): Status => {
    const token = Option.getOrElse(bearerOf(headers), () => "")
    const isAlive = Either.isRight(Sessions.authenticate(subjectOf(token), now())(state.sessions))
    if (!isAlive) counts.rejected += 1
    const status = !isAlive ? nomba.conditions.expiredStatus : isRejectedPath(url) ? 401 : 200
    note({ headers, method, status, expiresAt: expiries.get(token) ?? 0, now: now() })
    return status
  }

  const tokenCall = (request: HttpClientRequest.HttpClientRequest): object | undefined => {
    if (request.url.endsWith("/revoke")) return revoke(request)
    if (nomba.conditions.repeatsTokens && granting !== undefined) return repeated(granting)
    return request.url.endsWith("/issue") ? granted(apply(SandboxState.issue(grant()))) : refresh(request)
  }

  interface Answer {
    readonly status: Status
    /** When it was given, by this Nomba's clock. */
    readonly at: number
    readonly json?: object
  }

  /** Counts a POST in the window that starts on the full second or minute. */
  const isWithinLimit = (): boolean => {
    const { rateLimit } = nomba.conditions
    if (rateLimit === undefined) return true
    const start = Math.floor(now() / rateLimit.window) * rateLimit.window
    window = { start, used: window.start === start ? window.used + 1 : 1 }
    return window.used <= rateLimit.limit
  }

  const serve = (request: HttpClientRequest.HttpClientRequest, isRival: boolean): Answer => {
    if (isForToken(request) && !request.url.endsWith("/revoke")) {
      if (isRival) {
        counts.otherLogins += 1
        lastOtherLogin = simulation.now()
      } else counts.tokenCalls += 1
    }
    const at = now()
    if (healthFor(request) === "failing") return { status: 503, at }
    if (request.method === "POST" && !isWithinLimit()) {
      counts.limited += 1
      return { status: 429, at }
    }
    if (!isForToken(request)) {
      const status = resource(request)
      return status === 400 || status === 500 ? { status, at, json: jwtExpired } : { status, at }
    }
    const json = tokenCall(request)
    return json === undefined ? { status: 401, at } : { status: 200, at, json }
  }

  /** Reading the body of a web response would take a real promise. */
  const respond = (request: HttpClientRequest.HttpClientRequest, { at, json, status }: Answer) => {
    const { retryAfter } = nomba.conditions
    const headers = {
      date: new Date(at).toUTCString(),
      ...(retryAfter !== undefined && (status === 429 || status === 503) ? { "retry-after": retryAfter } : {})
    }
    const response = HttpClientResponse.fromWeb(request, new Response(null, { status, headers }))
    return json === undefined
      ? Object.defineProperty(response, "text", { value: Effect.succeed("") })
      : Object.defineProperty(response, "stream", { value: Stream.make(encoder.encode(JSON.stringify(json))) })
  }

  const delayOf = ({ url }: HttpClientRequest.HttpClientRequest): number => {
    for (const [call, delay] of nomba.delays) if (url.endsWith(`/${call}`) && nomba.delays.delete(call)) return delay
    return 0
  }

  const healthFor = (request: HttpClientRequest.HttpClientRequest): Conditions["health"] =>
    nomba.conditions.affected === "everything" || isForToken(request) ? nomba.conditions.health : "well"

  const clientOf = (
    process: Process,
    reached: (moment: Moment) => void,
    used: (use: Use) => void,
    isRival: boolean
  ): HttpClient.HttpClient =>
    HttpClient.make((request) =>
      Effect.async((resume) => {
        const { slowest } = nomba.conditions
        const health = healthFor(request)
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
        // Each request has a connection of its own: requests overtake each other.
        makeConnection(simulation, process).exchange(
          {
            there: health === "silent" ? "lost" : latency(),
            serve: () => {
              const answer = serve(request, isRival)
              pass("processed")
              if (!isTokenRequest) {
                const token = Option.getOrElse(bearerOf(request.headers), () => "")
                used({ token, status: answer.status, path: request.url.slice(BASE_URL.length) })
              }
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
    clientFor: (process, reached, used = () => {}) => clientOf(process, reached, used, false),
    rivalClientFor: (process) =>
      clientOf(
        process,
        () => {},
        () => {},
        true
      ),
    get conditions() {
      return conditions
    },
    set conditions(next) {
      conditions = next
      changedAt = simulation.now()
    },
    loginElsewhere,
    loginElsewhereAfterNextIssue: undefined,
    liveToken: () => Option.getOrUndefined(current())?.tokenId,
    remaining: () => Option.match(current(), { onNone: () => 0, onSome: ({ expiresAt }) => expiresAt - now() }),
    issuedAt: () => Option.match(current(), { onNone: () => 0, onSome: (_) => _.issuedAt }),
    lastOtherLogin: () => lastOtherLogin,
    grantedSince: (moment) => grantedAt.length - 1 - grantedAt.findLastIndex((at) => at < moment),
    lastRepeat: () => lastRepeat,
    conditionsSince: () => changedAt,
    expiredFor: (token) => now() - (expiries.get(token) ?? Number.POSITIVE_INFINITY),
    delays: new Map(),
    counts,
    sandbox: () => state.counts
  }
  return nomba
}
