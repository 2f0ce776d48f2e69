import { FetchHttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { NombaConfigOptions } from "nomba-auth"
import { isBlockedPort } from "../../../src/layers/config/BaseUrl.js"
import { withPolicy } from "../../support/auth.js"
import { clientOver } from "../../support/client.js"

describe("a port that fetch blocks", () => {
  it.live("is one of the list, and no other is", () =>
    Effect.gen(function* () {
      const failure = (port: number) =>
        Effect.promise(() => fetch(`http://127.0.0.1:${port}/`).catch((error) => error?.cause?.message))
      for (const port of [6000, 10080, 22, 6667, 5061]) {
        assert.isTrue(isBlockedPort(port))
        assert.strictEqual(yield* failure(port), "bad port", String(port))
      }
      for (const port of [80, 443, 4010, 8080, 3000, 10081]) assert.isFalse(isBlockedPort(port), String(port))
    })
  )

  it.effect("is a ConfigError that names it", () =>
    Effect.gen(function* () {
      const options = {
        clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
        clientSecret: Redacted.make("q1/W2+e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8l9Z0=")
      }
      const error = yield* Effect.flip(NombaConfigOptions.make({ ...options, baseUrl: "http://127.0.0.1:6000" }))
      assert.include(String(error), "options.baseUrl")
      assert.include(String(error), "uses port 6000, which fetch refuses")
    })
  )

  it.live("is an InvalidRequest at once, for a token request and for a call, if the config did not check it", () =>
    Effect.gen(function* () {
      const changes = { baseUrl: "http://127.0.0.1:10080" }
      const http = { layer: FetchHttpClient.layer }
      const auth = yield* withPolicy(undefined, http, changes)
      const nomba = yield* clientOver(http, undefined, changes)
      for (const [operation, error] of [
        ["issue", yield* Effect.flip(auth.issue)],
        ["request", yield* Effect.flip(nomba.get("/v1/x"))]
      ] as const) {
        assert.deepInclude<object>(error, { _tag: "InvalidRequest", operation })
        assert.include(error.message, "fetch refuses to connect to port 10080 of 127.0.0.1:10080")
      }
    })
  )
})
