/** What the control API tells, as JSON: the types that the page's scripts are checked against. */

import type { SwitchDescription, Switches } from "../config/Switches.js"
import type { FaultView, RequestView, SessionView, StateView } from "../control/Views.js"

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
