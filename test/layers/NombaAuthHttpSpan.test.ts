import { assert, describe, it } from "@effect/vitest"
import { Effect, Option, Redacted, TestClock } from "effect"
import { granted, once, withPolicy } from "../support/auth.js"
import { fake, json, unreachable } from "../support/http.js"
import { type Named, operations } from "../support/operations.js"
import { type RecordedSpan, recordSpans } from "../support/tracer.js"

/** The spans of the operation, and those of its requests. */
const traced = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.exit(effect).pipe(
    Effect.withSpan("the caller's"),
    recordSpans,
    Effect.map(([, spans]) => [
      spans.filter((span) => span.name.startsWith("NombaAuth.")),
      spans.filter((span) => span.name.startsWith("POST "))
    ])
  )

const attributes = (span: RecordedSpan | undefined) => Object.fromEntries(span?.attributes ?? [])

const parentName = (span: RecordedSpan | undefined) =>
  Option.getOrUndefined(Option.map(span?.parent ?? Option.none(), (parent) => parent._tag === "Span" && parent.name))

const named = (operation: string): Named => operations.find((one) => one.operation === operation) ?? assert.fail()

describe("the span of an operation", () => {
  for (const { operation, run } of operations) {
    it.effect(`${operation}: one span, below the caller's, with how it ended`, () =>
      Effect.gen(function* () {
        const [[span, ...others] = [], requests = []] = yield* traced(run(yield* once(fake(() => granted()))))
        assert.deepStrictEqual([span?.name, span?.kind, others], [`NombaAuth.${operation}`, "internal", []])
        assert.deepStrictEqual(attributes(span), { "nomba.attempts": 1, "nomba.outcome": "ok" })
        assert.strictEqual(parentName(span), "the caller's")
        assert.deepStrictEqual(
          requests.map((request) => [
            request.kind,
            parentName(request),
            attributes(request)["http.response.status_code"]
          ]),
          [["client", `NombaAuth.${operation}`, 200]]
        )
      })
    )
  }

  it.effect("a failure is named by its tag", () =>
    Effect.gen(function* () {
      for (const [operation, status, outcome, type] of [
        ["issue", 401, "InvalidCredentials", "InvalidCredentials"],
        ["refresh", 401, "Expired", "Expired"],
        ["issue", 400, "InvalidRequest", "InvalidRequest"],
        ["issue", 302, "UnexpectedResponse", "Redirect"],
        ["issue", 503, "Unavailable", "ServerError"]
      ] as const) {
        const [[span] = [], [request] = []] = yield* traced(
          named(operation).run(yield* once(fake(() => json(status, {}))))
        )
        assert.deepStrictEqual(attributes(span), {
          "nomba.attempts": 1,
          "nomba.outcome": outcome,
          "error.type": type
        })
        assert.strictEqual(attributes(request)["http.response.status_code"], status)
        assert.isTrue(span?.status._tag === "Ended" && span.status.exit._tag === "Failure")
      }
    })
  )

  it.effect("attempts are counted, and each has a span that says how often it was sent before", () =>
    Effect.gen(function* () {
      const http = fake((_, n) => (n < 3 ? json(503, {}) : granted()))
      const fiber = yield* Effect.fork(traced((yield* withPolicy(undefined, http)).issue))
      yield* TestClock.adjust("10 seconds")
      const [spans = [], requests = []] = yield* fiber
      assert.strictEqual(spans.length, 1)
      assert.deepStrictEqual(attributes(spans[0]), { "nomba.attempts": 3, "nomba.outcome": "ok" })
      assert.deepStrictEqual(
        requests.map(attributes).map((of) => [of["http.response.status_code"], of["http.request.resend_count"]]),
        [
          [503, undefined],
          [503, 1],
          [200, 2]
        ]
      )
    })
  )

  it.effect("no status where there was no answer", () =>
    Effect.gen(function* () {
      const [[unanswered] = [], [request] = []] = yield* traced(
        (yield* once(fake((sent) => unreachable(sent, undefined)))).issue
      )
      assert.deepStrictEqual(attributes(unanswered), {
        "nomba.attempts": 1,
        "nomba.outcome": "Unavailable",
        "error.type": "Network"
      })
      assert.notProperty(attributes(request), "http.response.status_code")
      const [[unsent] = [], requests] = yield* traced((yield* once(fake(() => granted()))).revoke(Redacted.make("")))
      assert.deepStrictEqual(attributes(unsent), {
        "nomba.attempts": 1,
        "nomba.outcome": "InvalidRequest",
        "error.type": "InvalidRequest"
      })
      assert.deepStrictEqual(requests, [])
    })
  )

  it.effect("an interrupted operation says so", () =>
    Effect.gen(function* () {
      const auth = yield* once(fake(() => Effect.never))
      const [[span] = []] = yield* traced(Effect.race(auth.issue, Effect.void))
      assert.strictEqual(span?.attributes.get("nomba.outcome"), "interrupted")
    })
  )

  it.effect("works without a tracer", () =>
    Effect.gen(function* () {
      yield* Effect.withTracerEnabled((yield* once(fake(() => granted()))).issue, false)
    })
  )
})
