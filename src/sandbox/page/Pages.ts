/** The pages. Each is loaded at its first request, because the start is measured. */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { NombaApi } from "../../schemas/NombaApi.js"
import { defaultClient } from "../config/Options.js"
import { descriptions } from "../config/Switches.js"

export type Page = Effect.Effect<HttpServerResponse.HttpServerResponse>

const asset = (name: string): Page =>
  Effect.flatMap(
    Effect.promise(() => import("./Assets.js")),
    ({ respond }) => respond(name)
  )

const reference = (of: (module: typeof import("./Reference.js")) => Page): Page =>
  Effect.flatMap(
    Effect.promise(() => import("./Reference.js")),
    of
  )

const document = (title: string, path: string): Page => reference(({ page }) => Effect.succeed(page(title, path)))

const assets = [
  "connect.js",
  "controls.js",
  "counters.js",
  "dom.js",
  "log.js",
  "page.css",
  "page.js",
  "sandbox.js",
  "sessions.js",
  "switches.js",
  "format.js"
]

/** The page with its files, and the references of both APIs. */
export const pages: ReadonlyMap<string, Page> = new Map<string, Page>([
  ["/", asset("page.html")],
  ...assets.map((name) => [`/assets/${name}`, asset(name)] as const),
  ["/assets/switches.json", Effect.sync(() => HttpServerResponse.unsafeJson(descriptions))],
  [
    "/assets/default-client.json",
    Effect.sync(() =>
      HttpServerResponse.unsafeJson({ ...defaultClient, clientSecret: Redacted.value(defaultClient.clientSecret) })
    )
  ],
  ["/docs", document("Nomba sandbox: API reference", "/openapi.json")],
  ["/docs/control", document("Nomba sandbox: control API reference", "/_sandbox/openapi.json")],
  ["/docs/scalar.js", reference(({ script }) => script)]
])

/** For tools. Unlike the pages they answer under any host name. */
export const utilityRoutes: ReadonlyMap<string, Page> = new Map([
  ["/health", Effect.succeed(HttpServerResponse.unsafeJson({ status: "ok" }))],
  ["/openapi.json", Effect.sync(() => HttpServerResponse.unsafeJson(OpenApi.fromApi(NombaApi)))]
])
