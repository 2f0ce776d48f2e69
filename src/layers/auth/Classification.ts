/**
 * What the response to a token request means. Pure. The status decides; the body's `code` decides only if the status
 * claims a success.
 */
import type * as Headers from "@effect/platform/Headers"
import type * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import {
  Expired,
  InvalidCredentials,
  InvalidRequest,
  type Operation,
  Unavailable,
  type UnexpectedReason,
  UnexpectedResponse
} from "../../schemas/AuthError.js"
import * as Responses from "../../schemas/Responses.js"
import { masking } from "../../schemas/SafeText.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import * as BaseUrl from "../config/BaseUrl.js"
import * as IncomingResponse from "../http/IncomingResponse.js"

export type TokenOperation = "issue" | "refresh" | "revoke" | "exchange"

/** A response, and the facts about the request that its meaning depends on. */
export interface ReceivedResponse {
  readonly status: number
  readonly headers: Headers.Headers
  readonly body: IncomingResponse.Body
  /** What the request carried: no error may repeat it. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
  /** By this machine's clock, in milliseconds since 1970. */
  readonly receivedAt: number
}

/** What one operation reads differently from the others. */
export interface Rules<E> {
  readonly operation: Operation
  /** The error for a rejected token, code or client. */
  readonly rejected: (summary: ResponseSummary, errors: ReadonlyArray<string>) => E
  /** The statuses that mean it. */
  readonly rejectedStatuses: ReadonlyArray<number>
  /** The values of `code` that mean it, if the status claims a success. */
  readonly rejectedCodes: ReadonlyArray<string>
  /** Whether the request carries a bearer, so that `JWT expired at …` means it whatever the status. */
  readonly hasBearer: boolean
  /** Whether a success contains a token; otherwise it may come without a body. */
  readonly hasToken: boolean
  /** For the message of `InvalidCredentials`. */
  readonly origins: NombaConfigService["origins"]
  /** For the message of `Unavailable`. */
  readonly host: BaseUrl.Host
}

/** What every error about a response says of it; secrets are masked. */
export interface ResponseSummary {
  readonly operation: Operation
  readonly status: number
  readonly code?: string
  readonly description?: string
}

type Failure = InvalidRequest | InvalidCredentials | Unavailable | UnexpectedResponse

/**
 * The rules of the four operations. Issue presents the credentials and cannot fail with `Expired`; the others present
 * something that may have expired.
 */
export const rulesOf = (
  config: Pick<NombaConfigService, "baseUrl" | "origins">
): {
  readonly issue: Rules<InvalidCredentials>
  readonly refresh: Rules<Expired>
  readonly revoke: Rules<Expired>
  readonly exchange: Rules<Expired>
} => {
  const { origins } = config
  const common = { rejectedStatuses: [401], hasBearer: false, hasToken: true, origins, host: BaseUrl.hostOf(config) }
  const presenting = {
    ...common,
    rejected: (summary: ResponseSummary) => new Expired(summary),
    rejectedCodes: ["01", "02"]
  }
  return {
    issue: {
      ...common,
      operation: "issue",
      rejected: (summary, errors) => new InvalidCredentials({ ...summary, errors, origins }),
      rejectedCodes: ["01"]
    },
    // 404: "Refresh Token not found".
    refresh: { ...presenting, operation: "refresh", rejectedStatuses: [401, 404], hasBearer: true },
    exchange: { ...presenting, operation: "exchange" },
    revoke: {
      ...presenting,
      operation: "revoke",
      rejected: (summary) => new Expired({ ...summary, hint: THREE_CAUSES }),
      hasBearer: true,
      hasToken: false
    }
  }
}

const THREE_CAUSES =
  "A 401 has three causes: the accountId header is absent, the account id is wrong, or the token has already expired."

/**
 * The JSON object of a success, or the error. A success is a 2xx whose `code` is absent, `00` or itself a 2xx. If the code
 * cannot be read, a usable token proves the success: it may have cost a single-use token and is not thrown away.
 */
