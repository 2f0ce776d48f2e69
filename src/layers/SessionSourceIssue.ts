/**
 * First sessions by client credentials.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { NombaAuth } from "../services/NombaAuth.js"
import { SessionSource, type SessionSourceService } from "../services/SessionSource.js"

/**
 * A session starts with `NombaAuth.issue`; nobody has to be asked.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<SessionSourceService, never, NombaAuth> = Effect.map(NombaAuth, ({ issue }) => ({
  start: issue,
  interactive: false
}))

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<SessionSource, never, NombaAuth> = Layer.effect(SessionSource, make)
