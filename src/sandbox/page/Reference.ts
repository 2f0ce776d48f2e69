/**
 * The references of both APIs, shown by the copy of Scalar that comes with platform. This module loads 3.4 MB, so import it
 * late. Platform writes script and configuration into the page; here both pages share one script with a path of its own, so
 * that the policy need not allow inline scripts.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiScalar from "@effect/platform/HttpApiScalar"
import * as HttpLayerRouter from "@effect/platform/HttpLayerRouter"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"
import { escape } from "../http/Html.js"
import { headers, typeOf } from "./Assets.js"

const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self' 'unsafe-inline'",
  "connect-src 'self'",
  "font-src data:",
  "img-src 'self' data: blob:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'none'"
].join("; ")

/** No request to another host; requests that are tried go to this sandbox. */
const configuration = {
  _integration: "html",
  defaultOpenAllTags: true,
  documentDownloadType: "direct",
  hideClientButton: true,
  servers: [{ url: "/", description: "This sandbox" }],
  showToolbar: "never",
  telemetry: false,
  withDefaultFonts: false
}

export const page = (title: string, document: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.uint8Array(
    new TextEncoder().encode(`<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${escape(title)}</title>
    <link rel="icon" href="data:,">
  </head>
  <body>
    <script id="api-reference" data-configuration="${escape(JSON.stringify({ ...configuration, url: document }))}"></script>
    <script src="/docs/scalar.js"></script>
  </body>
</html>
`),
    { contentType: typeOf("page.html"), headers: { ...headers, "content-security-policy": policy } }
  )

const Nothing = HttpApi.make("nothing")

/** Taken out of the page that platform makes. */
export const script: Effect.Effect<HttpServerResponse.HttpServerResponse> = Effect.gen(function* () {
  const app = yield* HttpLayerRouter.toHttpEffect(HttpApiScalar.layerHttpLayerRouter({ api: Nothing, path: "/" }))
  const request = HttpServerRequest.fromWeb(new Request("http://localhost/"))
  const { body } = yield* Effect.provideService(app, HttpServerRequest.HttpServerRequest, request)
  const html = body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""
  const source = html.slice(html.lastIndexOf("<script>") + "<script>".length, html.lastIndexOf("</script>"))
  return HttpServerResponse.uint8Array(new TextEncoder().encode(source), { contentType: typeOf("scalar.js"), headers })
}).pipe(Effect.scoped, Effect.orDie)
