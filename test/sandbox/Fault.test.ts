import { HttpClientError } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Option, Stream, TestClock } from "effect"
import { Sandbox, SandboxError } from "nomba-auth/sandbox"
import { assertRefused, balance, bearer, issue, login, refresh } from "./support.js"

const sandbox = Effect.provide(Sandbox.layer())

const assertDropped = (exit: Exit.Exit<unknown, unknown>): void => {
  const error = Option.getOrThrow(Exit.match(exit, { onFailure: Cause.failureOption, onSuccess: () => Option.none() }))
  assert.instanceOf(error, HttpClientError.RequestError)
  assert.strictEqual(error.reason, "Transport")
}

describe("a fault", () => {
  it.effect("replaces the response as often as `times` says", () =>
    Effect.gen(function* () {
      const { counts, fault } = yield* Sandbox
      yield* fault("issue", { answer: { status: 503 }, times: 2 })
      assertRefused(yield* issue(), 503)
      assertRefused(yield* issue(), 503)
      assert.strictEqual((yield* issue()).status, 200)
      assert.include((yield* counts).issue, { requests: 3, faulted: 2, succeeded: 1 })
      assert.strictEqual((yield* counts).issued, 1)
    }).pipe(sandbox)
  )

  it.effect("applies to its own operation only", () =>
    Effect.gen(function* () {
      yield* (yield* Sandbox).fault("refresh", { answer: { status: 500 } })
      const { access, refresh: token } = yield* login
      assert.strictEqual((yield* balance(bearer(access))).status, 200)
      assertRefused(yield* refresh(token), 500)
      assert.strictEqual((yield* refresh(token)).status, 200)
    }).pipe(sandbox)
  )

  it.effect("is logged with the time that passed, even if the sandbox's clock is set meanwhile", () =>
    Effect.gen(function* () {
      const { advance, counts, fault, view } = yield* Sandbox
      yield* fault("issue", { latency: "1 second" })
      const late = yield* Effect.fork(issue())
      yield* Effect.repeat(Effect.zipRight(Effect.yieldNow(), counts), { until: ({ issued }) => issued === 1 })
      yield* advance("1 hour")
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(late)
      assert.strictEqual((yield* view).requests[0]?.took, 1000)
    }).pipe(sandbox)
  )

  it.effect("is queued behind earlier faults", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      yield* fault("issue", { answer: { status: 503 } })
      yield* fault("issue", { answer: { status: 429 }, times: 2 })
      const answers = yield* Effect.all([issue(), issue(), issue(), issue()])
      assert.deepStrictEqual(
        answers.map(({ status }) => status),
        [503, 429, 429, 200]
      )
    }).pipe(sandbox)
  )

  it.effect("sends the headers and the body that it was given", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      yield* fault("issue", { answer: { status: 429, headers: { "retry-after": "7", date: "yesterday" } } })
      const limited = yield* issue()
      assertRefused(limited, 429)
      assert.include(limited.headers, { "retry-after": "7", date: "yesterday" })

      const body = "<html>502</html>"
      yield* fault("issue", { answer: { status: 502, headers: { "content-type": "text/html" }, body } })
      const html = yield* issue()
      assert.strictEqual(html.text, body)
      assert.strictEqual(html.headers["content-type"], "text/html")

      yield* fault("issue", { answer: { status: 200, body: { code: "02", description: "no" } } })
      assert.deepStrictEqual((yield* issue()).json, { code: "02", description: "no" })

      yield* fault("issue", { answer: { status: 204, body: "none is sent" } })
      assert.strictEqual((yield* issue()).text, "")
    }).pipe(sandbox)
  )

  it.effect("with a response leaves the request unprocessed", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      const first = yield* login
      yield* fault("refresh", { answer: { status: 502 } })
      yield* refresh(first.refresh)
      assert.strictEqual((yield* balance(bearer(first.access))).status, 200)
    }).pipe(sandbox)
  )

  it.effect("with a lost response processes the request first", () =>
    Effect.gen(function* () {
      const { counts, fault } = yield* Sandbox
      const first = yield* login
      yield* fault("refresh", { answer: { status: 502 }, processed: true })
      assertRefused(yield* refresh(first.refresh), 502)
      assertRefused(yield* refresh(first.refresh), 401, "refresh_token: was used before; it works once")
      assert.strictEqual((yield* counts).refreshed, 1)
      assert.include((yield* counts).refresh, { requests: 2, faulted: 1, refused: 1, succeeded: 0 })
    }).pipe(sandbox)
  )

  it.effect("connectionReset is a transport error, processed or not", () =>
    Effect.gen(function* () {
      const { counts, fault } = yield* Sandbox
      const first = yield* login
      yield* fault("refresh", { answer: "connectionReset" })
      yield* fault("refresh", { answer: "connectionReset", processed: true })
      assertDropped(yield* Effect.exit(refresh(first.refresh)))
      assert.strictEqual((yield* counts).refreshed, 0)
      assertDropped(yield* Effect.exit(refresh(first.refresh)))
      assert.strictEqual((yield* counts).refreshed, 1)
      assert.strictEqual((yield* counts).refresh.faulted, 2)
    }).pipe(sandbox)
  )

  it.effect("latency delays the response, not the processing", () =>
    Effect.gen(function* () {
      const { counts, fault } = yield* Sandbox
      yield* fault("issue", { latency: "5 seconds" })
      const fiber = yield* Effect.fork(issue())
      yield* TestClock.adjust("4999 millis")
      assert.strictEqual((yield* counts).issued, 1)
      assert.isTrue(Option.isNone(yield* Fiber.poll(fiber)))
      yield* TestClock.adjust("1 millis")
      const { headers, json, status } = yield* Fiber.join(fiber)
      assert.strictEqual(status, 200)
      assert.strictEqual(json.data.expiresAt, "1970-01-01T00:30:00.000Z")
      assert.strictEqual(headers["date"], "Thu, 01 Jan 1970 00:00:05 GMT")
    }).pipe(sandbox)
  )

  it.effect("latency lets the request of a client that gives up take effect", () =>
    Effect.gen(function* () {
      const { counts, fault } = yield* Sandbox
      const first = yield* login
      yield* fault("refresh", { latency: "1 minute" })
      const fiber = yield* Effect.fork(Effect.timeout(refresh(first.refresh), "10 seconds"))
      yield* TestClock.adjust("10 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.await(fiber)))
      assert.strictEqual((yield* counts).refreshed, 1)
      assertRefused(yield* refresh(first.refresh), 401)
    }).pipe(sandbox)
  )

  it.effect("can combine latency, processing and another response", () =>
    Effect.gen(function* () {
      const { counts, fault } = yield* Sandbox
      yield* fault("issue", { latency: "2 seconds", processed: true, answer: { status: 504 } })
      const fiber = yield* Effect.fork(issue())
      yield* TestClock.adjust("2 seconds")
      assertRefused(yield* Fiber.join(fiber), 504)
      assert.strictEqual((yield* counts).issued, 1)
    }).pipe(sandbox)
  )

  it.effect("invalidBody is a 200 that is not JSON, and leaves the request unprocessed", () =>
    Effect.gen(function* () {
      const { counts, fault } = yield* Sandbox
      yield* fault("issue", { answer: "invalidBody" })
      const { headers, json, status, text } = yield* issue()
      assert.strictEqual(status, 200)
      assert.include(headers["content-type"], "application/json")
      assert.isUndefined(json)
      assert.isNotEmpty(text)
      assert.strictEqual((yield* counts).issued, 0)
      assert.include((yield* counts).issue, { faulted: 1, succeeded: 0 })
    }).pipe(sandbox)
  )

  it.effect("truncated processes the request and stops in the middle of the body", () =>
    Effect.gen(function* () {
      const { client, counts, fault, url } = yield* Sandbox
      const { access } = yield* login
      yield* fault("resource", { answer: "truncated" })
      const response = yield* client.get(`${url}/v1/accounts/balance`, { headers: bearer(access) })
      assert.strictEqual(response.status, 200)
      const received: Array<number> = []
      const exit = yield* Effect.exit(
        Stream.runForEach(response.stream, (bytes) => Effect.sync(() => received.push(...bytes)))
      )
      assert.isTrue(Exit.isFailure(exit))
      const whole = (yield* balance(bearer(access))).text
      assert.strictEqual(Buffer.from(received).toString(), whole.slice(0, Math.floor(whole.length / 2)))
      assert.include((yield* counts).resource, { requests: 2, faulted: 1, succeeded: 1 })
      assert.deepStrictEqual((yield* counts).resource.statuses, { 200: 1, dropped: 1 })

      yield* fault("issue", { answer: "truncated" })
      yield* Effect.exit(issue())
      assert.strictEqual((yield* counts).issued, 2)
    }).pipe(sandbox)
  )

  it.effect("with `during` applies to every request until then, by the sandbox's clock", () =>
    Effect.gen(function* () {
      const { advance, fault } = yield* Sandbox
      const outage = { answer: { status: 503 }, during: "1 minute" } as const
      yield* fault("issue", outage)
      for (let n = 0; n < 5; n++) assertRefused(yield* issue(), 503)
      yield* TestClock.adjust("59999 millis")
      assertRefused(yield* issue(), 503)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual((yield* issue()).status, 200)
      yield* fault("issue", outage)
      assertRefused(yield* issue(), 503)
      yield* advance("1 minute")
      assert.strictEqual((yield* issue()).status, 200)
    }).pipe(sandbox)
  )

  it.effect("with `during` and `times` ends with whichever is first", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      yield* fault("issue", { answer: { status: 503 }, during: "1 minute", times: 2 })
      yield* fault("issue", { answer: { status: 500 }, during: "1 minute", times: "always" })
      const statuses = yield* Effect.replicateEffect(issue(), 4)
      assert.deepStrictEqual(
        statuses.map(({ status }) => status),
        [503, 503, 500, 500]
      )
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* issue()).status, 200)
    }).pipe(sandbox)
  )

  it.effect("is removed by clearFaults", () =>
    Effect.gen(function* () {
      const { clearFaults, fault } = yield* Sandbox
      yield* fault("issue", { answer: { status: 503 }, times: "always" })
      yield* clearFaults
      assert.strictEqual((yield* issue()).status, 200)
    }).pipe(sandbox)
  )

  it.effect("is one of at most 64 in the queue", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      for (let n = 0; n < 64; n++) yield* fault("issue", { answer: { status: 503 } })
      const error = yield* Effect.flip(fault("issue", { answer: { status: 503 } }))
      assert.strictEqual(error.reason, "Fault")
      yield* fault("refresh", { answer: { status: 503 } })
      yield* issue()
      yield* fault("issue", { answer: { status: 503 } })
    }).pipe(sandbox)
  )

  it.effect("is removed by a reset", () =>
    Effect.gen(function* () {
      const { fault, reset } = yield* Sandbox
      yield* fault("issue", { answer: { status: 503 }, times: Number.POSITIVE_INFINITY })
      assertRefused(yield* issue(), 503)
      yield* reset
      assert.strictEqual((yield* issue()).status, 200)
    }).pipe(sandbox)
  )

  it.effect("that is invalid is rejected with a message", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      for (const impossible of [
        { times: 0 },
        { times: 1.5 },
        { times: Number.NaN },
        { times: "often" as "always" },
        { during: "later" as "1 second" },
        { during: Number.POSITIVE_INFINITY },
        { processed: "yes" as unknown as boolean },
        { answer: "truncated" as const, processed: false },
        { answer: "silence" as "connectionReset" },
        { latency: "later" as "1 second" },
        { answer: { status: 99 } },
        { answer: { status: 200, headers: { "retry after": "1" } } },
        { answer: { status: 200, headers: { "retry-after": "1\r\nx: y" } } },
        { answer: { status: 200, headers: { "x-a": "a\u0001b" } } },
        { answer: { status: 200, headers: { "x-a": "a\u007f" } } },
        { answer: { status: 200, headers: { Trailer: "x-a" } } },
        { answer: { status: 200, headers: { "Transfer-Encoding": "chunked" } } },
        { answer: { status: 200, headers: { "content-length": "7" } } },
        { answer: { status: 200, body: 1n } },
        { answer: { status: 200, body: () => {} } }
      ]) {
        const error = yield* Effect.flip(fault("issue", impossible))
        assert.instanceOf(error, SandboxError)
        assert.strictEqual(error.reason, "Fault")
        assert.lengthOf(error.issues, 1)
        assert.match(error.message, /^(times|during|latency|answer|processed): must be /)
      }
    }).pipe(sandbox)
  )
})

