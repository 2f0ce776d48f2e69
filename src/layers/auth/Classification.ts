/**
 * What an answer to a token operation means. Pure: the status before the body, and the body's `code` only where the
 * status claims a success.
 *
 * @since 0.1.0
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
  type Origins,
  Unavailable,
  type UnexpectedReason,
  UnexpectedResponse
} from "../../schemas/AuthError.js"
import * as ErrorResponse from "../../schemas/ErrorResponse.js"
import { masking } from "../../schemas/SafeText.js"
import * as TokenResponse from "../../schemas/TokenResponse.js"
import * as Body from "../http/Body.js"
import { present } from "../http/present.js"
import * as AnswerHeaders from "./AnswerHeaders.js"

/**
 * @since 0.1.0
 * @category models
 */
export type TokenOperation = "issue" | "refresh" | "revoke" | "exchange"

/**
 * An answer, and what of the exchange its meaning depends on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Answer {
  readonly status: number
  readonly headers: Headers.Headers
  readonly body: Body.Body
  /** What was sent in confidence, and must not come back in an error. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
  /** When it came, by this machine's clock, in milliseconds since 1970. */
  readonly receivedAt: number
}

/**
 * What one operation reads differently from the others.
 *
 * @since 0.1.0
 * @category models
 */
export interface Rules<E> {
  readonly operation: TokenOperation
  /** What a 401 means. */
  readonly rejected: (facts: Facts) => E
  /** The values of `code` that mean the same on a success. */
  readonly rejectedCodes: ReadonlyArray<string>
  /** Whether a success grants a token; one that does not may come without a body. */
  readonly grants: boolean
  /** For the message of `InvalidCredentials`. */
  readonly origins: typeof Origins.Type
}

/**
 * What every error about an answer tells of it, secrets masked.
 *
 * @since 0.1.0
 * @category models
 */
export interface Facts {
  readonly operation: TokenOperation
  readonly status: number
  readonly code?: string
  readonly description?: string
}

type Failure = InvalidRequest | InvalidCredentials | Unavailable | UnexpectedResponse

/**
 * The rules of the four operations. A refusal to issue is about the credentials, and cannot be `Expired`; the others
 * present something which may have expired.
 *
 * @since 0.1.0
 * @category constructors
 */
export const rulesOf = (
  origins: typeof Origins.Type
): {
  readonly issue: Rules<InvalidCredentials>
  readonly refresh: Rules<Expired>
  readonly revoke: Rules<Expired>
  readonly exchange: Rules<Expired>
} => {
  const rejected = (facts: Facts): Expired => new Expired(facts)
  const presenting = { rejected, rejectedCodes: ["01", "02"], grants: true, origins }
  return {
    issue: {
      operation: "issue",
      rejected: (facts) => new InvalidCredentials({ ...facts, origins }),
      rejectedCodes: ["01"],
      grants: true,
      origins
    },
    refresh: { ...presenting, operation: "refresh" },
    exchange: { ...presenting, operation: "exchange" },
    revoke: {
      ...presenting,
      operation: "revoke",
      rejected: (facts) => new Expired({ ...facts, hint: THREE_CAUSES }),
      grants: false
    }
  }
}

const THREE_CAUSES =
  "A 401 has three causes: the accountId header is absent, the account id is wrong, or the token is dead already."

const BROKEN_OFF = "The answer began, and broke off."

/**
 * The JSON object of a success, or what went wrong. A success is a 2xx whose `code` is absent, `00` or itself a 2xx. Where
 * the code cannot be read, a usable token proves the success: it may have cost a single-use one, and is not thrown away.
 *
 * @since 0.1.0
 */
