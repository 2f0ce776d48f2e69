/** What one check found. */
import * as Cause from "effect/Cause"
import type { AuthError, Unavailable } from "../../schemas/AuthError.js"
import { isTransient } from "../../schemas/ErrorMeaning.js"
import * as ExitCode from "../ExitCode.js"

/** `ok` and `skipped` need no change. A `warning` may explain a failure; a `problem` is one. */
export type Finding =
  | { readonly level: "ok" | "skipped"; readonly says: string }
  | { readonly level: "warning"; readonly says: string; readonly change: string }
  | {
      readonly level: "problem"
      readonly says: string
      /** What to change. */
      readonly change: string
      /** What the process exits with if this is the first problem. */
      readonly exitCode: number
    }

/** A finding under the name of its check. */
export type Result = Finding & { readonly check: string }

export const ok = (says: string): Finding => ({ level: "ok", says })

export const skipped = (says: string): Finding => ({ level: "skipped", says })

export const warning = (says: string, change: string): Finding => ({ level: "warning", says, change })

export const problem = (exitCode: number, says: string, change: string): Finding => ({
  level: "problem",
  says,
  change,
  exitCode
})

const remedyOf = (error: AuthError): string => {
  switch (error._tag) {
    case "InvalidRequest":
      return error.status === 404
        ? "check the base URL: nothing answers under its path"
        : "report it: the request is one that Nomba documents"
    case "InvalidCredentials":
      return "compare each of them with the Nomba dashboard"
    case "Expired":
      return "run `nomba-auth issue` for a new session"
    case "Unavailable":
      return error.hint ?? remedyOfOutage(error)
    case "UnexpectedResponse":
      return error.reason === "HtmlResponse" || error.reason === "NotJson"
        ? "something answers in Nomba's place: let requests to this host through your firewall or portal"
        : error.reason === "Redirect"
          ? "check the base URL: it must be the address that answers itself"
          : "report it to Nomba"
    default:
      // For a tag that is added later: what the error says of itself is enough until it gets a line here.
      return isTransient(error) ? "wait, and try again" : "report it"
  }
}

const remedyOfOutage = ({ reason, target = "the server" }: Unavailable): string => {
  switch (reason) {
    case "Network":
      return `check this machine's network, and whether ${target} is up`
    case "Timeout":
      return `try again; if it lasts, ask who runs ${target}`
    case "RateLimited":
      return "wait; let all programs with these credentials share a token store, so that they send fewer requests"
    case "ServerError":
      return "wait; if it lasts, report it to Nomba"
    case "SessionContested":
      return "find the other program that logs in with these credentials"
    case "Store":
      return "check that the token store is up and that NOMBA_TOKEN_STORE names it"
    case "StoreUnreadable":
      return "nothing: the next renewal replaces the entry"
    case "StoreCodec":
      return "give this program the keys that the others have (NOMBA_TOKEN_STORE_KEYS)"
    case "Secret":
      return "check where the client secret is read from"
    case "Closed":
      return "try again"
  }
}

/** A failure as a finding. The hint of an error says what to change, and is not shown twice. */
export const failed = (error: AuthError, change: string = remedyOf(error)): Finding =>
  problem(
    ExitCode.of(Cause.fail(error)),
    error.hint === undefined ? error.message : error.message.replace(` ${error.hint}`, ""),
    change
  )
