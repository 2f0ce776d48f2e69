/**
 * What the sandbox serves to whoever looks at it with a browser or a tool, beside its two APIs.
 *
 * @since 0.1.0
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Effect from "effect/Effect"
import { NombaApi } from "../schemas/NombaApi.js"
import { pages as pagesOfPeople } from "./page/Pages.js"

/** What is answered to a GET of one path. */
export type Page = Effect.Effect<HttpServerResponse.HttpServerResponse, never, HttpServerRequest.HttpServerRequest>

/** What is answered to a GET, by path. */
export type Pages = ReadonlyMap<string, Page>

const health = Effect.succeed(HttpServerResponse.unsafeJson({ status: "ok" }))

const document = Effect.sync(() => HttpServerResponse.unsafeJson(OpenApi.fromApi(NombaApi)))

/** Every page. */
export const pages: Pages = new Map<string, Page>([["/health", health], ["/openapi.json", document], ...pagesOfPeople])
