/**
 * The client secret, read again for each issue.
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import { type InvalidRequest, isTransient, Unavailable } from "../../schemas/AuthError.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import { stallTolerantTimeout } from "../wait.js"
import * as validate from "./validate.js"

export interface ClientSecret {
  /**
   * Reads the secret within the time-out of one attempt. Fails with `Unavailable` if its source fails, and with
   * `InvalidRequest` if the value cannot be a secret.
   */
  readonly read: Effect.Effect<Redacted.Redacted<string>, InvalidRequest | Unavailable>
  /** The secret if it is known without reading it: Nomba knows it too and may echo it in any response. */
  readonly known: Effect.Effect<Option.Option<Redacted.Redacted<string>>>
}

export const make = (config: NombaConfigService): Effect.Effect<ClientSecret> =>
  Effect.map(
    Ref.make(Option.filter(constant(config.clientSecret), (secret) => Redacted.isRedacted(secret))),
    (known) => ({
      known,
      read: config.clientSecret.pipe(
        Effect.catchAllCause((cause) => Effect.fail(failure(Option.getOrUndefined(Cause.failureOption(cause))))),
        Effect.disconnect,
        stallTolerantTimeout({ duration: config.requestTimeout, onTimeout: () => unreadable() }),
        Effect.tap((secret) => validate.all("issue", exact(`clientSecret (${config.origins.clientSecret})`, secret))),
        Effect.tap((secret) => Ref.set(known, Option.some(secret)))
      )
    })
  )

const exact = validate.secret(validate.exact)

/** The value of an effect that only succeeds with one: a secret that was configured as a value. */
const constant = <A, E>(effect: Effect.Effect<A, E>): Option.Option<A> =>
  Exit.isExit(effect)
    ? Exit.match(effect as Exit.Exit<A, E>, { onFailure: Option.none, onSuccess: Option.some })
    : Option.none()

const failure = (error?: InvalidRequest | Unavailable): InvalidRequest | Unavailable =>
  error === undefined || isTransient(error) ? unreadable(error) : error

const unreadable = (error?: Unavailable): Unavailable =>
  new Unavailable({ ...error, operation: "issue", reason: "Secret", processed: "no" })
