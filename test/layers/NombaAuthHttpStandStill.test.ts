/** A process that stands still between the last look at its permission and the request: by its time-out it has lost the right. */
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { assert, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { once } from "../support/auth.js"
import { serve } from "../support/server.js"
import { standStill } from "../support/standStill.js"

it.scopedLive("a request that had not left when the process stood still past its time-out is not sent late", () =>
  Effect.gen(function* () {
    const server = yield* serve((_, response) => {
      response.writeHead(200, { "content-type": "application/json" })
      response.end(JSON.stringify({ code: "00", data: { access_token: "t", expires_in: 60 } }))
    })
    let stops = 1
    const layer = Layer.effect(
      HttpClient.HttpClient,
      Effect.map(
        HttpClient.HttpClient,
        HttpClient.transform((send) =>
          Effect.zipRight(
            Effect.sync(() => standStill(stops-- > 0 ? 400 : 0)),
            send
          )
        )
      )
    ).pipe(Layer.provide(FetchHttpClient.layer))
    const auth = yield* once({ layer }, { baseUrl: server.url, requestTimeout: Duration.millis(300) })
    assert.deepInclude(yield* Effect.flip(auth.issue), { _tag: "Unavailable", reason: "Timeout" })
    assert.strictEqual(Redacted.value((yield* auth.issue).accessToken), "t")
    assert.lengthOf(server.seen, 1)
  })
)
