/** `NombaAuth` over a scripted client. */
import type { HttpClient } from "@effect/platform"
import { Effect, Layer } from "effect"
import * as NombaAuthHttp from "../../src/layers/NombaAuthHttp.js"
import type { NombaAuthService } from "../../src/services/NombaAuth.js"
import type { NombaConfigService } from "../../src/services/NombaConfig.js"
import { RetryPolicy } from "../../src/services/RetryPolicy.js"
import { layerConfig } from "./config.js"
import { json } from "./http.js"

/** Nothing is repeated, so that what is seen is the first answer. */
export const once = (
  http: { readonly layer: Layer.Layer<HttpClient.HttpClient> },
  changes: Partial<NombaConfigService> = {}
): Effect.Effect<NombaAuthService> => withPolicy(RetryPolicy.layerNone, http, changes)

/** With the given policy, or the default one. */
export const withPolicy = (
  policy: Layer.Layer<RetryPolicy> | undefined,
  http: { readonly layer: Layer.Layer<HttpClient.HttpClient> },
  changes: Partial<NombaConfigService> = {}
): Effect.Effect<NombaAuthService> =>
  NombaAuthHttp.make.pipe(Effect.provide(Layer.mergeAll(http.layer, layerConfig(changes), policy ?? Layer.empty)))

export const accessToken = "access-token-0123456789"
export const refreshToken = "refresh-token-0123456789"

/** The spec's dialect. */
export const granted = (data: Record<string, unknown> = {}, headers: Record<string, string> = {}): Response =>
  json(
    200,
    {
      code: "00",
      description: "Success",
      data: { access_token: accessToken, refresh_token: refreshToken, token_type: "Bearer", expires_in: 3600, ...data }
    },
    headers
  )
