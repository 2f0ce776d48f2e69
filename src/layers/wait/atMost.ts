/**
 * An end to waiting for a token store.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { Unavailable } from "../../schemas/AuthError.js"
import { timeoutFail } from "./patiently.js"

/** How long one look into the store may take, and one try to save a session. */
export const STORE_LIMIT: Duration.Duration = Duration.seconds(5)

/**
 * Ends after this time, whatever the effect does with its interruption.
 */
export const atMost =
  (duration: Duration.Duration) =>
  <A, E>(effect: Effect.Effect<A, E>): Effect.Effect<A, E | Unavailable> =>
    Effect.disconnect(effect).pipe(
      timeoutFail({
        duration,
        onTimeout: () => new Unavailable({ operation: "store", reason: "Store", detail: "ETIMEDOUT" })
      })
    )
