/**
 * Reads a response: its body within limits of size and time, and the headers that say when and how long.
 */
import type * as Headers from "@effect/platform/Headers"
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import type * as Chunk from "effect/Chunk"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Expiry from "../../schemas/Expiry.js"
import { isObject } from "../../schemas/Responses.js"
import { firstOf, interruptInBackground, stallTolerantSleep } from "../time.js"
import { systemCode } from "./NetworkFailure.js"

/** Nothing is read past this many bytes. */
export const LIMIT: number = 1024 * 1024

/** What was received, and why it ended. */
export interface Body {
  readonly text: string
  readonly end: End
}

export type End =
  | { readonly _tag: "Complete" }
  | { readonly _tag: "TooLarge" }
  | { readonly _tag: "TooSlow" }
  | { readonly _tag: "CutOff"; readonly detail: Option.Option<string> }

const complete: End = { _tag: "Complete" }
const tooLarge: End = { _tag: "TooLarge" }
const tooSlow: End = { _tag: "TooSlow" }

/**
 * Reads at most 1 MiB, until `late` is done. It never fails, because on an error status the status alone decides. A body
 * that states more than 1 MiB is not read at all. The connection is freed when the request's scope closes
 * (`HttpClient.withScope`).
 *
 * `readWhile` takes the body piece by piece, and `readAtOnce` in a third of Effect's steps.
 */
export const readUntil = (
  response: HttpClientResponse.HttpClientResponse,
  late: Effect.Effect<void>,
  read: typeof readWhile = readWhile
): Effect.Effect<Body> =>
  Effect.suspend(() => {
    if (statedLength(response.headers) > LIMIT) return Effect.succeed({ text: "", end: tooLarge })
    const decoder = new TextDecoder()
    let text = ""
    let size = 0
    const take = (piece: Uint8Array): boolean => {
      size += piece.byteLength
      if (size <= LIMIT) text += decoder.decode(piece, { stream: true })
      return size <= LIMIT
    }
    return read(response, take).pipe(
      Effect.matchCause({ onFailure: endOf, onSuccess: (isWhole) => (isWhole ? complete : tooLarge) }),
      interruptInBackground,
      Effect.raceFirst(Effect.as(late, tooSlow)),
      Effect.map((end) => ({ text: text + decoder.decode(), end }))
    )
  })

/** What is left of a body. Fails with none at its end. */
type Pull<E> = Effect.Effect<Chunk.Chunk<Uint8Array>, Option.Option<E>>

/**
 * Takes the pieces that are pulled until `take` returns false. Succeeds with whether the body was read to its end. Running the
 * stream itself takes twice as long.
 */
const pullWhile = <E>(pull: Pull<E>, take: (piece: Uint8Array) => boolean): Effect.Effect<boolean, E> =>
  Effect.gen(function* () {
    let wantsMore = true
    while (wantsMore) {
      const next = yield* Effect.either(pull)
      if (next._tag === "Left") return Option.isNone(next.left) || (yield* Effect.fail(next.left.value))
      for (const piece of next.right) wantsMore = take(piece)
    }
    return false
  })

/** Lets go of the body when `take` returns false. */
const readWhile = (
  { stream }: HttpClientResponse.HttpClientResponse,
  take: (piece: Uint8Array) => boolean
): Effect.Effect<boolean, HttpClientError.ResponseError> =>
  Effect.scoped(Effect.flatMap(Stream.toPull(stream), (pull) => pullWhile(pull, take)))

/** Whether this is a success whose body cannot be longer than it states. The beginning of an error's body is worth having. */
const hasReliableLength = ({ headers, status }: HttpClientResponse.HttpClientResponse): boolean =>
  status >= 200 &&
  status < 300 &&
  statedLength(headers) > 0 &&
  (headers["content-encoding"] ?? headers["transfer-encoding"]) === undefined

/**
 * Takes the body in one piece if its length can be relied on. Do not use it for a response that a user may have read: on
 * `node:http` it would wait for ever for a body that was read as bytes. A text that was read can be read again.
 *
 * A browser may hide that a body is compressed. That body is read to its end.
 */
export const readAtOnce: typeof readWhile = (response, take) =>
  hasReliableLength(response)
    ? Effect.map(response.text, (text) => take(new TextEncoder().encode(text)))
    : readWhile(response, take)

