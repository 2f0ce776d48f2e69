/**
 * Lets a page in a browser call the Nomba API of the sandbox. `HttpMiddleware.cors` is of no use here: it answers the
 * preflight of what does not exist, repeats what the request asked for, and its headers go missing in process.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Option from "effect/Option"
import { pathOf, type Routes } from "./httpApiRoutes.js"

const anyOrigin = { "access-control-allow-origin": "*" }

const readable = {
  ...anyOrigin,
  "access-control-expose-headers": "Allow, Retry-After, X-Rate-Limit-Limit, X-Rate-Limit-Remaining, X-Rate-Limit-Window"
}

/** The answer to a preflight (Fetch standard, CORS-preflight request) for one of the routes. */
export const preflight = (
  routes: Routes,
  request: HttpServerRequest.HttpServerRequest
): Option.Option<HttpServerResponse.HttpServerResponse> =>
  Option.fromNullable(routes.get(pathOf(request))).pipe(
    Option.filter(() => request.method === "OPTIONS" && "access-control-request-method" in request.headers),
    Option.map((methods) =>
      HttpServerResponse.empty({
        status: 204,
        headers: {
          ...anyOrigin,
          "access-control-allow-methods": Array.from(methods.keys()).join(", "),
          "access-control-allow-headers": "Authorization, *",
          "access-control-max-age": "600"
        }
      })
    )
  )

/** An answer that a page may read. */
export const allow = (response: HttpServerResponse.HttpServerResponse): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.setHeaders(response, readable)
