/** Error responses in the documented envelope (spec: `components.schemas.ErrorResponse`). They never echo request data. */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { BadRequest, Unauthorized } from "../../schemas/NombaApi.js"

const descriptions: Readonly<Record<number, string>> = {
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

/** The Fetch standard lets these have no body. */
const bodiless: ReadonlyArray<number> = [204, 205, 304]

/** Text as it is, anything else as JSON. */
export const send = (
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {}
): HttpServerResponse.HttpServerResponse => {
  if (bodiless.includes(status)) return HttpServerResponse.empty({ status, headers })
  return typeof body === "string"
    ? HttpServerResponse.text(body, { status, headers })
    : HttpServerResponse.unsafeJson(body, { status, headers })
}

/** An error whose code is its status. */
export const respond = (
  status: number,
  options: {
    readonly headers?: Readonly<Record<string, string>>
    readonly errors?: ReadonlyArray<string>
  } = {}
): HttpServerResponse.HttpServerResponse =>
  send(
    status,
    { code: String(status), description: descriptions[status] ?? `Status ${status}`, errors: options.errors ?? [] },
    options.headers
  )

/** A 405 that says which methods the path has (RFC 9110 section 15.5.6). */
export const methodNotAllowed = (methods: Iterable<string>): HttpServerResponse.HttpServerResponse => {
  const allow = Array.from(methods).join(", ")
  return respond(405, { headers: { allow }, errors: [`the path allows only ${allow}`] })
}

/** An error whose status is a switch; on a 200 only the code says that it is one. */
export const refusal = (
  status: number,
  refused: { readonly code: string; readonly description: string; readonly error: string; readonly status?: false }
): HttpServerResponse.HttpServerResponse => {
  const { code, description, error, ...rest } = refused
  return HttpServerResponse.unsafeJson(
    { code: status === 200 ? code : String(status), description, errors: [error], ...rest },
    { status }
  )
}

export const badRequest = (...errors: ReadonlyArray<string>): BadRequest =>
  new BadRequest({ code: "400", description: "Invalid request parameters", errors })

export const unauthorized = (description: string, ...errors: ReadonlyArray<string>): Unauthorized =>
  new Unauthorized({ code: "401", description, errors })

const Failure = Schema.parseJson(Schema.Struct({ errors: Schema.Array(Schema.String) }))

export const firstError = ({ body }: HttpServerResponse.HttpServerResponse): string | undefined =>
  body._tag === "Uint8Array"
    ? Option.getOrUndefined(Schema.decodeUnknownOption(Failure)(new TextDecoder().decode(body.body)))?.errors[0]
    : undefined
