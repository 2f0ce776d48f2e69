/** The `User-Agent` of every request to Nomba. */
import * as Headers from "@effect/platform/Headers"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The version in package.json; a test compares the two. */
export const VERSION = "0.1.0"

const userAgent = `nomba-auth/${VERSION}`

const add = (request: HttpClientRequest.HttpClientRequest): HttpClientRequest.HttpClientRequest =>
  Headers.has(request.headers, "user-agent") ? request : HttpClientRequest.setHeader(request, "user-agent", userAgent)

/** A browser sends its own, and asks the server's permission (CORS preflight) before it sends another. */
const isBrowser = "document" in globalThis || "WorkerGlobalScope" in globalThis

/** A `User-Agent` that the caller's request, `transformClient` or the client below sets is kept. */
export const layer: Layer.Layer<HttpClient.HttpClient, never, HttpClient.HttpClient> = Layer.effect(
  HttpClient.HttpClient,
  Effect.map(HttpClient.HttpClient, (client) => (isBrowser ? client : HttpClient.mapRequestInput(client, add)))
)
