import { HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect, Layer, Option, Redacted, TestClock } from "effect"
import { type Dialect, type Options, Sandbox } from "nomba-auth/sandbox"
import type { Session } from "../../src/schemas/Session.js"
import type { NombaConfigService } from "../../src/services/NombaConfig.js"
import { once } from "../support/auth.js"

const { accountId, clientId, clientSecret } = Sandbox.defaultClient

const against = (options: Options, changes: Partial<NombaConfigService> = {}) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.make(options)
    const auth = yield* once(
      { layer: Layer.succeed(HttpClient.HttpClient, sandbox.client) },
      {
        baseUrl: sandbox.url,
        clientId,
        clientSecret: Effect.succeed(clientSecret),
        accountId: Option.some(accountId),
        ...changes
      }
    )
    return { auth, sandbox }
  })

const refreshing = (session: Session) => ({
  refreshToken: Option.getOrThrow(session.refreshToken),
  accessToken: session.accessToken
})

describe("NombaAuthHttp against the sandbox, which shares no code with it,", () => {
  for (const dialect of ["spec", "live", "both"] satisfies ReadonlyArray<Dialect>) {
    it.scoped(`issues, refreshes and revokes a session, ${dialect}`, () =>
      Effect.gen(function* () {
        const { auth } = yield* against({ dialect, accountHeader: dialect === "spec" ? "ignored" : "required" })
        const first = yield* auth.issue
        assert.deepStrictEqual(first.lifetime, Duration.minutes(30))

        yield* TestClock.adjust("31 minutes")
        const second = yield* auth.refresh(refreshing(first))
        assert.deepStrictEqual(second.lifetime, Duration.minutes(30))
        assert.notStrictEqual(Redacted.value(second.accessToken), Redacted.value(first.accessToken))
        assert.strictEqual((yield* Effect.flip(auth.refresh(refreshing(first))))._tag, "Expired")

        const third = yield* auth.issue
        yield* auth.revoke(third.accessToken)
        assert.strictEqual((yield* Effect.flip(auth.revoke(third.accessToken)))._tag, "Expired")
      })
    )

    for (const clockOffset of [-36e5 * 5, 36e5 * 5]) {
      it.scoped(`measures the lifetime of a server whose clock is ${clockOffset / 36e5} h off, ${dialect}`, () =>
        Effect.gen(function* () {
          yield* TestClock.setTime(Date.UTC(2026, 0, 1))
          const { auth } = yield* against({ dialect, clockOffset, accessLifetime: "10 minutes" })
          const session = yield* auth.issue
          assert.deepStrictEqual(session.lifetime, Duration.minutes(10))
          assert.strictEqual(session.clock, "server")
        })
      )
    }
  }

  it.scoped("fails with InvalidCredentials for a wrong secret or account", () =>
    Effect.gen(function* () {
      for (const changes of [
        { clientSecret: Effect.succeed(Redacted.make("q1/W2+e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8l9Z0=")) },
        { clientId: "11111111-2222-4333-8444-555555555555" },
        { accountId: Option.none() }
      ]) {
        const { auth } = yield* against({ accountHeader: "required" }, changes)
        assert.strictEqual((yield* Effect.flip(auth.issue))._tag, "InvalidCredentials")
      }
    })
  )

  it.scoped("fails with Expired on refresh and revoke of a session that another login has ended", () =>
    Effect.gen(function* () {
      const { auth, sandbox } = yield* against({})
      const session = yield* auth.issue
      yield* sandbox.steal()
      assert.strictEqual((yield* Effect.flip(auth.refresh(refreshing(session))))._tag, "Expired")
      assert.strictEqual((yield* Effect.flip(auth.revoke(session.accessToken)))._tag, "Expired")
    })
  )
})
