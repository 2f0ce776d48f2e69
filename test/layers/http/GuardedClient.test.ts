import { HttpClient, HttpClientRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, FiberRef, HashMap, Option, TestClock, type Tracer } from "effect"
import * as GuardedClient from "../../../src/layers/http/GuardedClient.js"
import { type Answer, fake, json, type Sent, text, unreachable } from "../../support/http.js"
import { recordSpans } from "../../support/tracer.js"

const url = "https://nomba.test/v1/x"

const guarded = (
  respond: (sent: Sent) => Answer = () => json(200, {}),
  accessOf?: typeof GuardedClient.publicAccess
) => {
  const http = fake(respond)
  return Effect.map(GuardedClient.make(http.client, accessOf), (client) => ({ client, http }))
}

const parentName = (span: Tracer.Span | undefined): string | undefined =>
  Option.getOrUndefined(
    Option.map(span?.parent ?? Option.none(), (parent) => (parent._tag === "Span" ? parent.name : "external"))
  )

describe("the span of a request", () => {
  it.effect("is one, below the caller's, and says where to and what came of it", () =>
    Effect.gen(function* () {
      const { client } = yield* guarded()
      const request = HttpClientRequest.post(`${url}?secret=1#2`, { urlParams: { secret: "3" }, headers: { a: "4" } })
      const [, spans] = yield* client.execute(request).pipe(Effect.withSpan("the caller's"), recordSpans)
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["the caller's", "POST"]
      )
      const [, span] = spans
      assert.strictEqual(span?.kind, "client")
      assert.strictEqual(parentName(span), "the caller's")
      assert.deepStrictEqual(Object.fromEntries(span?.attributes ?? []), {
        "http.request.method": "POST",
        "server.address": "nomba.test",
        "server.port": 443,
        "url.full": "https://nomba.test/v1/x",
        "http.response.status_code": 200
      })
      assert.deepStrictEqual(span?.status._tag === "Ended" && span.status.exit, Exit.void)
    })
  )

  it.effect("does not hold a defect of the underlying client, which may quote the request", () =>
    Effect.gen(function* () {
      const { client } = yield* guarded(() => Effect.die("hunter2"))
      const [, [span]] = yield* recordSpans(Effect.exit(client.get(url)))
      assert.deepStrictEqual(span?.status._tag === "Ended" && span.status.exit, Exit.fail("defect"))
      assert.strictEqual(span?.attributes.get("error.type"), "defect")
    })
  )

  it.effect("fails with an error status, also if the underlying client made it a failure", () =>
    Effect.gen(function* () {
      for (const underlying of [(client: HttpClient.HttpClient) => client, HttpClient.filterStatusOk]) {
        const client = yield* GuardedClient.make(underlying(fake(() => json(404, {})).client))
        const [, [span]] = yield* recordSpans(Effect.exit(client.get("http://localhost:4010/v1/x")))
        assert.deepInclude(Object.fromEntries(span?.attributes ?? []), {
          "server.address": "localhost",
          "server.port": 4010,
          "http.response.status_code": 404,
          "error.type": "404"
        })
        assert.isTrue(span?.status._tag === "Ended" && Exit.isFailure(span.status.exit))
      }
    })
  )

  it.effect("names an IPv6 address without brackets", () =>
    Effect.gen(function* () {
      const { client } = yield* guarded()
      const [, [span]] = yield* recordSpans(client.get("http://[::1]:4010/v1/x"))
      assert.strictEqual(span?.attributes.get("server.address"), "::1")
    })
  )

  it.effect("is the parent of what the underlying client traces", () =>
    Effect.gen(function* () {
      const { client } = yield* guarded(() => Effect.withSpan(Effect.succeed(json(200, {})), "underlying"))
      const [, spans] = yield* recordSpans(client.get(url))
      assert.strictEqual(parentName(spans.find(({ name }) => name === "underlying")), "GET")
    })
  )

  it.effect("fails with the kind of failure and its code, and holds neither request nor cause", () =>
    Effect.gen(function* () {
      const cause = Object.assign(new Error("hunter2"), { code: "ECONNRESET" })
      const { client } = yield* guarded((sent) => unreachable(sent, cause))
      const [, [span]] = yield* recordSpans(Effect.flip(client.get(url)))
      assert.deepStrictEqual(
        span?.status._tag === "Ended" && span.status.exit,
        Exit.fail("RequestError Transport ECONNRESET")
      )
      assert.strictEqual(span?.attributes.get("error.type"), "ECONNRESET")
    })
  )

  it.effect("ends when the request is interrupted, at the time of the clock", () =>
    Effect.gen(function* () {
      const { client } = yield* guarded(() => Effect.never)
      const fiber = yield* Effect.fork(recordSpans(Effect.exit(Effect.timeout(client.get(url), "2 seconds"))))
      yield* TestClock.adjust("2 seconds")
      const [, [span]] = yield* Fiber.join(fiber)
      assert(span?.status._tag === "Ended")
      assert.isTrue(Exit.isInterrupted(span.status.exit))
      assert.strictEqual(span.status.endTime - span.status.startTime, 2_000_000_000n)
    })
  )

  it.effect("has the name that the user's generator gives", () =>
    Effect.gen(function* () {
      const { client } = yield* guarded()
      const named = HttpClient.withSpanNameGenerator(client, (request) => `nomba ${request.method}`)
      const [, spans] = yield* recordSpans(named.get(url))
      assert.deepStrictEqual(
        spans.map(({ name }) => name),
        ["nomba GET"]
      )
    })
  )

  it.effect("is not there where the user wants none, and still no trace header is sent", () =>
    Effect.gen(function* () {
      const { client, http } = yield* guarded()
      const silenced = HttpClient.withTracerDisabledWhen(client, () => true)
      const [, spans] = yield* recordSpans(
        Effect.zipRight(silenced.get(url), Effect.withTracerEnabled(client.get(url), false))
      )
      assert.deepStrictEqual(spans, [])
      for (const { headers } of http.sent) assert.notProperty(headers, "traceparent")
    })
  )
})

