/**
 * `nomba-auth/sandbox`: a Nomba to develop and test against.
 *
 * @since 0.1.0
 */
export { NombaApi } from "../schemas/NombaApi.js"

export { ControlApi } from "./control/ControlApi.js"
export type { SandboxView } from "./control/Views.js"
export type { Endpoint } from "./endpoints.js"
export type { Fault, FaultyAnswer } from "./Fault.js"
export {
  type AccountHeader,
  type Client,
  type Dialect,
  defaultClient,
  type Options,
  type ServerOptions
} from "./Options.js"
export { Sandbox } from "./Sandbox.js"
export { AccountsApi } from "./SandboxApi.js"
export { SandboxError } from "./SandboxError.js"
export type { LiveSession, SandboxService } from "./SandboxService.js"
export { Switches, type SwitchesInput } from "./Switches.js"
export {
  type Credentials,
  type PlainClient,
  type PlainSession,
  type SandboxHandle,
  type StartOptions,
  startSandbox
} from "./startSandbox.js"
export type { Counts, Tally } from "./state/Counts.js"
