/**
 * An end to waiting for a token store.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Unavailable } from "../../schemas/AuthError.js"

/**
 * Ends after this time, whatever the effect does with its interruption.
 *
 * @since 0.1.0
 */
export const atMost =
  (duration: Duration.Duration) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | Unavailable> =>
    Effect.timeoutFail(Effect.disconnect(effect), {
      duration,
      onTimeout: () => new Unavailable({ operation: "store", reason: "Store", detail: "ETIMEDOUT" })
    })
