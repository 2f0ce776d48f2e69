/** A client that answers with what was generated. Waits by the clock, and for nothing else. */
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Layer, Option, Stream } from "effect"
import * as IncomingResponse from "../../src/layers/http/IncomingResponse.js"
import { type Answer, bytesOf, type End, PIECE } from "./answers.js"

const spaces = new Uint8Array(PIECE).fill(32)

/** How many pieces of a body without an end may be read. */
const PATIENCE = (4 * IncomingResponse.LIMIT) / PIECE

export interface AnsweringClient {
  readonly layer: Layer.Layer<HttpClient.HttpClient>
  /** The requests so far. */
  readonly sent: () => number
  /** For each request how many bytes of its answer's body were asked for. */
  readonly pulled: ReadonlyArray<number>
}

/** Gives the answers in order, the last one for ever. */
export const answering = (answers: readonly [Answer, ...Array<Answer>]): AnsweringClient => {
  const pulled: Array<number> = []
  const client = HttpClient.make((request) =>
    Effect.suspend(() => {
      const nth = pulled.push(0) - 1
      const answer = answers[nth] ?? answers[answers.length - 1] ?? answers[0]
      return Effect.delay(
        Effect.sync(() =>
          responseOf(request, answer, (size) => {
            pulled[nth] = (pulled[nth] ?? 0) + size
          })
        ),
        answer.latency
      )
    })
  )
  return { layer: Layer.succeed(HttpClient.HttpClient, client), sent: () => pulled.length, pulled }
}

const responseOf = (
  request: HttpClientRequest.HttpClientRequest,
  answer: Answer,
  isPulled: (size: number) => void
): HttpClientResponse.HttpClientResponse => {
  const plain = new Response(null, { headers: answer.headers })
  const response = HttpClientResponse.fromWeb(request, Object.defineProperty(plain, "status", { value: answer.status }))
  const stream = bodyOf(request, response, answer).pipe(
    Stream.tap((chunk) => Effect.sync(() => isPulled(chunk.byteLength)))
  )
  return new Proxy(response, {
    get: (target, key) => (key === "stream" ? stream : Reflect.get(target, key, target))
  })
}

const bodyOf = (
  request: HttpClientRequest.HttpClientRequest,
  response: HttpClientResponse.HttpClientResponse,
  answer: Answer
): Stream.Stream<Uint8Array, HttpClientError.ResponseError> => {
  const bytes = bytesOf(answer)
  const size = Math.max(answer.piece, Math.ceil(bytes.length / 100))
  const pieces = Stream.unfoldEffect(0, (at) =>
    at >= bytes.length
      ? Effect.succeedNone
      : Effect.asSome(Effect.delay(Effect.succeed([bytes.subarray(at, at + size), at + size] as const), answer.pause))
  )
  const ends: Record<End, Stream.Stream<Uint8Array, HttpClientError.ResponseError>> = {
    ends: Stream.empty,
    "breaks off": Stream.fail(
      new HttpClientError.ResponseError({
        request,
        response,
        reason: "Decode",
        cause: Object.assign(new Error(request.headers["authorization"]), { code: "ECONNRESET" })
      })
    ),
    "never ends": Stream.never,
    "goes on for ever": Stream.unfoldEffect(PATIENCE, (left) =>
      left === 0
        ? Effect.dieMessage("the client did not stop reading")
        : Effect.delay(Effect.succeed(Option.some([spaces, left - 1] as const)), answer.pause)
    ),
    dies: Stream.die(new Error(request.headers["authorization"])),
    "interrupts itself": Stream.fromEffect(Effect.interrupt)
  }
  return Stream.concat(pieces, ends[answer.end])
}
