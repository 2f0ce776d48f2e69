import { assert, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Option, Redacted } from "effect"
import { InvalidCredentials, NombaAuth, Session, TokenCache } from "nomba-auth"
import { NombaAuthTest, TokenCacheTest } from "nomba-auth/testing"

it.effect("a program that needs only a token", () =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    assert.strictEqual(Redacted.value(yield* cache.get), "a-token")
  }).pipe(Effect.provide(TokenCacheTest.layer("a-token")))
)

it.effect("a program that handles a failed issue", () =>
  Effect.gen(function* () {
    const auth = yield* NombaAuth
    const tag = yield* Effect.match(auth.issue, { onFailure: (error) => error._tag, onSuccess: () => "none" })
    assert.strictEqual(tag, "InvalidCredentials")
  }).pipe(
    Effect.provide(
      NombaAuthTest.layer({ issue: Effect.fail(new InvalidCredentials({ operation: "issue", status: 401 })) })
    )
  )
)

it.effect("a program that issues and revokes a token", () =>
  Effect.gen(function* () {
    const auth = yield* NombaAuth
    const { accessToken, refreshToken } = yield* auth.issue
    yield* auth.revoke(accessToken)
    assert.isTrue(Option.isNone(refreshToken))
  }).pipe(
    Effect.provide(
      NombaAuthTest.layer({
        issue: Effect.succeed(
          new Session({
            accessToken: Redacted.make("a-token"),
            refreshToken: Option.none(),
            lifetime: Duration.minutes(30),
            issuedAt: DateTime.unsafeMake(0),
            clock: "server",
            tokenType: "Bearer",
            businessId: Option.none()
          })
        ),
        revoke: () => Effect.void
      })
    )
  )
)