describe.each([
  ["directly", undefined],
  ["as Effect offers it", GuardedClient.publicAccess]
] as const)("what a request changes in its fiber, %s", (_, accessOf) => {
  for (const [how, respond] of [
    ["succeeds", () => json(200, {})],
    ["fails", (sent: Sent) => unreachable(sent, undefined)],
    ["dies", () => Effect.dieMessage("no")],
    ["is interrupted", () => Effect.interrupt],
    ["is redirected", () => text(302, null)]
  ] as const) {
    it.effect(`is undone when it ${how}`, () =>
      Effect.gen(function* () {
        const { client } = yield* guarded(respond, accessOf)
        for (const isTraced of [true, false]) {
          const before = yield* references
          yield* Effect.exit(client.get(url))
          for (const [index, value] of (yield* references).entries()) {
            assert.strictEqual(value, before[index])
          }
          if (isTraced) yield* FiberRef.set(FiberRef.currentTracerEnabled, false)
        }
      })
    )
  }

  it.effect("lets the underlying client send what was asked only, and change other references", () =>
    Effect.gen(function* () {
      for (const isTraced of [true, false]) {
        const http = fake(() =>
          Effect.as(
            FiberRef.set(FiberRef.currentLogAnnotations, HashMap.make(["underlying", isTraced])),
            text(302, null, { location: "https://evil.example/" })
          )
        )
        const client = yield* GuardedClient.make(HttpClient.followRedirects(http.client, 3), accessOf)
        const exit = yield* Effect.exit(Effect.withTracerEnabled(client.get(url), isTraced))
        assert.isTrue(Exit.isFailure(exit))
        assert.lengthOf(http.sent, 1)
        assert.deepStrictEqual(
          HashMap.get(yield* FiberRef.get(FiberRef.currentLogAnnotations), "underlying"),
          Option.some(isTraced)
        )
      }
    })
  )

  const references = Effect.all([
    FiberRef.get(FiberRef.currentContext),
    FiberRef.get(FiberRef.currentTracerEnabled),
    FiberRef.get(HttpClient.currentTracerDisabledWhen),
    FiberRef.get(HttpClient.currentTracerPropagation)
  ])
})

describe("a client that is guarded", () => {
  it.effect("is not used for it: nothing is sent, and no retry or tap of the user runs on", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const http = fake(() => json(200, {}))
      yield* GuardedClient.make(
        http.client.pipe(
          HttpClient.tapRequest(() => Effect.sync(() => seen.push("request"))),
          HttpClient.tapError(() => Effect.sync(() => seen.push("error"))),
          HttpClient.retryTransient({ times: 3 })
        )
      )
      assert.deepStrictEqual([seen, http.sent], [[], []])
    })
  )
})
