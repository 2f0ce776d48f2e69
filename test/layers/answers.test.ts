import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Either, Exit, FastCheck as fc, Option, Redacted } from "effect"
import * as GuardedClient from "../../src/layers/http/GuardedClient.js"
import * as IncomingResponse from "../../src/layers/http/IncomingResponse.js"
import type { AuthError } from "../../src/schemas/AuthError.js"
import { isHeaderSafe } from "../../src/schemas/SafeText.js"
import { Session } from "../../src/schemas/Session.js"
import { answering } from "../support/answering.js"
import { type Answer, anyAnswer, bytesOf, grantedTokens, PIECE } from "../support/answers.js"
import { once } from "../support/auth.js"
import { clientOver } from "../support/client.js"
import { clientSecret } from "../support/config.js"
import { known } from "../support/leakProbes.js"
import { leaks, type Printed, printed } from "../support/leaks.js"
import { operations, presented } from "../support/operations.js"
import { makeSimulation } from "../support/simulator.js"
import { scriptedCache } from "../support/tokenCache.js"

const START = Date.UTC(2025, 9, 9, 8, 53, 20)
const TIMEOUT = 10_000
/** How long a response is read that is discarded. */
const DISCARDING = 1_000
const RUNS = 100
const tags = ["InvalidRequest", "InvalidCredentials", "Expired", "Unavailable", "UnexpectedResponse"]
const secrets = [clientSecret, ...Object.values(presented), ...Object.values(grantedTokens)]

/** Runs a program in simulated time: how it ended, all that it let be seen, how long it took, and what it left running. */
const observe = <A, E>(program: Effect.Effect<A, E>) => {
  const simulation = makeSimulation(START)
  let ended: { readonly exit: Exit.Exit<A, E>; readonly took: number } | undefined
  const texts = simulation.run(
    program.pipe(
      Effect.onExit((exit) => Effect.sync(() => (ended = { exit, took: simulation.now() - START }))),
      printed
    )
  )
  simulation.settle()
  return {
    ...(ended ?? assert.fail("it did not end")),
    texts: Exit.getOrElse(texts, () => assert.fail("it could not be printed")),
    left: simulation.sleeping()
  }
}

const isSilent = (texts: ReadonlyArray<Printed>, hidden: ReadonlyArray<string>): void =>
  assert.deepStrictEqual(
    leaks(texts, hidden).map(([how, text]) => `${how}: ${text.slice(0, 300)}`),
    []
  )

const outcomeOf = <A, E>(exit: Exit.Exit<A, E>): Either.Either<A, E> =>
  Exit.match(exit, {
    onSuccess: (value) => Either.right(value),
    onFailure: (cause) =>
      Either.left(
        Option.getOrElse(Cause.failureOption(cause), () => assert.fail(`not a typed error: ${Cause.pretty(cause)}`))
      )
  })

const isOneOfFive = (error: AuthError, operation: string): void => {
  assert.include(tags, error._tag)
  assert.strictEqual(error.operation, operation)
  assert.isBelow(error.message.length, 500)
  assert.notMatch(error.message, /[\p{Cc}\p{Zl}\p{Zp}]/u)
  const told = Object.values(error).filter((field) => typeof field === "string" || Array.isArray(field))
  assert.isBelow(told.flat().join("").length, 5_000, "an error holds much of what was answered")
}

const isGranted = (value: unknown, answer: Answer): void => {
  assert.isTrue(answer.status >= 200 && answer.status < 300)
  assert.strictEqual(answer.end, "ends")
  if (value === undefined) return
  assert.instanceOf(value, Session)
  const token = Redacted.value(value.accessToken)
  assert.isTrue(isHeaderSafe(token))
  assert.isAbove(Duration.toMillis(value.lifetime), 0)
  assert.isAtMost(Duration.toMillis(value.lifetime), Duration.toMillis("1 day"))
  assert.doesNotThrow(() => JSON.parse(new TextDecoder().decode(bytesOf(answer))))
}

const areBounded = (pulled: ReadonlyArray<number>): void => {
  for (const size of pulled) assert.isAtMost(size, IncomingResponse.LIMIT + PIECE, "much of a body was read")
}

describe("any response gives a success or one of the five errors, in time and without a secret,", () => {
  for (const { operation, run } of operations) {
    it(`to ${operation}`, () => {
      const any = anyAnswer(known[operation])
      fc.assert(
        fc.property(fc.tuple(any, any, any), (answers) => {
          const client = answering(answers)
          const { exit, left, texts, took } = observe(Effect.flatMap(once(client), run))
          assert.isAtMost(client.sent(), operation === "revoke" ? 3 : 1)
          assert.isAtMost(took, client.sent() * TIMEOUT)
          assert.strictEqual(left, 0, "something is left running")
          areBounded(client.pulled)
          isSilent(texts, secrets)
          const last = answers[client.sent() - 1] ?? assert.fail("nothing was sent")
          Either.match(outcomeOf(exit), {
            onLeft: (error) => {
              isOneOfFive(error, operation)
              if (operation === "issue") assert.notStrictEqual(error._tag, "Expired")
            },
            onRight: (value) => isGranted(value, last)
          })
        }),
        { numRuns: RUNS }
      )
    })
  }

  it("to a call of a resource, which its caller reads as it came", () => {
    const tokens = ["token-1", "token-2", "token-3"]
    const any = anyAnswer(tokens)
    const rejected = fc.oneof(
      any,
      any.map((answer) => ({ ...answer, status: 401 }))
    )
    fc.assert(
      fc.property(fc.tuple(rejected, rejected, any), (answers) => {
        const client = answering(answers)
        const { exit, left, texts, took } = observe(
          Effect.flatMap(clientOver(client, scriptedCache("nomba", "store")), (nomba) => nomba.get("/v1/x"))
        )
        const seen = answers.slice(0, client.sent())
        const last = seen.at(-1) ?? assert.fail("nothing was sent")
        assert.isTrue(seen.slice(0, -1).every(({ status }) => status === 401))
        assert.isAtMost(
          took,
          seen.reduce((sum, { latency }) => sum + latency + DISCARDING, 0)
        )
        // An error whose body is slow or long is handed on half read: the caller may read the rest.
        const isPeeked = last.status >= 400 && last.status !== 401
        assert.isAtMost(left, isPeeked ? 1 : 0, "something is left running")
        areBounded(client.pulled)
        isSilent(
          texts.filter(([how]) => !how.startsWith("properties of")),
          tokens
        )
        Either.match(outcomeOf(exit), {
          onLeft: (error) => {
            assert.deepInclude(error, { _tag: "UnexpectedResponse", reason: "Redirect", operation: "request" })
            assert.isTrue(GuardedClient.isRedirect(last.status))
          },
          onRight: ({ status }) => {
            assert.strictEqual(status, last.status)
            // It may say that the JWT expired.
            const most = isPeeked ? IncomingResponse.PEEK_LIMIT + 2 * PIECE : 0
            assert.isAtMost(client.pulled.at(-1) ?? 0, most, "what the caller may read was read before")
          }
        })
      }),
      { numRuns: RUNS }
    )
  })
})
