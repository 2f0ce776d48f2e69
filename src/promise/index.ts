/**
 * `nomba-auth/promise`: the client for programs without Effect.
 *
 * @since 0.1.0
 */
export { createNomba, type Nomba, type WaitOptions } from "./createNomba.js"
export * from "./errors.js"
export type { NombaStore } from "./NombaStore.js"
export type { Duration, NombaLogger, NombaOptions, NombaRequestOptions } from "./options.js"
export type { StandardIssue, StandardResult, StandardSchema } from "./StandardSchema.js"
export type { NombaSession, NombaSessionEvent } from "./session.js"
