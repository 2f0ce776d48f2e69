/**
 * Lets a page in a browser call the Nomba API of the sandbox. `HttpMiddleware.cors` does not fit: it answers preflights for
 * paths that do not exist, echoes what the request asked for, and its headers go missing in process.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Option from "effect/Option"

const anyOrigin = { "access-control-allow-origin": "*" }

const readable = {
  ...anyOrigin,
  "access-control-expose-headers": "Allow, Retry-After, X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Window"
}

/** The answer to a preflight (Fetch standard, CORS-preflight request) of a path that has these methods. */
export const preflight = (
  methods: ReadonlyArray<string>,
  request: HttpServerRequest.HttpServerRequest
): Option.Option<HttpServerResponse.HttpServerResponse> =>
  request.method === "OPTIONS" && "access-control-request-method" in request.headers && methods.length > 0
    ? Option.some(
        HttpServerResponse.empty({
          status: 204,
          headers: {
            ...anyOrigin,
            "access-control-allow-methods": methods.join(", "),
            "access-control-allow-headers": "Authorization, *",
            "access-control-max-age": "600"
          }
        })
      )
    : Option.none()

/** Lets a page read the response. */
export const allow = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(response, readable)
