import type { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Duration, Effect, Layer, Random, Redacted, Schedule, TestClock } from "effect"
import { AttemptGate } from "../../src/layers/auth/HttpAttempt.js"
import * as NombaAuthHttp from "../../src/layers/NombaAuthHttp.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import { NombaAuth, type NombaAuthService } from "../../src/services/NombaAuth.js"
import { RetryPolicy } from "../../src/services/RetryPolicy.js"
import { granted, once, withPolicy } from "../support/auth.js"
import { layerConfig } from "../support/config.js"
import { type Answer, fake, json, type Sent, text, unreachable } from "../support/http.js"
import { operations, presented } from "../support/operations.js"

const refused = (sent: Sent): Answer => unreachable(sent, Object.assign(new Error(), { code: "ECONNREFUSED" }))
const reset = (sent: Sent): Answer => unreachable(sent, Object.assign(new Error(), { code: "ECONNRESET" }))

const everySecond = RetryPolicy.layer(Schedule.spaced("1 second").pipe(Schedule.intersect(Schedule.recurs(3))))

/** A client, and the times since now at which it was sent a request. */
const timed = (respond: (sent: Sent, n: number) => Answer) =>
  Effect.map(Clock.currentTimeMillis, (start) => {
    const times: Array<number> = []
    const http = fake((sent, n) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        times.push(now - start)
        const answer = respond(sent, n)
        return Effect.isEffect(answer) ? answer : Effect.succeed(answer)
      })
    )
    return { http, times }
  })

const issue = (auth: NombaAuthService) => auth.issue
const refresh = (auth: NombaAuthService) => auth.refresh({ refreshToken: Redacted.make(presented.refreshToken) })

/** Runs to the end while a minute passes, and tells how it ended. */
const ending = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(Effect.either(effect))
    yield* TestClock.adjust("1 minute")
    return yield* fiber
  })