export const classify = <E>(response: ReceivedResponse, rules: Rules<E>): Either.Either<object, E | Failure> => {
  const json = IncomingResponse.json(response.body)
  const envelope = Responses.decodeEnvelope(Option.getOrUndefined(json))
  const mask = masking([...response.secrets, ...tokensIn(json)])
  const safe = (text: string): string => mask(text, 200)
  const summary: ResponseSummary = {
    operation: rules.operation,
    status: response.status,
    ...Responses.present("code", Option.map(envelope.code, safe)),
    ...Responses.present("description", Option.map(envelope.description, safe))
  }

  const errors = envelope.errors.map(safe)

  const unexpected = (reason: typeof UnexpectedReason.Type, issues: ReadonlyArray<string> = []): UnexpectedResponse =>
    new UnexpectedResponse({
      operation: rules.operation,
      status: response.status,
      reason,
      issues,
      ...Responses.present("requestId", Option.map(IncomingResponse.requestId(response.headers), safe))
    })

  const unavailable = (
    reason: "Timeout" | "RateLimited" | "ServerError",
    wait: Option.Option<Duration.Duration>
  ): Unavailable =>
    new Unavailable({
      ...summary,
      ...rules.host,
      reason,
      processed: reason === "RateLimited" ? "no" : "unknown",
      ...Responses.present("retryAfter", wait)
    })

  const byStatus = (status: number, issues: ReadonlyArray<string> = []): E | Failure => {
    if (status === 0 || (status >= 300 && status < 400)) return unexpected("Redirect", issues)
    if (status < 400 || status > 599) return unexpected("UnknownStatus", issues)
    if (rules.rejectedStatuses.includes(status)) return rules.rejected(summary, errors)
    if (rules.hasBearer && Responses.isJwtExpired(Option.getOrUndefined(json))) return rules.rejected(summary, errors)
    const wait = IncomingResponse.wait(status, response.headers, response.receivedAt)
    switch (status) {
      case 403:
        return new InvalidCredentials({ ...summary, errors, origins: rules.origins })
      case 404:
        return new InvalidRequest({ ...summary, errors, hint: "Check the base URL." })
      case 408:
        return unavailable("Timeout", wait)
      case 429:
        return unavailable("RateLimited", wait)
      default:
        return status < 500 ? new InvalidRequest({ ...summary, errors }) : unavailable("ServerError", wait)
    }
  }

  if (!isSuccess(response.status)) {
    const isRefusal = response.status === 401 || response.status === 403
    return Either.left(
      isRefusal && IncomingResponse.isHtml(response.body, response.headers["content-type"])
        ? unexpected("HtmlResponse")
        : byStatus(response.status)
    )
  }
  const { end } = response.body
  switch (end._tag) {
    case "Complete":
      break
    case "TooLarge":
      return Either.left(unexpected("TooLarge"))
    case "TooSlow":
      return Either.left(unavailable("Timeout", Option.none()))
    case "CutOff":
      return Either.left(
        new Unavailable({
          ...summary,
          ...rules.host,
          reason: "Network",
          ...Responses.present("detail", end.detail)
        })
      )
    default:
      end satisfies never
  }
  if (Option.isNone(json)) {
    const isEmpty = response.body.text.trim() === ""
    return isEmpty && !rules.hasToken
      ? Either.right({})
      : Either.left(unexpected("NotJson", [isEmpty ? "body: empty" : "body: not a JSON object"]))
  }
  if (Option.isSome(envelope.oddCode) && !(rules.hasToken && Responses.hasToken(json.value))) {
    return Either.left(unexpected("OddCode", [envelope.oddCode.value]))
  }
  const code = Option.getOrElse(envelope.code, () => "00")
  if (code === "00") return Either.right(json.value)
  if (isStatus(code)) {
    return isSuccess(Number(code)) ? Either.right(json.value) : Either.left(byStatus(Number(code), [`code: ${code}`]))
  }
  const isRejected = rules.rejectedCodes.includes(code) || (rules.hasBearer && Responses.isJwtExpired(json.value))
  return Either.left(isRejected ? rules.rejected(summary, errors) : new InvalidRequest({ ...summary, errors }))
}

/** The status that a response counts as: its `code`, if that is an HTTP status and the status claims a success. */
export const effectiveStatus = (summary: {
  readonly status?: number | undefined
  readonly code?: string | undefined
}): number | undefined =>
  summary.status !== undefined && isSuccess(summary.status) && isStatus(summary.code)
    ? Number(summary.code)
    : summary.status

const isSuccess = (status: number): boolean => status >= 200 && status < 300

const isStatus = (code: string | undefined): boolean => code !== undefined && /^[1-5]\d\d$/.test(code)

const tokensIn = (json: Option.Option<object>): ReadonlyArray<Redacted.Redacted<string>> => {
  const body = Option.getOrUndefined(json)
  return [body, Responses.member(body, "data")]
    .flatMap((holder) => [Responses.member(holder, "access_token"), Responses.member(holder, "refresh_token")])
    .filter((token) => typeof token === "string")
    .map((token) => Redacted.make(token))
}
