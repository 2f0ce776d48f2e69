/** The responses that the proxy writes itself: to a request that it refuses, and if Nomba's response could not be had. */
import * as Http from "node:http"
import type { Socket } from "node:net"
import * as Duration from "effect/Duration"
import type { AuthError } from "../../schemas/AuthError.js"
import type { Exchange } from "./Exchange.js"

/** Why a request is not passed on. `tag` is the value of the header `x-nomba-auth`. */
export interface Refusal {
  readonly status: number
  readonly tag: "InvalidRequest" | "InvalidKey" | "NotAllowed" | "ForeignPage"
  readonly description: string
}

type Headers = Readonly<Record<string, string | number>>

/** Nomba's envelope (ErrorResponse of its OpenAPI document). */
const envelope = (status: number, description: string): string => JSON.stringify({ code: String(status), description })

const headersOf = (tag: string, body: string): Headers => ({
  "content-type": "application/json",
  "content-length": Buffer.byteLength(body),
  "cache-control": "no-store",
  "x-nomba-auth": tag
})

const respond = (
  { caller, response, upload }: Exchange,
  status: number,
  tag: string,
  description: string,
  more: Headers = {}
): void => {
  if (response.headersSent || response.destroyed) return void response.destroy()
  upload.stop()
  const body = envelope(status, description)
  // The rest of the request is not read, and what followed one that is malformed may be part of it.
  if (!upload.isComplete || status === 400) response.shouldKeepAlive = false
  response.writeHead(status, { ...headersOf(tag, body), ...more })
  response.end(caller.method === "HEAD" ? undefined : body)
}

export const refuse = (exchange: Exchange, { description, status, tag }: Refusal): void =>
  respond(exchange, status, tag, description, status === 401 ? { "www-authenticate": 'Bearer realm="nomba-auth"' } : {})

/** To what the HTTP parser did not take for a request. */
export const refuseRaw = (socket: Socket, status: number, problem: string): void => {
  if (socket.bytesWritten > 0) return void socket.destroy()
  const body = envelope(status, `Not passed on: ${problem}.`)
  const headers = Object.entries({ ...headersOf("InvalidRequest", body), connection: "close" })
  socket.on("error", () => {})
  socket.end(
    [
      `HTTP/1.1 ${status} ${Http.STATUS_CODES[status]}`,
      ...headers.map(([name, value]) => `${name}: ${value}`),
      "",
      body
    ].join("\r\n"),
    () => socket.destroy()
  )
}

/** Says why there is no response of Nomba. */
export const fail = (exchange: Exchange, error: unknown): void => {
  if (exchange.gone.isGone) return void exchange.response.destroy()
  if (!isAuthError(error)) return void respond(exchange, 500, "Unexpected", "The proxy failed unexpectedly.")
  const status = statusOf(error)
  const wait = status === 502 ? undefined : Duration.seconds(1)
  const { retryAfter = wait } = error
  const more = retryAfter === undefined ? {} : { "retry-after": Math.ceil(Duration.toSeconds(retryAfter)) }
  respond(exchange, status, error._tag, error.message, more)
}

const isAuthError = (error: unknown): error is AuthError =>
  error instanceof Error && "_tag" in error && "operation" in error

/** Never 401: the caller's key is good, and a program that logs in again after a 401 would not help. */
const statusOf = (error: AuthError): number => {
  if (error._tag !== "Unavailable") return 502
  if (error.reason === "RateLimited") return 429
  // This request did not reach Nomba or its response was lost, in contrast to a token that cannot be had for now.
  const isLost = error.operation === "request" && (error.reason === "Network" || error.reason === "Timeout")
  return isLost ? 502 : 503
}
