/**
 * The documented envelope of every failure (spec: `components.schemas.ErrorResponse`). What the contract has no word
 * for, such as a 404, wears it too. Nothing that came with a request is ever put into one.
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BadRequest, Unauthorized } from "../../schemas/NombaApi.js"

const reasons: Readonly<Record<number, string>> = {
  200: "Success",
  403: "Forbidden",
  404: "Not found",
  405: "Method not allowed",
  429: "Too many requests",
  500: "Internal error",
  502: "Bad gateway",
  503: "Service unavailable",
  504: "Gateway timeout"
}

/** A failure in the envelope. Its code is the status: what the spec calls an error status code. */
export const respond = (
  status: number,
  options: { readonly headers?: Readonly<Record<string, string>> } = {}
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(
    { code: String(status), description: reasons[status] ?? `Status ${status}`, errors: [] },
    { status, headers: options.headers }
  )

/** A refusal with a status of the user's choice; on a 200 the code alone says that it is one. */
export const refusal = (
  status: number,
  refused: { readonly code: string; readonly description: string; readonly error: string }
): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.unsafeJson(
    {
      code: status === 200 ? refused.code : String(status),
      description: refused.description,
      errors: [refused.error]
    },
    { status }
  )

/** A 400 that names each thing that is wrong. */
export const badRequest = (...errors: ReadonlyArray<string>): BadRequest =>
  new BadRequest({ code: "400", description: "Invalid request parameters", errors })

/** A 401, and why. */
export const unauthorized = (description: string, ...errors: ReadonlyArray<string>): Unauthorized =>
  new Unauthorized({ code: "401", description, errors })

const Refusal = Schema.parseJson(Schema.Struct({ errors: Schema.Array(Schema.String) }))

/** The first of the errors that an answer names, if it names any. */
export const firstError = ({ body }: HttpServerResponse.HttpServerResponse): string | undefined =>
  body._tag === "Uint8Array"
    ? Option.getOrUndefined(Schema.decodeUnknownOption(Refusal)(new TextDecoder().decode(body.body)))?.errors[0]
    : undefined