describe("a token request is retried", () => {
  it.effect("four times by default, after 200 ms, doubling", () =>
    Effect.gen(function* () {
      const { http, times } = yield* timed(() => json(503, {}))
      const auth = yield* withPolicy(undefined, http)
      yield* ending(auth.issue).pipe(Effect.withRandom(Random.fixed([0.5])))
      assert.deepStrictEqual(times, [0, 200, 600, 1400, 3000])
    })
  )

  it.effect("with jitter by default, in whole milliseconds", () =>
    Effect.gen(function* () {
      const { http, times } = yield* timed(() => json(503, {}))
      const auth = yield* withPolicy(undefined, http)
      yield* ending(auth.issue).pipe(Effect.withRandom(Random.make("a seed")))
      assert.lengthOf(times, 5)
      assert.isTrue(times.every(Number.isInteger), times.join())
      assert.notDeepEqual(times, [0, 200, 600, 1400, 3000])
    })
  )

  it.effect("until it succeeds", () =>
    Effect.gen(function* () {
      const { http, times } = yield* timed((_, n) => (n < 3 ? json(500, {}) : granted()))
      const result = yield* ending((yield* withPolicy(everySecond, http)).issue)
      assert.strictEqual(result._tag, "Right")
      assert.deepStrictEqual(times, [0, 1000, 2000])
    })
  )

  it.effect("never with RetryPolicy.layerNone, and the failure comes at once", () =>
    Effect.gen(function* () {
      for (const { run } of operations) {
        const { http, times } = yield* timed(() => json(429, {}, { "retry-after": "5" }))
        const error = yield* Effect.flip(run(yield* once(http)))
        assert.deepStrictEqual(times, [0])
        assert.deepStrictEqual(error.retryAfter, Duration.seconds(5))
      }
    })
  )

  it.effect("not after a failure that a retry cannot change", () =>
    Effect.gen(function* () {
      for (const { run } of operations) {
        for (const status of [302, 401, 403, 404, 409]) {
          const { http, times } = yield* timed(() => json(status, {}))
          yield* Effect.flip(run(yield* withPolicy(everySecond, http)))
          assert.strictEqual(times.length, 1)
        }
        const { http, times } = yield* timed(() => text(200, "<html>"))
        yield* Effect.flip(run(yield* withPolicy(everySecond, http)))
        assert.strictEqual(times.length, 1)
      }
    })
  )

  const unavailable: ReadonlyArray<readonly [string, (sent: Sent) => Answer, "no" | "unknown"]> = [
    ["refused", refused, "no"],
    ["a rate limit", () => json(429, {}), "no"],
    ["a reset", reset, "unknown"],
    ["500", () => json(500, {}), "unknown"],
    ["503", () => json(503, {}), "unknown"],
    ["408", () => json(408, {}), "unknown"],
    ["a 200 that says 429", () => json(200, { code: "429" }), "no"],
    ["a 200 that says 500", () => json(200, { code: "500" }), "unknown"]
  ]
  for (const [what, answer, processed] of unavailable) {
    for (const { operation, run } of operations) {
      const singleUse = operation === "refresh" || operation === "exchange"
      const repeated = !singleUse || processed === "no"
      it.effect(`${operation} after ${what}: ${repeated ? "yes" : "no, its token may be used up"}`, () =>
        Effect.gen(function* () {
          const { http, times } = yield* timed(answer)
          yield* ending(run(yield* withPolicy(everySecond, http)))
          assert.strictEqual(times.length, repeated ? 4 : 1)
        })
      )
    }
  }

  it.effect("after a time-out for issue and revoke only, and only while there is time", () =>
    Effect.gen(function* () {
      for (const { operation, run } of operations) {
        const { http, times } = yield* timed(() => Effect.never)
        yield* ending(run(yield* withPolicy(everySecond, http)))
        assert.deepStrictEqual(times, operation === "issue" || operation === "revoke" ? [0, 11_000] : [0])
      }
    })
  )

  it.effect("the policy sees what failed", () =>
    Effect.gen(function* () {
      const seen: Array<string> = []
      const onlyNetwork = Schedule.spaced("1 second").pipe(
        Schedule.whileInput((error: Unavailable) => {
          seen.push(error.reason)
          return error.reason === "Network"
        })
      )
      const { http } = yield* timed((sent, n) => (n < 3 ? refused(sent) : json(503, {})))
      const result = yield* ending((yield* withPolicy(RetryPolicy.layer(onlyNetwork), http)).issue)
      assert.deepStrictEqual(seen, ["Network", "Network", "ServerError"])
      assert.strictEqual(result._tag, "Left")
    })
  )

  it.effect("a policy that is used up by one operation is fresh for the next", () =>
    Effect.gen(function* () {
      const { http, times } = yield* timed(() => json(503, {}))
      const auth = yield* withPolicy(everySecond, http)
      yield* ending(auth.issue)
      yield* ending(auth.issue)
      assert.strictEqual(times.length, 8)
    })
  )

  it.effect("a source of the secret that is out of reach is asked again", () =>
    Effect.gen(function* () {
      let n = 0
      const { http, times } = yield* timed(() => granted())
      const auth = yield* withPolicy(everySecond, http, {
        clientSecret: Effect.suspend(() => (++n < 3 ? Effect.die("vault") : Effect.succeed(Redacted.make("s"))))
      })
      const result = yield* ending(auth.issue)
      assert.strictEqual(result._tag, "Right")
      assert.deepStrictEqual(times, [2000])
    })
  )
})

