/**
 * Reads the responses of Nomba's resources: is the call a success, and what is its `data`?
 *
 * The HTTP status alone does not tell. A call is a success if the status is 2xx, the `code` is absent, `00` or itself a 2xx,
 * and the `description` is not one of the words with which a transfer says that it failed. The boolean `status` is not
 * read, because Nomba sends `false` with some successes.
 *
 * @since 0.1.0
 */
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { UnexpectedResponse } from "../schemas/AuthError.js"
import { NombaRequestFailed } from "../schemas/NombaRequestFailed.js"
import * as Responses from "../schemas/Responses.js"
import { masking } from "../schemas/SafeText.js"
import * as IncomingResponse from "./http/IncomingResponse.js"
import { RedactedResponse } from "./http/RedactedResponse.js"

/**
 * What a successful call returned.
 *
 * @since 0.1.0
 * @category models
 */
export interface Result<A> {
  readonly data: A
  /**
   * Nomba accepted the call but does not know its outcome yet: the status or the `code` is 201, the `description` is
   * `PROCESSING`, or `data.status` is `PENDING_BILLING`. A webhook tells the outcome, or a later look-up by reference.
   */
  readonly isPending: boolean
}

/**
 * Decodes the `data` of a successful response. It reads at most 1 MiB and has no timeout of its own.
 *
 * Fails with `NombaRequestFailed` if the call failed, and with `UnexpectedResponse` if the response is not Nomba's JSON or
 * its `data` does not fit the schema. Neither holds a value of the body beyond Nomba's own `code`, `description` and
 * `errors`.
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { NombaClient, NombaResponse } from "nomba-auth"
 *
 * const Balance = Schema.Struct({ amount: Schema.String, currency: Schema.String })
 *
 * export const balance = Effect.gen(function* () {
 *   const nomba = yield* NombaClient
 *   const response = yield* nomba.get("/v1/accounts/balance")
 *   return yield* NombaResponse.data(Balance)(response)
 * })
 * ```
 *
 * @since 0.1.0
 * @category decoding
 */
export const data = <A, I, R>(
  schema: Schema.Schema<A, I, R>
): ((
  response: HttpClientResponse.HttpClientResponse
) => Effect.Effect<A, NombaRequestFailed | UnexpectedResponse, R>) => {
  const read = result(schema)
  return (response) => Effect.map(read(response), ({ data }) => data)
}

/**
 * The same as `data`, and whether the outcome is still unknown. Use it for calls that move money: a pending transfer may
 * still fail.
 *
 * @since 0.1.0
 * @category decoding
 */
export const result = <A, I, R>(
  schema: Schema.Schema<A, I, R>
): ((
  response: HttpClientResponse.HttpClientResponse
) => Effect.Effect<Result<A>, NombaRequestFailed | UnexpectedResponse, R>) => {
  const decode = Schema.decodeUnknown(schema, { errors: "all" })
  return Effect.fn("NombaResponse.result")(function* (response) {
    const { headers, status } = response
    const body = yield* IncomingResponse.readUntil(response, Effect.never)
    const mask = masking(RedactedResponse.secretsOf(response))
    const safe = (text: string): string => mask(text, 200)

    const unexpected = (reason: UnexpectedResponse["reason"], issues: ReadonlyArray<string> = []): UnexpectedResponse =>
      new UnexpectedResponse({
        operation: "request",
        status,
        reason,
        issues: issues.slice(0, 20).map(safe),
        ...Responses.present("requestId", Option.map(IncomingResponse.requestId(headers), safe))
      })

    const envelope = Responses.decodeEnvelope(Option.getOrUndefined(IncomingResponse.json(body)))
    const verdict = judge(response, body)
    switch (verdict._tag) {
      case "Unexpected":
        return yield* unexpected(verdict.reason, verdict.issues)
      case "Failure": {
        const wait = IncomingResponse.wait(verdict.status, headers, yield* Clock.currentTimeMillis)
        return yield* new NombaRequestFailed({
          status,
          ...Responses.present("code", Option.map(envelope.code, safe)),
          ...Responses.present("description", Option.map(envelope.description, safe)),
          errors: [...envelope.errors, ...verdict.errors].map(safe),
          retryable: verdict.retryable,
          processed: verdict.processed,
          ...Responses.present("retryAfter", wait)
        })
      }
      case "Success": {
        const given = Responses.member(verdict.json, "data")
        const data = yield* Effect.catchAll(decode(given), (error) =>
          Effect.flatMap(pathsOf(error, given), (paths) => unexpected("SchemaMismatch", paths))
        )
        const isPending = verdict.isPending || Responses.member(given, "status") === "PENDING_BILLING"
        return { data, isPending }
      }
    }
  })
}

