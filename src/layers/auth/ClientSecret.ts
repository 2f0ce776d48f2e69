/**
 * The client secret, read anew for each issue.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import { type InvalidRequest, Unavailable } from "../../schemas/AuthError.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import * as Inputs from "./Inputs.js"

/**
 * Reads the secret within the time-out of one attempt. `Unavailable` when its source fails, `InvalidRequest` when what
 * it gave cannot be a secret.
 *
 * @since 0.1.0
 */
export const read = (
  config: NombaConfigService
): Effect.Effect<Redacted.Redacted<string>, InvalidRequest | Unavailable> =>
  config.clientSecret.pipe(
    Effect.catchAllCause((cause) => Effect.fail(unreadable(Option.getOrUndefined(Cause.failureOption(cause))))),
    Effect.disconnect,
    Effect.timeoutFail({ duration: config.requestTimeout, onTimeout: () => unreadable() }),
    Effect.tap((secret) => Inputs.check("issue", Inputs.exact(`clientSecret (${config.origins.clientSecret})`, secret)))
  )

const unreadable = (error?: Unavailable): Unavailable =>
  new Unavailable({ ...error, operation: "issue", reason: "Secret", processed: "no" })