describe("the wait before a retry", () => {
  /** When the second request was sent. */
  const second = (headers: Record<string, string>, status = 429) =>
    Effect.gen(function* () {
      const { http, times } = yield* timed((_, n) => (n === 1 ? json(status, {}, headers) : granted()))
      yield* ending((yield* withPolicy(everySecond, http)).issue)
      return times[1]
    })

  for (const [headers, wait] of [
    [{ "retry-after": "3" }, 3000],
    [{ "retry-after": " 3 " }, 3000],
    [{ "retry-after": "0" }, 1000],
    [{ "retry-after": "3", "x-rate-limit-window": "5s" }, 3000],
    [{ "x-rate-limit-window": "5s" }, 5000],
    [{ "x-rate-limit-window": "1500" }, 1500],
    [{ "x-rate-limit-window": "1500ms" }, 1500],
    [{ "retry-after": "Thu, 01 Jan 1970 00:00:04 GMT" }, 4000],
    [{ "retry-after": "Wed, 13 Aug 2025 15:00:07 GMT", date: "Wed, 13 Aug 2025 15:00:00 GMT" }, 7000],
    [{ "retry-after": "Wed, 13 Aug 2025 15:00:00 GMT", date: "Wed, 13 Aug 2025 15:00:07 GMT" }, 1000],
    [{ "retry-after": "junk" }, 1000],
    [{ "retry-after": "junk", "x-rate-limit-window": "2s" }, 2000],
    [{ "retry-after": "-3" }, 1000],
    [{ "retry-after": "3, 4" }, 1000],
    [{ "retry-after": "" }, 1000],
    [{ "x-rate-limit-window": "soon" }, 1000],
    [{ "x-rate-limit-limit": "1" }, 1000]
  ] as const) {
    it.effect(`after a 429 with ${JSON.stringify(headers)} is ${wait} ms`, () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* second(headers), wait)
      })
    )
  }

  it.effect("after a 503 is Retry-After; a rate limit window is ignored", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* second({ "retry-after": "4" }, 503), 4000)
      assert.strictEqual(yield* second({ "x-rate-limit-window": "5s" }, 503), 1000)
    })
  )

  it.effect("is in retryAfter of a failure that comes at once if the server states more than fits", () =>
    Effect.gen(function* () {
      for (const [headers, wait] of [
        [{ "retry-after": "19" }, Duration.seconds(19)],
        [{ "x-rate-limit-window": "60s" }, Duration.seconds(60)],
        [{ "retry-after": "999999999999" }, Duration.hours(1)],
        [{ "retry-after": "9".repeat(400) }, Duration.hours(1)]
      ] as const) {
        const { http, times } = yield* timed(() => json(429, {}, headers))
        const error = yield* Effect.flip((yield* withPolicy(everySecond, http)).issue)
        assert.deepStrictEqual(error.retryAfter, wait)
        assert.deepStrictEqual(times, [0])
      }
    })
  )

  it.effect("is in retryAfter of a failure that comes at once if the policy's wait does not fit", () =>
    Effect.gen(function* () {
      const { http, times } = yield* timed(() => json(503, {}))
      const policy = RetryPolicy.layer(Schedule.spaced("9 seconds"))
      const result = yield* ending((yield* withPolicy(policy, http)).issue)
      assert.deepStrictEqual(result._tag === "Left" && result.left.retryAfter, Duration.seconds(9))
      assert.deepStrictEqual(times, [0, 9000, 18000])
    })
  )

  it.effect("may be 18 s, which leaves 12 of the 30 s for an attempt", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* second({ "retry-after": "18" }), 18000)
    })
  )

  it.effect("is in retryAfter of the last failure only if the server stated it", () =>
    Effect.gen(function* () {
      const stated = yield* ending(
        issue(
          yield* withPolicy(
            everySecond,
            fake(() => json(503, {}, { "retry-after": "2" }))
          )
        )
      )
      assert.deepStrictEqual(stated._tag === "Left" && stated.left.retryAfter, Duration.seconds(2))
      const unstated = yield* ending(
        issue(
          yield* withPolicy(
            everySecond,
            fake(() => json(503, {}))
          )
        )
      )
      assert.isTrue(unstated._tag === "Left" && !("retryAfter" in unstated.left))
    })
  )
})

