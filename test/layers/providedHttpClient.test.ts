import { FetchHttpClient, HttpClient, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Layer } from "effect"
import { granted, once } from "../support/auth.js"
import { clientOver } from "../support/client.js"
import { baseUrl } from "../support/config.js"
import { type Answer, fake, json, type Sent, text } from "../support/http.js"
import { operations } from "../support/operations.js"

/** A client over the given `fetch`, and what that was called for. */
const fetching = (
  answer: (url: string, n: number) => Response,
  change: (client: HttpClient.HttpClient) => HttpClient.HttpClient
) => {
  const urls: Array<string> = []
  const fetch = Layer.succeed(FetchHttpClient.Fetch, async (input) => {
    const url = String(input)
    return answer(url, urls.push(url))
  })
  return { urls, layer: changed(FetchHttpClient.layer, change).pipe(Layer.provide(fetch)) }
}

const changed = (
  layer: Layer.Layer<HttpClient.HttpClient>,
  change: (client: HttpClient.HttpClient) => HttpClient.HttpClient
) => Layer.effect(HttpClient.HttpClient, Effect.map(HttpClient.HttpClient, change)).pipe(Layer.provide(layer))

const redirected = { _tag: "UnexpectedResponse", reason: "Redirect" } as const

const places = ["https://evil.example/stolen", `${baseUrl}/elsewhere`, "http://nomba.test/v1/x"]

describe("if the provided HttpClient follows redirects", () => {
  for (const location of places) {
    const leading = (url: string): Response => (url === location ? granted() : text(307, null, { location }))

    it.effect(`a fetch client sends nothing to ${location}, and the call fails`, () =>
      Effect.gen(function* () {
        for (const { run } of operations) {
          const { layer, urls } = fetching(leading, HttpClient.followRedirects(3))
          assert.deepInclude(yield* Effect.flip(run(yield* once({ layer }))), redirected)
          assert.deepStrictEqual(new Set(urls).has(location), false)
        }
        const { layer, urls } = fetching(leading, HttpClient.followRedirects(3))
        const nomba = yield* clientOver({ layer })
        assert.deepInclude(yield* Effect.flip(nomba.get("/v1/x")), { ...redirected, operation: "request" as const })
        assert.deepStrictEqual(urls, [`${baseUrl}/v1/x`])
      })
    )

    it.effect(`another client's response from ${location} is not accepted, whatever its status`, () =>
      Effect.gen(function* () {
        for (const last of [granted, () => json(401, {})]) {
          const answer = ({ url }: Sent): Answer => (url === location ? last() : text(307, null, { location }))
          const follow = (client: HttpClient.HttpClient) => client.pipe(HttpClient.followRedirects(3))
          for (const change of [follow, (client: HttpClient.HttpClient) => HttpClient.filterStatusOk(follow(client))]) {
            const layer = changed(fake(answer).layer, change)
            for (const { run } of operations) {
              assert.deepInclude(yield* Effect.flip(run(yield* once({ layer }))), redirected)
            }
            assert.deepInclude(yield* Effect.flip((yield* clientOver({ layer })).get("/v1/x")), redirected)
          }
        }
      })
    )
  }

  it.effect("the response is not accepted either if transformClient returns that client", () =>
    Effect.gen(function* () {
      const location = "https://evil.example/stolen"
      const http = fake(({ url }) => (url === location ? granted() : text(307, null, { location })))
      const transformClient = () => http.client.pipe(HttpClient.followRedirects(3))
      for (const { run } of operations) {
        assert.deepInclude(yield* Effect.flip(run(yield* once(http, { transformClient }))), redirected)
      }
      const nomba = yield* clientOver(http, undefined, { transformClient })
      assert.deepInclude(yield* Effect.flip(nomba.get("/v1/x")), redirected)
    })
  )
})

describe("if the provided HttpClient retries", () => {
  const retrying = (client: HttpClient.HttpClient) => HttpClient.retryTransient(client, { times: 3 })

  it.effect("a token request is sent once, and the call fails", () =>
    Effect.gen(function* () {
      for (const { operation, run } of operations) {
        const { layer, urls } = fetching((_, n) => (n === 1 ? json(502, {}) : granted()), retrying)
        const error = yield* Effect.flip(run(yield* once({ layer })))
        assert.deepInclude(error, { _tag: "Unavailable", operation, processed: "unknown", detail: "REQUEST_REPEATED" })
        assert.strictEqual(urls.length, 1)
      }
    })
  )

  it.effect("a token request is sent once also if transformClient adds the retries", () =>
    Effect.gen(function* () {
      for (const { run } of operations) {
        const { layer, urls } = fetching(
          () => json(502, {}),
          (client) => client
        )
        yield* Effect.flip(run(yield* once({ layer }, { transformClient: retrying })))
        assert.strictEqual(urls.length, 1)
      }
    })
  )

  it.effect("a request of NombaClient is retried", () =>
    Effect.gen(function* () {
      const { layer, urls } = fetching((_, n) => (n === 1 ? json(502, {}) : json(200, {})), retrying)
      assert.strictEqual((yield* (yield* clientOver({ layer })).get("/v1/x")).status, 200)
      assert.strictEqual(urls.length, 2)
    })
  )
})

describe("transformClient", () => {
  it.effect("causes a defect that says so if it returns no client", () =>
    Effect.gen(function* () {
      const transformClient = () => undefined as unknown as HttpClient.HttpClient
      const http = fake(() => json(200, {}))
      for (const build of [
        Effect.asVoid(once(http, { transformClient })),
        Effect.asVoid(clientOver(http, undefined, { transformClient }))
      ]) {
        const exit = yield* Effect.exit(build)
        assert.include(Exit.isFailure(exit) ? Cause.pretty(exit.cause) : "", "did not return an HttpClient")
      }
    })
  )

  it.effect("may return another client", () =>
    Effect.gen(function* () {
      const other = HttpClient.make((request) => Effect.succeed(HttpClientResponse.fromWeb(request, granted())))
      yield* (yield* once(
        fake(() => json(500, {})),
        { transformClient: () => other }
      )).issue
    })
  )
})
