/**
 * The lifecycle of a client against a sandbox with one value of each switch: issue, use, renew, be logged out, recover, revoke.
 * Every caller gets a token, with the fewest token requests that the switches allow. Only under a rate limit may a caller
 * be told to wait.
 */
import assert from "node:assert/strict"
import { Cause, Effect, Exit, Fiber, Layer, Option, Predicate, Redacted, TestClock } from "effect"
import { type AuthError, Nomba, NombaClient, TokenCache, TokenStoreMemory } from "nomba-auth"
import { Sandbox, type SandboxService } from "nomba-auth/sandbox"
import type { Row } from "./rows.js"

const MAX_TRIES = 8

/** Runs to its end while time goes by. */
const inTime = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(effect)
    yield* TestClock.adjust("0 millis")
    for (let seconds = 0; seconds < 120; seconds++) {
      const exit = yield* Fiber.poll(fiber)
      if (Option.isSome(exit)) return exit.value
      yield* TestClock.adjust("1 seconds")
    }
    return yield* Effect.dieMessage("no answer within two minutes")
  })

/** A 401 that stays, because the rate limit holds the renewal back. */
const isRejected = (value: unknown): boolean => Predicate.hasProperty(value, "status") && value.status === 401

/** Runs again a minute later if the rate limit held it back, as its caller would. */
const retryWhileHeldBack = <A, E extends { readonly _tag: string }, R>(
  row: Row,
  effect: Effect.Effect<A, E, R>
): Effect.Effect<Exit.Exit<A, E>, never, R> =>
  Effect.gen(function* () {
    for (let times = 1; ; times++) {
      const exit = yield* inTime(effect)
      const heldBack = Exit.match(exit, {
        onFailure: (cause) => Option.exists(Cause.failureOption(cause), ({ _tag }) => _tag === "Unavailable"),
        onSuccess: isRejected
      })
      if (!heldBack || row.rateLimit !== "lowTraffic" || times === MAX_TRIES) return exit
      yield* TestClock.adjust("61 seconds")
    }
  })

interface Calls {
  readonly issue: number
  readonly refresh: number
  readonly revoke: number
}

/** The token calls so far, less those that met the rate limit. */
const calls = (sandbox: SandboxService): Effect.Effect<Calls> =>
  Effect.map(sandbox.counts, ({ issue, refresh, revoke }) => {
    const served = ({ requests, statuses }: typeof issue) => requests - (statuses["429"] ?? 0)
    return { issue: served(issue), refresh: served(refresh), revoke: served(revoke) }
  })

const balance = Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/accounts/balance"))

/** How many bodies revoke must be tried with until one is taken. */
const formsOfRevoke = ({ revokeMembers, revokeUnknownMembers }: Row): number => {
  if (revokeMembers === "any" || revokeUnknownMembers === "ignored") return 1
  return revokeMembers === "spec" ? 2 : 3
}

/** Another program, which does not know this one's secret, logs in too. */
const another = {
  clientId: "2f6c1b0e-9a53-4f4b-8f8e-6f1d2c3b4a59",
  clientSecret: Redacted.make("bm90IHdoYXQgdGhlIGNhbGxlciBzYXlzIGl0IGlzISE="),
  accountId: "7d0f7f52-53c5-4b5c-9f3b-0a8e3f6c2d11"
}