describe("the gate between attempts", () => {
  const gate = (answers: ReadonlyArray<boolean>) => {
    const asked: Array<unknown> = []
    let n = 0
    return {
      asked,
      provided: Effect.provideService(AttemptGate, {
        beforeSend: Effect.void,
        start: (needed) =>
          Effect.sync(() => {
            asked.push(["start", Duration.toMillis(needed)])
            return (wait) =>
              Effect.sync(() => {
                asked.push(["wait", Duration.toMillis(wait)])
                return answers[n++] ?? false
              })
          })
      })
    }
  }

  it.effect("is started once with the attempt's time-out, and asked before each retry", () =>
    Effect.gen(function* () {
      const { asked, provided } = gate([true, true, true, true])
      const { http, times } = yield* timed((_, n) => json(503, {}, n === 2 ? { "retry-after": "7" } : {}))
      yield* Effect.flip((yield* withPolicy(everySecond, http)).issue).pipe(provided)
      assert.deepStrictEqual(asked, [
        ["start", 10_000],
        ["wait", 1000],
        ["wait", 7000],
        ["wait", 1000]
      ])
      assert.strictEqual(times.length, 4)
    })
  )

  it.effect("is asked immediately before each request, which is not sent if it fails", () =>
    Effect.gen(function* () {
      const { http, times } = yield* timed(() => json(503, {}))
      const asked: Array<number> = []
      const closed = new Unavailable({ operation: "store", reason: "Closed", processed: "no" })
      const clientSecret = Effect.delay(Effect.succeed(Redacted.make("q1/W2+e3R4t5Y6u7")), "2 seconds")
      const auth = yield* withPolicy(everySecond, http, { clientSecret })
      const start = yield* Clock.currentTimeMillis
      const result = yield* ending(
        auth.issue.pipe(
          Effect.provideService(AttemptGate, {
            beforeSend: Effect.flatMap(Clock.currentTimeMillis, (now) =>
              asked.push(now - start) < 3 ? Effect.void : closed
            ),
            start: () => Effect.succeed((wait) => Effect.as(Effect.sleep(wait), asked.length < 3))
          })
        )
      )
      assert.deepStrictEqual(asked, [2_000, 5_000, 8_000])
      assert.deepStrictEqual(times, [2_000, 5_000])
      assert.deepInclude(result._tag === "Left" && result.left, { reason: "Closed" })
    })
  )

  it.effect("ends the operation at once with the last failure if it answers no", () =>
    Effect.gen(function* () {
      const { asked, provided } = gate([true, false])
      const { http, times } = yield* timed((_, n) => json(503, { description: `failure ${n}` }, { "retry-after": "7" }))
      const error = yield* Effect.flip((yield* withPolicy(everySecond, http)).issue).pipe(provided)
      assert.strictEqual(asked.length, 3)
      assert.strictEqual(times.length, 2)
      assert.deepInclude(error, { description: "failure 2" })
      assert.deepStrictEqual(error.retryAfter, Duration.seconds(7))
    })
  )

  it.effect("keeps the policy's wait out of retryAfter", () =>
    Effect.gen(function* () {
      const { provided } = gate([false])
      const http = fake(() => json(503, {}))
      const error = yield* Effect.flip((yield* withPolicy(everySecond, http)).issue).pipe(provided)
      assert.notProperty(error, "retryAfter")
    })
  )

  it.effect("is not asked if nothing is retried", () =>
    Effect.gen(function* () {
      const { asked, provided } = gate([true])
      yield* Effect.flip(
        refresh(
          yield* withPolicy(
            everySecond,
            fake(() => json(500, {}))
          )
        )
      ).pipe(provided)
      yield* Effect.flip(issue(yield* once(fake(() => json(503, {}))))).pipe(provided)
      assert.deepStrictEqual(asked, [
        ["start", 10_000],
        ["start", 10_000]
      ])
    })
  )

  it.effect("is asked before revoke tries another body", () =>
    Effect.gen(function* () {
      const { asked, provided } = gate([true, false])
      const { http, times } = yield* timed(() => json(400, {}))
      yield* Effect.flip((yield* once(http)).revoke(Redacted.make("t"))).pipe(provided)
      assert.deepStrictEqual(asked.slice(1), [
        ["wait", 0],
        ["wait", 0]
      ])
      assert.strictEqual(times.length, 2)
    })
  )
})

describe("a RetryPolicy", () => {
  const call = Effect.flatMap(NombaAuth, (auth) => Effect.flip(auth.issue))
  const attempts = <E>(program: Effect.Effect<unknown, E, HttpClient.HttpClient>) =>
    Effect.gen(function* () {
      const { http, times } = yield* timed(() => json(503, {}))
      yield* ending(Effect.provide(program, http.layer))
      return times.length
    })
  const two = RetryPolicy.layer(Schedule.recurs(1))

  it.effect("applies if it is provided under the layer", () =>
    Effect.gen(function* () {
      const layer = NombaAuthHttp.layer.pipe(Layer.provide(layerConfig()), Layer.provide(two))
      assert.strictEqual(yield* attempts(Effect.provide(call, layer)), 2)
    })
  )

  it.effect("applies if it is provided around the whole program", () =>
    Effect.gen(function* () {
      const layer = NombaAuthHttp.layer.pipe(Layer.provide(layerConfig()))
      assert.strictEqual(yield* attempts(call.pipe(Effect.provide(layer), Effect.provide(two))), 2)
    })
  )

  it.effect("does not apply if it is merged beside the layer", () =>
    Effect.gen(function* () {
      const layer = NombaAuthHttp.layer.pipe(Layer.provide(layerConfig()), Layer.merge(two))
      assert.strictEqual(yield* attempts(Effect.provide(call, layer)), 5)
    })
  )

  it.effect("does not apply if it is provided nearer to the call", () =>
    Effect.gen(function* () {
      const layer = NombaAuthHttp.layer.pipe(Layer.provide(layerConfig()))
      assert.strictEqual(yield* attempts(call.pipe(Effect.provide(two), Effect.provide(layer))), 5)
    })
  )
})
