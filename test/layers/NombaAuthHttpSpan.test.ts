import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, TestClock } from "effect"
import { granted, once, withPolicy } from "../support/auth.js"
import { fake, json, unreachable } from "../support/http.js"
import { type Named, operations } from "../support/operations.js"
import { recordSpans } from "../support/tracer.js"

const traced = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.exit(effect).pipe(
    Effect.withSpan("the caller's"),
    recordSpans,
    Effect.map(([, spans]) => spans.filter((span) => span.name !== "the caller's"))
  )

const named = (operation: string): Named => operations.find((one) => one.operation === operation) ?? assert.fail()

describe("the span of an operation", () => {
  for (const { operation, run } of operations) {
    it.effect(`${operation}: one span, below the caller's, with how it ended`, () =>
      Effect.gen(function* () {
        const spans = yield* traced(run(yield* once(fake(() => granted()))))
        assert.deepStrictEqual(
          spans.map((span) => [span.name, span.kind]),
          [[`NombaAuth.${operation}`, "client"]]
        )
        assert.deepStrictEqual(Object.fromEntries(spans[0]?.attributes ?? []), {
          "nomba.attempts": 1,
          "nomba.outcome": "ok",
          "http.response.status_code": 200
        })
        assert.deepStrictEqual(
          Option.map(spans[0]?.parent ?? Option.none(), (span) => span._tag === "Span" && span.name),
          Option.some("the caller's")
        )
      })
    )
  }

  it.effect("a failure is named by its tag", () =>
    Effect.gen(function* () {
      for (const [operation, status, outcome] of [
        ["issue", 401, "InvalidCredentials"],
        ["refresh", 401, "Expired"],
        ["issue", 400, "InvalidRequest"],
        ["issue", 302, "UnexpectedResponse"],
        ["issue", 503, "Unavailable"]
      ] as const) {
        const [span] = yield* traced(named(operation).run(yield* once(fake(() => json(status, {})))))
        assert.deepStrictEqual(Object.fromEntries(span?.attributes ?? []), {
          "nomba.attempts": 1,
          "nomba.outcome": outcome,
          "http.response.status_code": status
        })
        assert.isTrue(span?.status._tag === "Ended" && span.status.exit._tag === "Failure")
      }
    })
  )

  it.effect("attempts are counted, and the last status is told", () =>
    Effect.gen(function* () {
      const http = fake((_, n) => (n < 3 ? json(503, {}) : granted()))
      const fiber = yield* Effect.fork(traced((yield* withPolicy(undefined, http)).issue))
      yield* TestClock.adjust("10 seconds")
      const spans = yield* fiber
      assert.strictEqual(spans.length, 1)
      assert.deepStrictEqual(Object.fromEntries(spans[0]?.attributes ?? []), {
        "nomba.attempts": 3,
        "nomba.outcome": "ok",
        "http.response.status_code": 200
      })
    })
  )

  it.effect("no status where there was no answer", () =>
    Effect.gen(function* () {
      const [unanswered] = yield* traced((yield* once(fake((sent) => unreachable(sent, undefined)))).issue)
      assert.deepStrictEqual(Object.fromEntries(unanswered?.attributes ?? []), {
        "nomba.attempts": 1,
        "nomba.outcome": "Unavailable"
      })
      const [unsent] = yield* traced((yield* once(fake(() => granted()))).revoke(Redacted.make("")))
      assert.deepStrictEqual(Object.fromEntries(unsent?.attributes ?? []), {
        "nomba.attempts": 1,
        "nomba.outcome": "InvalidRequest"
      })
    })
  )

  it.effect("an interrupted operation says so", () =>
    Effect.gen(function* () {
      const auth = yield* once(fake(() => Effect.never))
      const [span] = yield* traced(Effect.race(auth.issue, Effect.void))
      assert.strictEqual(span?.attributes.get("nomba.outcome"), "interrupted")
    })
  )

  it.effect("works without a tracer", () =>
    Effect.gen(function* () {
      yield* Effect.withTracerEnabled((yield* once(fake(() => granted()))).issue, false)
    })
  )
})
