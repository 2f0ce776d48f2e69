/** What can be wrong with the way the sandbox is used, as opposed to a request that it rejects. */
import * as Schema from "effect/Schema"

/**
 * The sandbox was given something that it cannot do. `reason` says where to look:
 *
 * - `Options`: an option of `make`, `layer` or `layerServer`, or a switch, is invalid
 * - `Listen`: the sandbox cannot listen on the host and port
 * - `Fault`: a fault is invalid, or too many are queued
 * - `Resource`: a response is invalid, or there are too many
 * - `Client`: no client with that id was configured
 * - `Session`: the client has no session
 * - `Clock`: the clock cannot be set to that time
 *
 * @since 0.1.0
 * @category errors
 */
export class SandboxError extends Schema.TaggedError<SandboxError>()("SandboxError", {
  reason: Schema.Literal("Options", "Listen", "Fault", "Resource", "Client", "Session", "Clock"),
  /** One sentence for each problem, without secrets. */
  issues: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return this.issues.join("; ")
  }
}
