/** `nomba-auth/sandbox`: a Nomba to develop and test against. */
export { NombaApi } from "../schemas/NombaApi.js"
export type { Endpoint } from "./config/endpoints.js"
export type { Fault, FaultyAnswer } from "./config/Fault.js"
export {
  type AccountHeader,
  type Client,
  type Dialect,
  defaultClient,
  type Options,
  type ServerOptions
} from "./config/Options.js"
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
