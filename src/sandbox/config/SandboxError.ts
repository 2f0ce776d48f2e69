/** What can be wrong with the way the sandbox is used, as opposed to a request that it refuses. */
import * as Schema from "effect/Schema"

/**
 * The sandbox cannot do what its user asked of it. `reason` says where to look:
 *
 * - `Options`: an option of `make`, `layer` or `layerServer`, or a switch, is out of range
 * - `Listen`: the host and port cannot be listened on
 * - `Fault`: a fault is out of range, or too many wait
 * - `Client`: no client of that id was configured
 * - `Session`: the client has no session
 * - `Clock`: the clock cannot go there
 *
 * @since 0.1.0
 * @category errors
 */
export class SandboxError extends Schema.TaggedError<SandboxError>()("SandboxError", {
  reason: Schema.Literal("Options", "Listen", "Fault", "Client", "Session", "Clock"),
  /** One sentence for each thing that is wrong; no secrets. */
  issues: Schema.Array(Schema.String)
}) {
  override get message(): string {
    return `the sandbox cannot do that: ${this.issues.join("; ")}`
  }
}