describe("an uninterruptible caller", () => {
  const interruptedAfter = (steps: number) =>
    Effect.gen(function* () {
      let answered: Exit.Exit<unknown, unknown> | undefined
      const request = Effect.map(Effect.exit(issue()), (exit) => {
        answered = exit
      })
      const fiber = yield* Effect.fork(Effect.uninterruptible(request))
      for (let step = 0; step < steps; step++) yield* Effect.yieldNow()
      yield* Fiber.interruptFork(fiber)
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.await(fiber)
      return answered
    })

  it.effect("is not interrupted, whatever the sandbox is doing with its request", () =>
    Effect.gen(function* () {
      const { counts, fault } = yield* Sandbox
      for (let steps = 1; steps <= 20; steps++) {
        yield* fault("issue", { latency: "5 seconds" })
        const answered = yield* interruptedAfter(steps)
        assert.isTrue(answered !== undefined && Exit.isSuccess(answered), `after ${steps} steps: ${answered}`)
      }
      assert.strictEqual((yield* counts).issued, 20)
    }).pipe(sandbox)
  )
})

describe("an action on a session that does not exist", () => {
  it.effect("is rejected with a message", () =>
    Effect.gen(function* () {
      const { expire, session, steal } = yield* Sandbox
      assert.strictEqual((yield* Effect.flip(expire("access"))).reason, "Session")
      assert.strictEqual((yield* Effect.flip(steal("nobody"))).reason, "Client")
      assert.isTrue(Option.isNone(yield* session("nobody")))
    }).pipe(sandbox)
  )
})