/** Lives one row. It dies with what did not hold. */
export const runLifecycle = (row: Row): Effect.Effect<void> =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox
    const { defaultClient } = Sandbox
    const margin = Math.min(5 * 60_000, row.accessLifetime / 5)
    /** By the time that a token is renewed. A client learns of it by a refusal. */
    const refreshIsDead = row.refreshLifetime < row.accessLifetime - margin

    /** A step, and the token calls that it must cost. */
    const step = <A, E extends { readonly _tag: string }, R>(
      name: string,
      cost: Partial<Calls>,
      effect: Effect.Effect<A, E, R>
    ) =>
      Effect.gen(function* () {
        const before = yield* calls(sandbox)
        const exit = yield* retryWhileHeldBack(row, effect)
        yield* inTime(Effect.void)
        const after = yield* calls(sandbox)
        const made = {
          issue: after.issue - before.issue,
          refresh: after.refresh - before.refresh,
          revoke: after.revoke - before.revoke
        }
        assert.deepEqual(made, { issue: 0, refresh: 0, revoke: 0, ...cost }, `${name}: the token calls that it made`)
        return exit
      })

    const reached = <E extends { readonly _tag: string }, R>(
      name: string,
      cost: Partial<Calls>,
      effect: Effect.Effect<{ readonly status: number }, E, R>
    ) =>
      Effect.map(step(name, cost, effect), (exit) => {
        assert.equal(Exit.isSuccess(exit) ? exit.value.status : `${exit}`, 200, name)
      })

    /** The failure of a login with these credentials, and that it takes one token request. */
    const rejected = (name: string, client: typeof another) =>
      Effect.map(
        step(
          name,
          { issue: 1 },
          Effect.flatMap(TokenCache, (cache) => cache.get).pipe(
            Effect.provide(
              Layer.orDie(Layer.provide(Nomba.layer({ ...client, baseUrl: sandbox.url }), TokenStoreMemory.layer))
            )
          )
        ),
        (exit): AuthError | undefined =>
          Exit.isFailure(exit) ? Option.getOrUndefined(Cause.failureOption(exit.cause)) : undefined
      )

    if (row.callerAddress === "refused") {
      const refused = yield* rejected("a caller whose address is not allowed is refused", another)
      assert.equal(refused?._tag, "InvalidCredentials", "a caller whose address is not allowed")
      yield* Effect.orDie(sandbox.configure({ callerAddress: "allowed" }))
      yield* TestClock.adjust("2 minutes")
    }
    if (row.accountHeader !== "ignored") {
      const foreign = { ...another, accountId: defaultClient.accountId }
      const refused = yield* rejected("another client's account is refused", foreign)
      assert.equal(refused?._tag, "InvalidCredentials", "another client's account")
      yield* TestClock.adjust("2 minutes")
    }

    yield* Effect.gen(function* () {
      const cache = yield* TokenCache
      yield* reached("a first call logs in", { issue: 1 }, balance)
      yield* reached("a second call uses the token", {}, balance)

      yield* TestClock.adjust(row.accessLifetime - margin / 2)
      yield* reached(
        "ahead of expiry it is renewed in the background",
        { refresh: 1, issue: refreshIsDead ? 1 : 0 },
        refreshIsDead ? Effect.zipRight(balance, Effect.delay(balance, "61 seconds")) : balance
      )
      yield* reached("and the new token is used", {}, balance)

      yield* TestClock.adjust(row.accessLifetime + 1000)
      const bearerIsRefused = row.refreshBearer !== "ignored" && row.refreshBearerExpired === "refused"
      yield* reached(
        "an expired token is renewed before the call",
        row.refreshRotation || refreshIsDead
          ? { refresh: 1, issue: bearerIsRefused || refreshIsDead ? 1 : 0 }
          : { issue: 1 },
        balance
      )

      yield* TestClock.adjust("2 minutes")
      yield* sandbox.steal()
      yield* reached("another login is recovered from", row.singleSession ? { issue: 1 } : {}, balance)

      yield* TestClock.adjust("2 minutes")
      yield* sandbox.revoke()
      yield* reached("a logout by another program is recovered from", { issue: 1 }, balance)

      yield* TestClock.adjust("2 minutes")
      yield* sandbox.expire("access")
      yield* reached("a token that expired early is recovered from", { issue: 1 }, balance)

      yield* sandbox.expire("refresh")
      yield* TestClock.adjust(row.accessLifetime + 1000)
      yield* reached("a dead refresh token is recovered from", { refresh: 1, issue: 1 }, balance)

      yield* TestClock.adjust("2 minutes")
      const token = yield* Effect.orDie(cache.get)
      const loggedOut = yield* step("a logout revokes", { revoke: formsOfRevoke(row) }, cache.logout)
      assert.ok(Exit.isSuccess(loggedOut), `a logout revokes: ${loggedOut}`)
      const held = yield* sandbox.sessions
      assert.ok(
        held.every(({ accessToken }) => Redacted.value(accessToken) !== Redacted.value(token)),
        "it has ended"
      )

      yield* TestClock.adjust("2 minutes")
      yield* reached("the next call logs in again", { issue: 1 }, balance)
    }).pipe(
      Effect.provide(Layer.provide(Nomba.layer({ ...defaultClient, baseUrl: sandbox.url }), TokenStoreMemory.layer)),
      Effect.orDie
    )

    yield* TestClock.adjust("2 minutes")
    const wrong = { ...another, clientSecret: Redacted.make("q1/W2+e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8l9Z0=") }
    const error = yield* rejected("wrong credentials are refused", wrong)
    assert.equal(error?._tag, row.badCredentials === 400 ? "InvalidRequest" : "InvalidCredentials")
  }).pipe(Effect.provide(Layer.orDie(Sandbox.layer({ ...row, clients: [Sandbox.defaultClient, another] }))))
