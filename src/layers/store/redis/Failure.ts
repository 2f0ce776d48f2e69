/**
 * What a Redis driver failed with, reduced to a code. The rest of it stays behind: the error of a refused command carries
 * the command's arguments, and a message may quote an address.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import { Unavailable } from "../../../schemas/AuthError.js"
import { systemCode } from "../../http/NetworkFailure.js"
import { present } from "../../http/present.js"

const untrusted =
  "This process does not trust Redis's certificate: name the file of its authority in NODE_EXTRA_CA_CERTS."

const hints: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: "Redis's certificate is for another host name than that of the URL.",
  NOAUTH: "Redis asks for a password: put it into the URL.",
  NOPERM: "The Redis user lacks a right that the store needs.",
  OOM: "Redis is out of memory.",
  READONLY: "This Redis is a replica: connect to its primary.",
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  WRONGPASS: "Redis refuses the user name or the password."
}

/** Of a connection that never was ready. A server that restarts breaks one that was in the same way. */
const hintsBeforeReady: Readonly<Record<string, string>> = {
  ECONNRESET: "Redis closed the connection: where it speaks TLS only, the URL begins with rediss://."
}

/**
 * A code of the system (`ECONNREFUSED`) or the first word of Redis's own answer (`OOM`).
 *
 * @since 0.1.0
 */
export const codeOf = (error: unknown): Option.Option<string> =>
  Option.orElse(replyCode(error), () => systemCode(error))

/** The driver gave up because the connection was closed, and nobody said why. */
export const closedCode = (error: unknown): Option.Option<string> =>
  Predicate.hasProperty(error, "name") && error.name === "MaxRetriesPerRequestError"
    ? Option.some("ECONNRESET")
    : Option.none()

/** How a right that a script lacks is told, which has no code of its own: by Redis up to 7.0, and by later ones. */
const scriptLacksRight = /The user executing the script can't|ACL failure in script/

/** Redis 6 puts what a script was refused with behind a text of its own. */
const replyCode = (error: unknown): Option.Option<string> => {
  if (!Predicate.hasProperty(error, "name") || error.name !== "ReplyError") return Option.none()
  const message = Predicate.hasProperty(error, "message") && typeof error.message === "string" ? error.message : ""
  if (scriptLacksRight.test(message)) return Option.some("NOPERM")
  return Option.fromNullable(/: -([A-Z]{3,20})\b/.exec(message)?.[1] ?? /^[A-Z]{3,20}\b/.exec(message)?.[0])
}

/**
 * `wasReady` says whether the connection ever was, as far as that is known.
 *
 * @since 0.1.0
 */
export const unavailable = (code: Option.Option<string>, wasReady = true): Unavailable =>
  new Unavailable({
    operation: "store",
    reason: "Store",
    ...present("detail", code),
    ...present(
      "hint",
      Option.flatMap(code, (_) => Option.fromNullable(hints[_] ?? (wasReady ? undefined : hintsBeforeReady[_])))
    )
  })