export const classify = <E>(answer: Answer, rules: Rules<E>): Either.Either<object, E | Failure> => {
  const json = Body.json(answer.body)
  const envelope = ErrorResponse.decode(Option.getOrUndefined(json))
  const mask = masking([...answer.secrets, ...tokensIn(json)])
  const safe = (text: string): string => mask(text, 200)
  const facts: Facts = {
    operation: rules.operation,
    status: answer.status,
    ...present("code", Option.map(envelope.code, safe)),
    ...present("description", Option.map(envelope.description, safe))
  }

  const unexpected = (reason: typeof UnexpectedReason.Type, issues: ReadonlyArray<string> = []): UnexpectedResponse =>
    new UnexpectedResponse({
      operation: rules.operation,
      status: answer.status,
      reason,
      issues,
      ...present("requestId", Option.map(AnswerHeaders.requestId(answer.headers), safe))
    })

  const invalid = (hint: { readonly hint?: string } = {}): InvalidRequest =>
    new InvalidRequest({ ...facts, errors: envelope.errors.map(safe), ...hint })

  const unavailable = (
    reason: "Timeout" | "RateLimited" | "ServerError",
    wait: Option.Option<Duration.Duration>
  ): Unavailable =>
    new Unavailable({
      ...facts,
      reason,
      processed: reason === "RateLimited" ? "no" : "unknown",
      ...present("retryAfter", wait)
    })

  const byStatus = (status: number, issues: ReadonlyArray<string> = []): E | Failure => {
    if (status === 0 || (status >= 300 && status < 400)) return unexpected("Redirect", issues)
    if (status < 400 || status > 599) return unexpected("UnknownStatus", issues)
    const wait = AnswerHeaders.wait(status, answer.headers, answer.receivedAt)
    switch (status) {
      case 401:
        return rules.rejected(facts)
      case 403:
        return new InvalidCredentials({ ...facts, origins: rules.origins })
      case 404:
        return invalid({ hint: "Check the base URL." })
      case 408:
        return unavailable("Timeout", wait)
      case 429:
        return unavailable("RateLimited", wait)
      default:
        return status < 500 ? invalid() : unavailable("ServerError", wait)
    }
  }

  if (!isSuccess(answer.status)) {
    const isRefusal = answer.status === 401 || answer.status === 403
    return Either.left(
      isRefusal && Body.isHtml(answer.body, answer.headers["content-type"])
        ? unexpected("HtmlResponse")
        : byStatus(answer.status)
    )
  }
  switch (answer.body.end._tag) {
    case "TooLarge":
      return Either.left(unexpected("TooLarge"))
    case "TooSlow":
      return Either.left(unavailable("Timeout", Option.none()))
    case "CutOff":
      return Either.left(
        new Unavailable({ ...facts, reason: "Network", ...present("detail", answer.body.end.detail), hint: BROKEN_OFF })
      )
  }
  if (Option.isNone(json)) {
    const isEmpty = answer.body.text.trim() === ""
    return isEmpty && !rules.grants
      ? Either.right({})
      : Either.left(unexpected("NotJson", [isEmpty ? "body: empty" : "body: not a JSON object"]))
  }
  if (Option.isSome(envelope.oddCode) && !(rules.grants && TokenResponse.hasToken(json.value))) {
    return Either.left(unexpected("OddCode", [envelope.oddCode.value]))
  }
  const code = Option.getOrElse(envelope.code, () => "00")
  if (code === "00") return Either.right(json.value)
  if (isStatus(code)) {
    return isSuccess(Number(code)) ? Either.right(json.value) : Either.left(byStatus(Number(code), [`code: ${code}`]))
  }
  return Either.left(rules.rejectedCodes.includes(code) ? rules.rejected(facts) : invalid())
}

/**
 * The status that an answer counts as: its `code` where that is an HTTP status and the status itself claims a success.
 *
 * @since 0.1.0
 */
export const effectiveStatus = (facts: {
  readonly status?: number | undefined
  readonly code?: string | undefined
}): number | undefined =>
  facts.status !== undefined && isSuccess(facts.status) && isStatus(facts.code) ? Number(facts.code) : facts.status

const isSuccess = (status: number): boolean => status >= 200 && status < 300

const isStatus = (code: string | undefined): boolean => code !== undefined && /^[1-5]\d\d$/.test(code)

const tokensIn = (json: Option.Option<object>): ReadonlyArray<Redacted.Redacted<string>> => {
  const body = Option.getOrUndefined(json)
  return [body, ErrorResponse.member(body, "data")]
    .flatMap((holder) => [ErrorResponse.member(holder, "access_token"), ErrorResponse.member(holder, "refresh_token")])
    .filter((token) => typeof token === "string")
    .map((token) => Redacted.make(token))
}
