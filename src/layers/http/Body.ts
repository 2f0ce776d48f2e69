/**
 * An answer's body, read as far as is safe: at most 1 MiB, for a limited time, and never with a failure, because on an
 * error status the status alone decides.
 *
 * @since 0.1.0
 */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { isObject } from "../../schemas/ErrorResponse.js"
import { sleep } from "../wait/patiently.js"
import { systemCode } from "./NetworkFailure.js"

/** Nothing is read past this many bytes. */
export const LIMIT: number = 1024 * 1024

/**
 * What was received, and why no more of it was.
 *
 * @since 0.1.0
 * @category models
 */
export interface Body {
  readonly text: string
  readonly end: End
}

/**
 * @since 0.1.0
 * @category models
 */
export type End =
  | { readonly _tag: "Complete" }
  | { readonly _tag: "TooLarge" }
  | { readonly _tag: "TooSlow" }
  | { readonly _tag: "CutOff"; readonly detail: Option.Option<string> }

const complete: End = { _tag: "Complete" }
const tooLarge: End = { _tag: "TooLarge" }
const tooSlow: End = { _tag: "TooSlow" }

/**
 * Reads a body for at most `within`. One that states more than 1 MiB is not read at all. The connection is freed when the
 * request's scope closes (`HttpClient.withScope`).
 *
 * @since 0.1.0
 */
export const read = (
  response: HttpClientResponse.HttpClientResponse,
  within: Duration.DurationInput
): Effect.Effect<Body> => readUntil(response, sleep(within))

/**
 * The same, until `late` is done.
 *
 * @since 0.1.0
 */
export const readUntil = (
  response: HttpClientResponse.HttpClientResponse,
  late: Effect.Effect<void>
): Effect.Effect<Body> =>
  Effect.suspend(() => {
    if (statedLength(response) > LIMIT) return Effect.succeed({ text: "", end: tooLarge })
    const decoder = new TextDecoder()
    let text = ""
    let size = 0
    let end: End = complete
    return response.stream.pipe(
      // Within the stream: it runs in a fiber of its own, and what that ended with would be logged, cause and all.
      Stream.catchAllCause((cause) => {
        end = endOf(cause)
        return Stream.empty
      }),
      Stream.runForEachWhile((chunk) =>
        Effect.sync(() => {
          size += chunk.byteLength
          if (size <= LIMIT) text += decoder.decode(chunk, { stream: true })
          return size <= LIMIT
        })
      ),
      Effect.map(() => (size > LIMIT ? tooLarge : end)),
      Effect.disconnect,
      Effect.raceFirst(Effect.as(late, tooSlow)),
      Effect.map((end) => ({ text: text + decoder.decode(), end }))
    )
  })

/**
 * The JSON object that the body is; none where it is anything else.
 *
 * @since 0.1.0
 */
export const json = (body: Body): Option.Option<object> => Option.filter(parse(body.text), isObject)

/**
 * Whether a page stands in the place of the API's JSON: what a firewall or a portal answers.
 *
 * @since 0.1.0
 */
export const isHtml = (body: Body, contentType: string | undefined): boolean =>
  /^\s*</.test(body.text) ||
  (/^\s*(?:text\/html|application\/xhtml)/i.test(contentType ?? "") && Option.isNone(json(body)))

const parse = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const statedLength = ({ headers }: HttpClientResponse.HttpClientResponse): number => {
  const length = headers["content-length"]
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : 0
}

const endOf = (cause: Cause.Cause<HttpClientError.ResponseError>): End => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  return error?.reason === "EmptyBody" ? complete : { _tag: "CutOff", detail: systemCode(error ?? Cause.squash(cause)) }
}
