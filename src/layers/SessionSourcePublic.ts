/**
 * First sessions of a public client: none, until a person logs in.
 *
 * @since 0.1.0
 */
import * as Layer from "effect/Layer"
import { Expired } from "../schemas/AuthError.js"
import { SessionSource, type SessionSourceService } from "../services/SessionSource.js"

/**
 * @since 0.1.0
 * @category constructors
 */
export const make: SessionSourceService = { start: new Expired({ operation: "authorize" }), interactive: true }

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<SessionSource> = Layer.succeed(SessionSource, SessionSource.of(make))
