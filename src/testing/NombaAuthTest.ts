/**
 * A double of `NombaAuth` alone.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { NombaAuth, type NombaAuthService } from "../services/NombaAuth.js"

/**
 * The operations that a test needs; calling another is a defect that names it.
 *
 * ```ts
 * import { Effect } from "effect"
 * import { InvalidCredentials } from "nomba-auth"
 * import { NombaAuthTest } from "nomba-auth/testing"
 *
 * export const refusing = NombaAuthTest.layer({
 *   issue: Effect.fail(new InvalidCredentials({ operation: "issue", status: 401 }))
 * })
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (operations: Partial<NombaAuthService>): Layer.Layer<NombaAuth> =>
  Layer.mock(NombaAuth, operations)
