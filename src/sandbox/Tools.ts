/**
 * What the sandbox serves to tools, beside its two APIs.
 *
 * @since 0.1.0
 */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Effect from "effect/Effect"
import { NombaApi } from "../schemas/NombaApi.js"
import type { Page } from "./page/Pages.js"

const health: Page = Effect.succeed(HttpServerResponse.unsafeJson({ status: "ok" }))

const document: Page = Effect.sync(() => HttpServerResponse.unsafeJson(OpenApi.fromApi(NombaApi)))

/** What only says that the sandbox is there and what it serves, by path: for tools, whatever name they know it under. */
export const tools: ReadonlyMap<string, Page> = new Map([
  ["/health", health],
  ["/openapi.json", document]
])
