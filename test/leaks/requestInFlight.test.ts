import { inspect } from "node:util"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Fiber, Redacted } from "effect"
import * as GuardedClient from "../../src/layers/http/GuardedClient.js"
import type { NombaConfigService } from "../../src/services/NombaConfig.js"
import { once } from "../support/auth.js"
import { clientOver } from "../support/client.js"
import { known } from "../support/leakProbes.js"
import { leaks } from "../support/leaks.js"
import { operations } from "../support/operations.js"
import { serve } from "../support/server.js"
import { fixedCache } from "../support/tokenCache.js"

const bearer = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZUBleGFtcGxlLmNvbSJ9.c2lnbmF0dXJl-of_the_token"

const transforms: ReadonlyArray<readonly [string, NombaConfigService["transformClient"]]> = [
  ["as it is", (client) => client],
  ["with a header of transformClient's", HttpClient.mapRequest(HttpClientRequest.setHeader("x-app", "shop"))],
  ["with an effect of transformClient's", HttpClient.transform((execute) => Effect.tap(execute, Effect.void))]
]

/** What inspecting the fiber shows while the server has the request and has not answered. */
const shown = <E>(
  makeRequest: (changes: Partial<NombaConfigService>) => Effect.Effect<Effect.Effect<unknown, E>>,
  transformClient: NombaConfigService["transformClient"],
  secrets: ReadonlyArray<string>
) =>
  Effect.gen(function* () {
    const arrived = yield* Deferred.make<void>()
    const server = yield* serve(() => Deferred.unsafeDone(arrived, Effect.void))
    const request = yield* makeRequest({ baseUrl: server.url, transformClient })
    const fiber = yield* Effect.fork(request)
    yield* Deferred.await(arrived)
    const printed = [{ depth: 10 }, { depth: 25, showHidden: true, getters: true }].map(
      (options) => [JSON.stringify(options), inspect(fiber, options)] as const
    )
    yield* Fiber.interruptFork(fiber)
    assert.isAbove(printed[0]?.[1].length ?? 0, 1_000, "the fiber shows its stack")
    return leaks(printed, secrets).map(([how]) => how)
  })

describe("inspecting the fiber of a request in flight", () => {
  it("the probe of this test sees the bearer of the platform's own request", () => {
    const request = HttpClientRequest.get("/v1/x").pipe(HttpClientRequest.bearerToken(Redacted.make(bearer)))
    const print = (value: unknown) => leaks([["inspect", inspect({ value }, { depth: 10 })]], [bearer])
    assert.isNotEmpty(print(request))
    assert.isEmpty(print(GuardedClient.hidden(request)))
    GuardedClient.hide(request)
    assert.isEmpty(print(request))
  })

  for (const [what, transformClient] of transforms) {
    for (const request of [
      HttpClientRequest.get("/v1/x"),
      HttpClientRequest.post("/v1/x", { headers: { "x-mine": "1" } }).pipe(HttpClientRequest.bodyUnsafeJson({ a: 1 }))
    ]) {
      it.scopedLive(`shows no bearer of a ${request.method}, ${what}`, () =>
        Effect.gen(function* () {
          const makeRequest = (changes: Partial<NombaConfigService>) =>
            Effect.map(
              clientOver(
                { layer: FetchHttpClient.layer },
                { layer: fixedCache(Effect.succeed(Redacted.make(bearer))) },
                changes
              ),
              (nomba) => nomba.execute(request)
            )
          assert.deepStrictEqual(yield* shown(makeRequest, transformClient, [bearer]), [])
        })
      )
    }

    for (const { operation, run } of operations) {
      it.scopedLive(`shows no secret of ${operation}, ${what}`, () =>
        Effect.gen(function* () {
          const makeRequest = (changes: Partial<NombaConfigService>) =>
            Effect.map(once({ layer: FetchHttpClient.layer }, changes), run)
          assert.deepStrictEqual(yield* shown(makeRequest, transformClient, known[operation]), [])
        })
      )
    }
  }
})