/** A longer body is cancelled when it is discarded, because it costs more than a new connection. */
const DISCARD_LIMIT = 64 * 1024

/**
 * Frees the connection of a response that is not read any further: a short body is read to its end, any other is cancelled. Takes
 * at most one second.
 */
export const discard = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<void> => {
  let left = statedLength(response.headers) > DISCARD_LIMIT ? 0 : DISCARD_LIMIT
  const read = readWhile(response, (piece) => {
    left -= piece.byteLength
    return left > 0
  }).pipe(Effect.exit, interruptInBackground)
  // Also in an uninterruptible region, in which the response of an interrupted caller is discarded.
  return firstOf(read, stallTolerantSleep("1 seconds"))
}

/** Bodies of more than this many bytes are not looked at. */
export const PEEK_LIMIT: number = 64 * 1024

/** What `peek` found, and a response with the same content to read from. */
export interface Peeked {
  /** The whole text; none if it is longer than the limit, slower than a second, or broke off. */
  readonly text: Option.Option<string>
  readonly response: HttpClientResponse.HttpClientResponse
  /** Frees the connection if the rest is not read. */
  readonly cancel: Effect.Effect<void>
}

/** Closes what a response that was garbage-collected would have read; some platforms have no such registry. */
const abandoned =
  typeof FinalizationRegistry === "function"
    ? new FinalizationRegistry<Effect.Effect<void>>((close) => void Effect.runFork(close))
    : undefined

/**
 * Reads the text of a short body for at most a second. The given response's own body is used up then, and the one that
 * comes back has the same content in every form.
 */
export const peek = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<Peeked> =>
  Effect.gen(function* () {
    const untouched: Peeked = { text: Option.none(), response, cancel: Effect.void }
    if (statedLength(response.headers) > PEEK_LIMIT) return untouched
    const scope = yield* Scope.make()
    const cancel = Scope.close(scope, Exit.void)
    // Without the cause: it holds the request, and the stream runs in fibers of its own, whose failures may be logged.
    const content = Stream.catchAllCause(response.stream, (cause) => Stream.fail(new BodyFailure(cause)))
    const pull = yield* Scope.extend(Stream.toPull(content), scope)
    const reading = yield* Effect.forkIn(readAtMost(pull, PEEK_LIMIT), scope)
    const start = yield* Fiber.join(reading).pipe(
      Effect.asSome,
      interruptInBackground,
      Effect.raceFirst(Effect.as(stallTolerantSleep("1 seconds"), Option.none())),
      Effect.onInterrupt(() => cancel)
    )
    if (Option.isSome(start) && start.value.end === "Empty") return untouched
    if (Option.isSome(start) && start.value.end === "Complete") {
      yield* cancel
      const bytes = joined(start.value.chunks)
      return {
        text: Option.some(new TextDecoder().decode(bytes)),
        response: copy(response, bytes),
        cancel: Effect.void
      }
    }
    const rest = Stream.unwrap(
      Effect.map(Fiber.join(reading), ({ chunks, end }) =>
        Stream.concat(
          Stream.fromIterable(chunks),
          end instanceof BodyFailure ? Stream.fail(end) : Stream.repeatEffectChunkOption(pull)
        )
      )
    ).pipe(Stream.ensuring(cancel))
    const unread = copy(response, Stream.toReadableStream(rest))
    abandoned?.register(unread, cancel)
    return { text: Option.none(), response: unread, cancel }
  })

/** What a body broke off with, as far as it may be told. */
class BodyFailure extends Error {
  readonly code: string | undefined
  readonly isEmpty: boolean
  constructor(cause: Cause.Cause<HttpClientError.ResponseError>) {
    super("the body broke off")
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    this.code = Option.getOrUndefined(systemCode(error ?? Cause.squash(cause)))
    this.isEmpty = error?.reason === "EmptyBody"
  }
}

interface Start {
  readonly chunks: ReadonlyArray<Uint8Array>
  readonly end: "Complete" | "Empty" | "TooLarge" | BodyFailure
}

