/** A process that is stalled past the time-out of its token request. */
import { FetchHttpClient, HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Redacted } from "effect"
import { once } from "../support/auth.js"
import { serve } from "../support/server.js"
import { stallFor } from "../support/stallFor.js"

// One after the other, because a stall stops the other test too.
describe.sequential("a token request of a process that is stalled past its time-out", () => {
  it.scopedLive("does not send a request late that had not left before the stall", () =>
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
              Effect.sync(() => stallFor(stops-- > 0 ? 400 : 0)),
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

  it.scopedLive("keeps an answer that arrived during the stall", () =>
    Effect.gen(function* () {
      const server = yield* serve((_, response) => {
        response.writeHead(200, { "content-type": "application/json" })
        const text = JSON.stringify({ code: "00", data: { access_token: "t", expires_in: 60 } })
        setTimeout(() => response.end(text, () => stallFor(1_500)), 100)
      })
      const auth = yield* once(
        { layer: FetchHttpClient.layer },
        { baseUrl: server.url, requestTimeout: Duration.millis(300) }
      )
      assert.strictEqual(Redacted.value((yield* auth.issue).accessToken), "t")
      assert.lengthOf(server.seen, 1)
    })
  )
})
