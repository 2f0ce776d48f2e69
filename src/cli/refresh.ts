/** `nomba-auth refresh`: the stored session, renewed with its refresh token. */
import * as Command from "@effect/cli/Command"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { AttemptGate } from "../layers/auth/HttpAttempt.js"
import { Expired, Unavailable } from "../schemas/AuthError.js"
import { wasNotProcessed } from "../schemas/ErrorMeaning.js"
import { NombaAuth } from "../services/NombaAuth.js"
import { NombaConfig } from "../services/NombaConfig.js"
import { type Lease, type SharedFailure, type Stored, TokenStore } from "../services/TokenStore.js"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import { Ended, EXPIRED } from "./ExitCode.js"
import * as Output from "./Output.js"
import * as SessionReport from "./sessionReport.js"

const flags = { ...Environment.flags, ...Output.jsonFlag }

const nothingToRefresh = new Expired({ operation: "refresh" })

const sayNothingToRefresh = Effect.zipRight(
  Output.say("the token store holds no session with an unused refresh token: nomba-auth token starts one"),
  new Ended({ code: EXPIRED })
)

/** The lease is held for one request. */
const onlyOnce = {
  beforeSend: Effect.void,
  start: () => Effect.succeed(() => Effect.succeed(false))
}

const heldBack = ({ reason, status, wait }: SharedFailure): Unavailable =>
  new Unavailable({
    operation: "refresh",
    reason,
    retryAfter: wait,
    processed: "no",
    ...Option.match(status, { onNone: () => ({}), onSome: (status) => ({ status }) })
  })

const refreshed = Effect.gen(function* () {
  const auth = yield* NombaAuth
  const { requestTimeout, storeKey } = yield* NombaConfig
  const store = yield* Effect.flatMap(TokenStore, (tokenStore) => tokenStore.open(storeKey, requestTimeout))
  const { version: before } = yield* store.readVersioned
  const obtain = (current: Option.Option<Stored>, lease: Lease) =>
    Effect.gen(function* () {
      if (Option.isNone(current) || current.value.refreshInFlight) return yield* nothingToRefresh
      const { accessToken, refreshToken } = current.value.session
      if (Option.isNone(refreshToken)) return yield* nothingToRefresh
      yield* lease.beginRefresh
      const [elapsed, session] = yield* auth.refresh({ refreshToken: refreshToken.value, accessToken }).pipe(
        Effect.provideService(AttemptGate, onlyOnce),
        Effect.tapError((error) => Effect.when(lease.cancelRefresh, () => wasNotProcessed(error))),
        Effect.timed
      )
      return { session, remaining: Duration.subtract(session.lifetime, elapsed) }
    })
  yield* store
    .renew({
      adopt: ({ version }) => version > before,
      obtain,
      share: () => Option.none(),
      isAbandoned: () => false
    })
    .pipe(
      Effect.catchTag("RenewalHeldBack", ({ failure }) => heldBack(failure)),
      Effect.catchIf(
        (error) => error === nothingToRefresh,
        () => sayNothingToRefresh
      )
    )
}).pipe(Effect.scoped, Effect.uninterruptible)

export const command = Command.make("refresh", flags, (given) =>
  Effect.zipRight(refreshed, SessionReport.print(given)).pipe(Effect.provide(Environment.layer(given)))
).pipe(
  Command.withDescription(
    describe(
      "Renew the stored session with its refresh token now. Programs that share this token store take the new session. Prints what status prints.",
      ["nomba-auth refresh", "nomba-auth refresh --json"]
    )
  )
)