const readAtMost = (pull: Pull<BodyFailure>, limit: number): Effect.Effect<Start> =>
  Effect.suspend(() => {
    const chunks: Array<Uint8Array> = []
    let size = 0
    const take = (piece: Uint8Array): boolean => {
      chunks.push(piece)
      size += piece.byteLength
      return size <= limit
    }
    return Effect.match(pullWhile(pull, take), {
      onFailure: (failure) => ({ chunks, end: failure.isEmpty ? "Empty" : failure }),
      onSuccess: (isWhole) => ({ chunks, end: isWhole ? "Complete" : "TooLarge" })
    })
  })

const joined = (chunks: ReadonlyArray<Uint8Array>): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(chunks.reduce((size, chunk) => size + chunk.byteLength, 0))
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.byteLength
  }
  return bytes
}

/** Only the content and its type: `Response` allows no status without a body. */
const copy = (
  { headers, request }: HttpClientResponse.HttpClientResponse,
  body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>
): HttpClientResponse.HttpClientResponse => {
  const type = headers["content-type"]
  return HttpClientResponse.fromWeb(
    request,
    new Response(body, type === undefined ? {} : { headers: { "content-type": type } })
  )
}

/** The body's JSON object; none if it is anything else. */
export const json = (body: Body): Option.Option<object> => parseObject(body.text)

/** Whether the body is an HTML page, which comes from a firewall or a portal. */
export const isHtml = (body: Body, contentType: string | undefined): boolean =>
  /^\s*</.test(body.text) ||
  (/^\s*(?:text\/html|application\/xhtml)/i.test(contentType ?? "") && Option.isNone(json(body)))

/** The JSON value of a text; undefined if it is none. */
export const parseJson = (text: string): unknown => Option.getOrUndefined(parse(text))

const parse = Option.liftThrowable((text: string): unknown => JSON.parse(text))

const parseObject = (text: string): Option.Option<object> => Option.filter(parse(text), isObject)

const statedLength = (headers: Headers.Headers): number => {
  const length = headers["content-length"]
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : 0
}

const endOf = (cause: Cause.Cause<HttpClientError.ResponseError>): End => {
  const error = Option.getOrUndefined(Cause.failureOption(cause))
  return error?.reason === "EmptyBody" ? complete : { _tag: "CutOff", detail: systemCode(error ?? Cause.squash(cause)) }
}

/** Longer waits are cut to this. */
export const MAX_WAIT: Duration.Duration = Duration.hours(1)

/** The server's time in milliseconds since 1970; none if an `Age` header shows that the response comes from a cache. */
export const date = (headers: Headers.Headers): Option.Option<number> =>
  headers["age"] === undefined ? httpDate(headers["date"]) : Option.none()

/**
 * The wait that the server states, from zero to an hour: `Retry-After` (RFC 9110 section 10.2.3) in seconds or as a date,
 * which is compared with the server's own; otherwise, on a 429, the length of Nomba's rate limit window. Malformed headers
 * are ignored.
 */
export const wait = (status: number, headers: Headers.Headers, now: number): Option.Option<Duration.Duration> =>
  retryAfter(headers, now).pipe(
    Option.orElse(() => (status === 429 ? rateLimitWindow(headers["x-rate-limit-window"]) : Option.none())),
    Option.map((millis) => Duration.clamp(Duration.millis(millis), { minimum: Duration.zero, maximum: MAX_WAIT }))
  )

/** The server's own id of the request, unmasked. */
export const requestId = (headers: Headers.Headers): Option.Option<string> =>
  Option.fromNullable(
    headers["x-request-id"] ?? headers["x-correlation-id"] ?? headers["request-id"] ?? headers["cf-ray"]
  )

const httpDate = (text: string | undefined): Option.Option<number> =>
  Option.flatMap(Option.fromNullable(text), Expiry.parseHttpDate)

const retryAfter = (headers: Headers.Headers, now: number): Option.Option<number> => {
  const text = headers["retry-after"]?.trim()
  if (text !== undefined && /^\d+$/.test(text)) return Option.some(Number(text) * 1000)
  return Option.map(httpDate(text), (at) => at - Option.getOrElse(date(headers), () => now))
}

/** `1s`, `60s`, or a bare number of milliseconds. */
const rateLimitWindow = (text: string | undefined): Option.Option<number> => {
  const match = /^(\d+)\s*(s|ms)?$/i.exec(text?.trim() ?? "")
  return Option.map(
    Option.fromNullable(match),
    ([, digits, unit]) => Number(digits) * (unit?.toLowerCase() === "s" ? 1000 : 1)
  )
}
