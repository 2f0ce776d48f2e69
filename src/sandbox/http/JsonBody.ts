/**
 * Reads the body of a request: at most 64 KiB of JSON, declared as JSON. Platform by itself accepts forms and a missing
 * content type as JSON, reads bodies of any size, and repeats values in its messages.
 */
import * as HttpApiMiddleware from "@effect/platform/HttpApiMiddleware"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type { ParseOptions } from "effect/SchemaAST"
import * as Stream from "effect/Stream"
import { BadRequest, type ErrorResponse, failure } from "../../schemas/NombaApi.js"
import { validationMessages } from "../config/validationMessages.js"
import { badRequest } from "./Envelope.js"

export class PayloadTooLarge extends Data.TaggedError("PayloadTooLarge")<typeof ErrorResponse.Type> {}

export class UnsupportedMediaType extends Data.TaggedError("UnsupportedMediaType")<typeof ErrorResponse.Type> {}

export class JsonBody extends Context.Tag("nomba-auth/sandbox/JsonBody")<JsonBody, unknown>() {}

export class ReadJson extends HttpApiMiddleware.Tag<ReadJson>()("nomba-auth/sandbox/ReadJson", {
  failure: Schema.Union(
    failure(BadRequest, { status: 400, description: "The body is not JSON." }),
    failure(PayloadTooLarge, { status: 413, description: "The body is larger than 64 KiB." }),
    failure(UnsupportedMediaType, { status: 415, description: "The body is not declared to be JSON." })
  ),
  provides: JsonBody
}) {}

const limit = 64 * 1024
const mostDiscarded = 1024 * 1024

const tooLarge = new PayloadTooLarge({
  code: "413",
  description: "Payload too large",
  errors: ["body: must be at most 64 KiB"]
})

const notJson = new UnsupportedMediaType({
  code: "415",
  description: "Unsupported media type",
  errors: ["content-type: must be application/json"]
})

const isJson = (contentType: string | undefined): boolean =>
  contentType?.split(";")[0]?.trim().toLowerCase() === "application/json"

const cutOff = () => badRequest("body: is empty or was cut off")

/**
 * A body without a content length. What is over the limit is read and discarded, up to 1 MiB, because platform closes the
 * connection of a body that is not read to its end, before the response.
 */
const readStream = (
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Uint8Array, BadRequest | PayloadTooLarge> =>
  request.stream.pipe(
    Stream.mapError(cutOff),
    Stream.runFoldWhile(
      { size: 0, chunks: Chunk.empty<Uint8Array>() },
      ({ size }) => size <= mostDiscarded,
      ({ chunks, size }, chunk) => ({
        size: size + chunk.length,
        chunks: size + chunk.length > limit ? chunks : Chunk.append(chunks, chunk)
      })
    ),
    Effect.filterOrFail(
      ({ size }) => size <= limit,
      () => tooLarge
    ),
    Effect.map(({ chunks }) => Buffer.concat(Chunk.toReadonlyArray(chunks)))
  )

const read = (
  request: HttpServerRequest.HttpServerRequest
): Effect.Effect<Uint8Array, BadRequest | PayloadTooLarge> => {
  const announced = request.headers["content-length"]
  if (announced === undefined) return readStream(request)
  if (Number(announced) > limit) return Effect.fail(tooLarge)
  return request.arrayBuffer.pipe(
    Effect.mapError(cutOff),
    Effect.filterOrFail(
      (buffer) => buffer.byteLength <= limit,
      () => tooLarge
    ),
    Effect.map((buffer) => new Uint8Array(buffer))
  )
}

export const readJson: Effect.Effect<
  unknown,
  BadRequest | PayloadTooLarge | UnsupportedMediaType,
  HttpServerRequest.HttpServerRequest
> = Effect.gen(function* () {
  const request = yield* HttpServerRequest.HttpServerRequest
  if (!isJson(request.headers["content-type"])) return yield* notJson
  const bytes = yield* read(request)
  return yield* Effect.try({
    try: (): unknown => JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes)),
    catch: () => badRequest("body: is not JSON")
  })
})

export const layer: Layer.Layer<ReadJson> = Layer.succeed(ReadJson, ReadJson.of(readJson))

/** The decoded body, or a 400 that names each invalid member and what it must be. */
export const decode = <A, I>(
  schema: Schema.Schema<A, I>,
  options: Pick<ParseOptions, "onExcessProperty"> = {}
): Effect.Effect<A, BadRequest, JsonBody> => {
  const decodeUnknown = Schema.decodeUnknown(schema, { ...options, errors: "all" })
  return Effect.flatMap(JsonBody, (body) =>
    Effect.mapError(decodeUnknown(body), ({ issue }) => badRequest(...validationMessages(issue)))
  )
}