interface Success {
  readonly _tag: "Success"
  readonly json: object
  readonly isPending: boolean
}

interface Failure {
  readonly _tag: "Failure"
  /** What the response counts as: its `code` if that is an HTTP status and the status itself is 2xx. */
  readonly status: number
  readonly errors: ReadonlyArray<string>
  readonly retryable: boolean
  readonly processed: "no" | "unknown"
}

interface Unexpected {
  readonly _tag: "Unexpected"
  readonly reason: UnexpectedResponse["reason"]
  readonly issues: ReadonlyArray<string>
}

/** Descriptions of a transfer that failed. They come with the status 200 and the code 200. */
const FAILED = new Set([
  "FAILED",
  "BAD_REQUEST",
  "INSUFFICIENT_BALANCE",
  "ACCOUNT_NOT_FOUND",
  "INVALID_TRANSACTION",
  "WALLET_NOT_FOUND",
  "BLACKLISTED"
])

/** The success rule. The status comes first, then the body's end, then the `code`, then the `description`. */
const judge = (
  response: HttpClientResponse.HttpClientResponse,
  body: IncomingResponse.Body
): Success | Failure | Unexpected => {
  const json = IncomingResponse.json(body)
  const envelope = Responses.decodeEnvelope(Option.getOrUndefined(json))
  const isRead = response.request.method === "GET" || response.request.method === "HEAD"

  const failure = (status: number, errors: ReadonlyArray<string> = []): Failure => ({
    _tag: "Failure",
    status,
    errors,
    retryable: status === 429 || (status >= 500 && isRead),
    processed: status >= 400 && status < 500 && status !== 408 && status !== 499 ? "no" : "unknown"
  })
  const unexpected = (reason: UnexpectedResponse["reason"], issues: ReadonlyArray<string> = []): Unexpected => ({
    _tag: "Unexpected",
    reason,
    issues
  })

  if (!isSuccess(response.status)) {
    const isRefusal = response.status === 401 || response.status === 403
    return isRefusal && IncomingResponse.isHtml(body, response.headers["content-type"])
      ? unexpected("HtmlResponse")
      : failure(response.status)
  }
  if (body.end._tag === "TooLarge") return unexpected("TooLarge")
  if (body.end._tag !== "Complete") return { ...failure(response.status, ["body: broke off"]), retryable: isRead }
  if (Option.isNone(json)) {
    if (response.status === 204) return { _tag: "Success", json: {}, isPending: false }
    return unexpected("NotJson", [body.text.trim() === "" ? "body: empty" : "body: not a JSON object"])
  }
  if (Option.isSome(envelope.oddCode)) return unexpected("OddCode", [envelope.oddCode.value])

  const code = Option.getOrElse(envelope.code, () => "00")
  const status = /^[1-5]\d\d$/.test(code) ? Number(code) : response.status
  if (code !== "00" && !(isSuccess(status) && code === String(status))) return failure(status)
  const description = Option.getOrElse(envelope.description, () => "").toUpperCase()
  if (FAILED.has(description)) return { ...failure(status), processed: "no" }
  return {
    _tag: "Success",
    json: json.value,
    isPending: response.status === 201 || status === 201 || description === "PROCESSING"
  }
}

const isSuccess = (status: number): boolean => status >= 200 && status < 300

/** Where the data does not fit. A key that is not a plain name is shown as `*`: keys of a record are values. */
const pathsOf = (error: ParseResult.ParseError, given: unknown): Effect.Effect<ReadonlyArray<string>> =>
  Effect.map(ParseResult.ArrayFormatter.formatIssue(error.issue), (issues) => [
    ...new Set(
      issues.map(({ _tag, path }) => {
        const steps = path.map((key) => (typeof key === "number" || isName(String(key)) ? String(key) : "*"))
        const isMissing = _tag === "Missing" || (path.length === 0 && given === undefined)
        return `${["data", ...steps].join(".")}: ${isMissing ? "missing" : _tag === "Type" ? "wrong type" : "invalid"}`
      })
    )
  ])

const isName = (key: string): boolean => /^[a-z_]\w{0,39}$/i.test(key)
