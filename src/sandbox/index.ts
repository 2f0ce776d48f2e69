/** `nomba-auth/sandbox`: a local Nomba API for development and tests. */
export { NombaApi } from "../schemas/NombaApi.js"
export type { Fault, FaultKind, FaultyAnswer } from "./config/Fault.js"
export {
  type AccountHeader,
  type Client,
  type Dialect,
  defaultClient,
  type LoggedRequest,
  type Options,
  type ServerOptions
} from "./config/Options.js"
export type { FaultTarget, Operation } from "./config/operations.js"
export type { Resource } from "./config/Resource.js"
export { SandboxError } from "./config/SandboxError.js"
export { Switches, type SwitchesInput } from "./config/Switches.js"
export { ControlApi } from "./control/ControlApi.js"
export type { LiveSession, SandboxService } from "./control/SandboxService.js"
export type { SandboxView } from "./control/Views.js"
export { AccountsApi } from "./nomba/SandboxApi.js"
export { Sandbox } from "./Sandbox.js"
export {
  type Credentials,
  type PlainClient,
  type PlainSession,
  type SandboxHandle,
  type StartOptions,
  startSandbox
} from "./startSandbox.js"
export type { Counts, Tally } from "./state/Counts.js"
