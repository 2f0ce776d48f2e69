/** Turns what the engine fails with into the errors of `nomba-auth/promise`. */
import type * as HttpClientError from "@effect/platform/HttpClientError"
import * as Cause from "effect/Cause"
import * as ConfigError from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Option from "effect/Option"
import type * as Schema from "effect/Schema"
import { unavailableOf } from "../layers/http/RedactedResponse.js"
import type * as AuthErrors from "../schemas/AuthError.js"
import type * as RequestFailed from "../schemas/NombaRequestFailed.js"
import * as errors from "./errors.js"

/** What the effects of this package fail with. */
export type EngineError =
  | AuthErrors.AuthError
  | RequestFailed.NombaRequestFailed
  | HttpClientError.HttpClientError
  | ConfigError.ConfigError
  | errors.NombaError

/** The user's line, taken before anything is awaited: an error that is made in a fiber knows nothing of it. */
export interface Caller {
  readonly stack?: string
}

/** `below`: the function whose caller is meant. It must not be asynchronous: Bun does not find such a function. */
export const captureCaller = (below: (...args: Array<never>) => unknown): Caller => {
  const caller: { stack?: string } = {}
  if (typeof Error.captureStackTrace === "function") Error.captureStackTrace(caller, below)
  else caller.stack = new Error().stack ?? ""
  return caller
}

/** Makes an error's stack begin at the caller, if it is known. */
export const at = <E extends Error>(caller: Caller, error: E): E => {
  if (caller.stack === undefined) return error
  const frames = /(?:^|\n)(\s+at [\s\S]*)$/.exec(caller.stack)?.[1] ?? caller.stack
  Object.defineProperty(error, "stack", {
    value: `${error.name}: ${error.message}\n${frames}`,
    configurable: true,
    writable: true
  })
  return error
}

/** A defect is passed on as it is: it is a bug, and its own stack tells where. */
export const fromCause = (cause: Cause.Cause<EngineError>, caller: Caller): unknown => {
  const failure = Cause.failureOption(cause)
  if (Option.isSome(failure)) return at(caller, fromError(failure.value))
  return Cause.isInterruptedOnly(cause) ? at(caller, closed()) : Cause.squash(cause)
}

export const closed = (): errors.Unavailable =>
  new errors.Unavailable("This client was closed.", { operation: "request", reason: "Closed", processed: "no" })

export const fromError = (error: EngineError): errors.NombaError => {
  if (errors.isNombaError(error)) return error
  if (ConfigError.isConfigError(error)) return fromConfigError(error)
  switch (error._tag) {
    case "RequestError":
      return fromRequestError(error)
    case "ResponseError":
      return new errors.Unavailable(`The response broke off: ${error.description ?? error.reason}.`, {
        operation: "request",
        reason: "Network",
        status: error.response.status,
        processed: "unknown",
        ...defined({ detail: error.description })
      })
    default:
      return error._tag === "Unavailable" && error.reason === "Closed" ? closed() : asPromiseError(error)
  }
}

type Named = typeof AuthErrors & typeof RequestFailed

type Failure = AuthErrors.AuthError | RequestFailed.NombaRequestFailed

/** The fields of an error, with the wait as a number. */
type FieldsOf<Tag extends Failure["_tag"]> = Omit<Schema.Struct.Type<Named[Tag]["fields"]>, "_tag" | "retryAfter"> & {
  readonly retryAfterMs?: number | undefined
}

/** An error of the engine without a class of this name, which takes its fields, does not compile. */
const classes: {
  readonly [Tag in Failure["_tag"]]: new (
    message: string,
    fields: FieldsOf<Tag>
  ) => errors.NombaError
} = errors

const asPromiseError = (error: Failure): errors.NombaError => {
  const { _tag, retryAfter, ...members } = error
  const Class = classes[_tag] as new (message: string, fields: object) => errors.NombaError
  return new Class(error.message, defined({ ...members, retryAfterMs: millis(retryAfter) }))
}

const fromRequestError = (error: HttpClientError.RequestError): errors.NombaError => {
  const unavailable = unavailableOf(error)
  if (unavailable !== undefined) return fromError(unavailable)
  const problem = error.reason === "InvalidUrl" ? "the URL is not valid" : "the body cannot be encoded"
  return new errors.InvalidRequest(`Request not sent: ${problem}.`, { operation: "request", errors: [problem] })
}

const millis = (duration: Duration.Duration | undefined): number | undefined =>
  duration === undefined ? undefined : Math.ceil(Duration.toMillis(duration))

/** Without the members that are undefined, because tools print those too. */
const defined = <A extends object>(members: A): A =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) as A

export const fromConfigError = (error: ConfigError.ConfigError): errors.NombaConfigError =>
  new errors.NombaConfigError(problems(error))

const problems = (error: ConfigError.ConfigError): ReadonlyArray<errors.ConfigField> => {
  switch (error._op) {
    case "And":
    case "Or":
      return [...problems(error.left), ...problems(error.right)]
    case "InvalidData":
    case "MissingData":
    case "SourceUnavailable":
    case "Unsupported": {
      const origin = error.path.join(".")
      const name = storeNames[origin] ?? origin
      return [{ name, message: error.message.replace(origin, name) }]
    }
  }
}

/** What `fileStore` and `redisStore` call the settings of the layers that they build. */
const storeNames: Readonly<Record<string, string>> = {
  "options.directory": "the path of fileStore",
  "options.url": "the URL of redisStore",
  "SessionCodec.encrypted": "options.keys"
}
