/** What the exit code of a command means. `--help` and the docs list the same table. */
import * as ValidationError from "@effect/cli/ValidationError"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

export const SUCCESS = 0
export const UNEXPECTED = 1
export const USAGE = 2
export const INVALID_CREDENTIALS = 3
export const EXPIRED = 4
export const UNAVAILABLE = 5
export const UNEXPECTED_RESPONSE = 6

export const table: ReadonlyArray<readonly [code: number, meaning: string]> = [
  [SUCCESS, "success"],
  [UNEXPECTED, "unexpected failure"],
  [USAGE, "usage or settings are wrong, or Nomba rejected the request (InvalidRequest)"],
  [INVALID_CREDENTIALS, "Nomba rejected the credentials (InvalidCredentials)"],
  [EXPIRED, "the session has expired, or an end user has to log in (Expired)"],
  [UNAVAILABLE, "Nomba, the network or the token store is unavailable (Unavailable)"],
  [UNEXPECTED_RESPONSE, "the response is not Nomba's (UnexpectedResponse)"]
]

/** The command line asks for something that cannot be done. The message says what to write instead. */
export class UsageError extends Data.TaggedError("UsageError")<{ readonly message: string }> {}

/** The command has already said what is wrong, and ends with this code. */
export class Ended extends Data.TaggedError("Ended")<{ readonly code: number }> {}

const codes: Readonly<Record<string, number>> = {
  UsageError: USAGE,
  InvalidRequest: USAGE,
  InvalidCredentials: INVALID_CREDENTIALS,
  Expired: EXPIRED,
  Unavailable: UNAVAILABLE,
  UnexpectedResponse: UNEXPECTED_RESPONSE
}

const ofError = (error: unknown): number => {
  if (ValidationError.isValidationError(error) || ConfigError.isConfigError(error)) return USAGE
  if (error instanceof Ended) return error.code
  if (!Predicate.hasProperty(error, "_tag")) return UNEXPECTED
  if (error._tag === "RequestError" && Predicate.hasProperty(error, "reason")) {
    return error.reason === "Transport" ? UNAVAILABLE : USAGE
  }
  if (error._tag === "ResponseError") return UNEXPECTED_RESPONSE
  if (error._tag === "SandboxError" && Predicate.hasProperty(error, "reason") && error.reason === "Options")
    return USAGE
  return codes[String(error._tag)] ?? UNEXPECTED
}

/** The exit code of a command that failed. */
export const of = (cause: Cause.Cause<unknown>): number =>
  Cause.failureOrCause(cause).pipe((result) => (result._tag === "Left" ? ofError(result.left) : UNEXPECTED))

/** What a shell reports of a program that a signal ended. */
export const ofSignal = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

let isService = false

/** For a command that runs until it is stopped: a signal is then its normal end, with 0. */
export const untilStopped: Effect.Effect<void> = Effect.sync(() => {
  isService = true
})

/** The exit code of a command that was interrupted. */
export const ofInterruption = (signal: keyof typeof ofSignal | undefined): number =>
  isService || signal === undefined ? SUCCESS : ofSignal[signal]
