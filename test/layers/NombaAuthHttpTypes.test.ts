import type { HttpClient } from "@effect/platform"
import { describe, expectTypeOf, it } from "@effect/vitest"
import type { Effect, Layer } from "effect"
import * as NombaAuthHttp from "../../src/layers/NombaAuthHttp.js"
import type {
  Expired,
  InvalidCredentials,
  InvalidRequest,
  Unavailable,
  UnexpectedResponse
} from "../../src/schemas/AuthError.js"
import type { NombaAuth, NombaAuthService } from "../../src/services/NombaAuth.js"
import type { NombaConfig } from "../../src/services/NombaConfig.js"

type ErrorOf<T> = T extends Effect.Effect<unknown, infer E, unknown> ? E : never
type Requirements<T> = T extends Effect.Effect<unknown, unknown, infer R> ? R : "not an effect"
type WithoutExpired = InvalidRequest | InvalidCredentials | Unavailable | UnexpectedResponse

describe("the types say what can go wrong", () => {
  it("issue cannot fail with Expired; the others can", () => {
    expectTypeOf<ErrorOf<NombaAuthService["issue"]>>().toEqualTypeOf<WithoutExpired>()
    expectTypeOf<ErrorOf<ReturnType<NombaAuthService["refresh"]>>>().toEqualTypeOf<WithoutExpired | Expired>()
    expectTypeOf<ErrorOf<ReturnType<NombaAuthService["revoke"]>>>().toEqualTypeOf<WithoutExpired | Expired>()
    expectTypeOf<ErrorOf<ReturnType<NombaAuthService["exchange"]>>>().toEqualTypeOf<WithoutExpired | Expired>()
  })

  it("operations require nothing", () => {
    expectTypeOf<Requirements<NombaAuthService["issue"]>>().toEqualTypeOf<never>()
    expectTypeOf<Requirements<ReturnType<NombaAuthService["refresh"]>>>().toEqualTypeOf<never>()
    expectTypeOf<Requirements<ReturnType<NombaAuthService["revoke"]>>>().toEqualTypeOf<never>()
    expectTypeOf<Requirements<ReturnType<NombaAuthService["exchange"]>>>().toEqualTypeOf<never>()
  })

  it("the layer requires a configuration and a client, and cannot fail", () => {
    expectTypeOf(NombaAuthHttp.layer).toEqualTypeOf<
      Layer.Layer<NombaAuth, never, NombaConfig | HttpClient.HttpClient>
    >()
  })
})
