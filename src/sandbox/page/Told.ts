/**
 * What the control API tells, as JSON: the types that the page's scripts are checked against.
 *
 * @since 0.1.0
 */
import type { FaultView, RequestView, SessionView, StateView } from "../control/Views.js"
import type { SwitchDescription, Switches } from "../Switches.js"

/** Everything, as each event brings it. A time among the switches is told as milliseconds, whatever way it was given. */
export type State = Omit<typeof StateView.Encoded, "switches"> & { readonly switches: Switches }

/** A session that is alive. */
export type Session = typeof SessionView.Encoded

/** A request of the log. */
export type Request = typeof RequestView.Encoded

/** A fault that waits. */
export type Fault = typeof FaultView.Encoded

/** What `/assets/switches.json` holds. */
export type Switch = SwitchDescription
