// @ts-check
/** Text for what the sandbox reports. */

/** @import { Fault, Request } from "../ViewTypes.js" */

/** @param {number} count @param {string} thing @param {string} [things] */
export const plural = (count, thing, things = `${thing}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? thing : things}`

/**
 * A duration, more exact the shorter it is.
 *
 * @param {number} millis
 */
export const duration = (millis) => {
  const seconds = Math.max(0, Math.floor(millis / 1000))
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (days > 0) return `${days} d ${hours % 24} h`
  if (hours > 0) return `${hours} h ${minutes % 60} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}

/**
 * A duration without a zero at its end.
 *
 * @param {number} millis
 */
export const roundDuration = (millis) => duration(millis).replace(/ 0 \w+$/, "")

/** @param {number} millis since 1970 */
export const timeOfDay = (millis) => new Date(millis).toISOString().slice(11, 19)

/** @param {number} millis since 1970 */
export const dateAndTime = (millis) => new Date(millis).toISOString().slice(0, 19).replace("T", " ")

/** @param {string} clientId */
export const shortId = (clientId) => (clientId.length > 12 ? `${clientId.slice(0, 8)}…` : clientId)

/** @type {Readonly<Record<string, string>>} */
const members = {
  Authorization: "the Authorization header",
  accountId: "the accountId header",
  access_token: "the access token",
  body: "the body",
  client_id: "the client id",
  client_secret: "the client secret",
  code: "the authorization code",
  code_verifier: "the code verifier",
  redirect_uri: "the redirect URI",
  refresh_token: "the refresh token",
  token: "the token"
}

/** @type {Readonly<Record<string, string>>} */
const faultNames = {
  connectionReset: "connection reset",
  truncated: "truncated response",
  invalidBody: "body is not JSON"
}

/** The first word of a fault that replaces the response. */
const kinds = /^(?:connectionReset|truncated|invalidBody|\d+(?! ms))\b/

/**
 * A message of the sandbox, such as `refresh_token: was used before`, as the end of a sentence.
 *
 * @param {string} why
 */
const reason = (why) => {
  const [, member = "", rest = why] = /^([\w.-]+): (.+)$/s.exec(why) ?? []
  if (member === "fault") return `fault: ${rest.replace(kinds, (kind) => faultNames[kind] ?? `status ${kind}`)}`
  return /^(?:the|a|an|its) /.test(rest) ? rest : `${members[member] ?? member} ${rest}`.trim()
}

/** @type {Readonly<Record<Request["operation"], string>>} */
const successes = {
  issue: "new session",
  refresh: "session refreshed, new tokens",
  revoke: "session revoked",
  resource: "token accepted",
  authorize: "login page shown",
  other: "answered"
}

/** @param {Request} request */
const success = ({ method, operation }) =>
  operation === "authorize" && method === "POST" ? "the user approved" : successes[operation]

/**
 * The outcome of a request.
 *
 * @param {Request} request
 */
export const sentence = (request) => {
  const { method, operation, outcome, path, why } = request
  const what = operation === "other" || operation === "resource" ? `${method} ${path}: ` : ""
  if (outcome === "faulted" && why !== undefined && !why.startsWith("fault:")) return `${what}${why}`
  if (outcome === "faulted") return `${what}${why === undefined ? "fault" : reason(why)}`
  const because = why === undefined ? "" : `, ${reason(why)}`
  return `${what}${outcome === "succeeded" ? success(request) : "rejected"}${because}`
}

/** @param {Request["status"]} status */
export const statusText = (status) => (status === "dropped" ? "no response" : String(status))

/**
 * A queued fault.
 *
 * @param {string} target
 * @param {Fault} fault
 * @param {number} now
 */
export const faultText = (target, { answer, latency, left, processed, until }, now) => {
  const what = [
    answer === "connectionReset" && processed ? "response lost" : typeof answer === "string" ? faultNames[answer] : "",
    typeof answer === "object" ? `status ${answer.status}${processed ? " instead of the response" : ""}` : "",
    latency === undefined ? "" : `${latency / 1000} s late`
  ].filter((part) => part !== "")
  const times = left === "always" ? (until === undefined ? "until cleared" : "") : `for ${plural(left, "request")}`
  const ends = until === undefined ? "" : `for ${duration(Date.parse(until) - now)}`
  return `${target}: ${[what.join(", "), times, ends].filter((part) => part !== "").join(", ")}`
}

/** What to do about a rejection, by its reason. The page lists them, and each 401 links to its own. */
export const causes = /** @type {const} */ ([
  {
    id: "cause-replaced",
    reason: /^Authorization: .*replaced|^refresh_token: .*(?:replaced|revoked)/,
    title: "The token was replaced or revoked",
    advice:
      "A client has one session. Another login with the same credentials, a refresh or a revoke ended this token. Share one session between all processes, and renew it on a 401."
  },
  {
    id: "cause-expired",
    reason: /^(?:Authorization|refresh_token): .*expired/,
    title: "The token has expired",
    advice: "Renew the session before the access token expires, or after the first 401."
  },
  {
    id: "cause-used",
    reason: /^refresh_token: .*used/,
    title: "The refresh token was used before",
    advice: "Each refresh token works once. Store the new one from every refresh response; if it is lost, log in again."
  },
  {
    id: "cause-code",
    reason: /^(?:code|code_verifier|redirect_uri|client_id: the code)\b/,
    title: "The authorization code was not accepted",
    advice:
      "A code works once, for 60 seconds, and only with the client id, redirect URI and code verifier of its login. Let the user log in again."
  },
  {
    id: "cause-account",
    reason: /^accountId: /,
    title: "The accountId header does not fit",
    advice: "Send the id of the parent account in the accountId header of every request."
  },
  {
    id: "cause-credentials",
    reason: /^client_(?:id|secret): /,
    title: "The client credentials are wrong",
    advice: "Check the client id and the client secret. The dashboard calls the secret Private Key."
  },
  {
    id: "cause-missing",
    reason: /^Authorization: (?:is missing|must be)/,
    title: "The Authorization header is missing or malformed",
    advice: "Send Authorization: Bearer and the access token with every call."
  },
  {
    id: "cause-other",
    reason: /^(?:Authorization|refresh_token|clientId): the token|^refresh_token: is not from/,
    title: "The token is not valid here",
    advice: "It is not from this sandbox or not of this session, or the sandbox was restarted or reset. Log in again."
  }
])

/**
 * The cause of a request that was rejected for its tokens, credentials or account.
 *
 * @param {Request} request
 */
export const causeOf = ({ outcome, why }) =>
  outcome === "refused" && why !== undefined ? causes.find(({ reason }) => reason.test(why)) : undefined
