/** What the control API sends, as JSON: the types that the page's scripts are checked against. */
import type { defaultClient } from "../config/Options.js"
import type { SwitchDescription, Switches } from "../config/Switches.js"
import type { FaultView, RequestView, SessionView, StateView } from "../control/Views.js"

/** Durations among the switches are sent as milliseconds. */
export type State = Omit<typeof StateView.Encoded, "switches"> & { readonly switches: Switches }

export type Session = typeof SessionView.Encoded

export type Request = typeof RequestView.Encoded

export type Fault = typeof FaultView.Encoded

/** `/assets/switches.json` holds these. */
export type Switch = SwitchDescription

/** `/assets/default-client.json`. */
export type DefaultClient = Omit<typeof defaultClient, "clientSecret"> & { readonly clientSecret: string }
