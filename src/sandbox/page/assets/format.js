// @ts-check
/** What the sandbox tells, in words. */

/** @import { Fault, Request } from "../ViewTypes.js" */

/** @param {number} count @param {string} thing @param {string} [things] */
export const many = (count, thing, things = `${thing}s`) =>
  `${count.toLocaleString("en")} ${count === 1 ? thing : things}`

/**
 * A length of time, to the second where it is short.
 *
 * @param {number} millis
 */
export const span = (millis) => {
  const seconds = Math.max(0, Math.floor(millis / 1000))
  const minutes = Math.floor(seconds / 60)
  const hours = Math.floor(minutes / 60)
  const days = Math.floor(hours / 24)
  if (days > 0) return `${days} d ${hours % 24} h`
  if (hours > 0) return `${hours} h ${minutes % 60} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}

/**
 * A length of time as one says it: without the nothing at its end.
 *
 * @param {number} millis
 */
export const round = (millis) => span(millis).replace(/ 0 \w+$/, "")

/** @param {number} millis since 1970 */
export const timeOfDay = (millis) => new Date(millis).toISOString().slice(11, 19)

/** @param {number} millis since 1970 */
export const dateAndTime = (millis) => new Date(millis).toISOString().slice(0, 19).replace("T", " ")

/**
 * A client id as short as people say it.
 *
 * @param {string} clientId
 */
export const shortly = (clientId) => (clientId.length > 12 ? `${clientId.slice(0, 8)}…` : clientId)

/** @type {Readonly<Record<string, string>>} */
const subjects = {
  Authorization: "the Authorization header",
  accountId: "the accountId header",
  access_token: "the access token",
  body: "the body",
  client_id: "the client id",
  client_secret: "the client secret",
  refresh_token: "the refresh token",
  token: "the token"
}

/** @type {Readonly<Record<string, string>>} */
const mishaps = {
  drop: "the connection breaks",
  cut: "half an answer",
  garbage: "garbage, not JSON"
}

/** What a fault begins with that is more than late. */
const kinds = /^(?:drop|cut|garbage|\d+(?! ms))\b/

/**
 * A complaint of the sandbox, such as `refresh_token: was used before`, as the end of a sentence.
 *
 * @param {string} why
 */
const complaint = (why) => {
  const [, member = "", rest = why] = /^([\w.-]+): (.+)$/s.exec(why) ?? []
  if (member === "fault") return `as ordered: ${rest.replace(kinds, (kind) => mishaps[kind] ?? `status ${kind}`)}`
  return /^(?:the|a|an|its) /.test(rest) ? rest : `${subjects[member] ?? member} ${rest}`.trim()
}

/** @type {Readonly<Record<Request["endpoint"], string>>} */
const successes = {
  issue: "a new session began",
  refresh: "the session goes on with new tokens",
  revoke: "the session is over",
  balance: "the token is good",
  authorize: "a person is asked",
  other: "answered"
}

/** @param {Request} request */
const success = ({ endpoint, method }) =>
  endpoint === "authorize" && method === "POST" ? "the person said yes" : successes[endpoint]

/**
 * What happened to a request.
 *
 * @param {Request} request
 */
export const sentence = (request) => {
  const { endpoint, method, outcome, path, why } = request
  const what = endpoint === "other" ? `${method} ${path}: ` : ""
  if (outcome === "faulted" && why !== undefined && !why.startsWith("fault:")) return `${what}${why}`
  const because = why === undefined ? "" : `, ${complaint(why)}`
  return `${what}${{ succeeded: success(request), refused: "refused", faulted: "met a fault" }[outcome]}${because}`
}

/** @param {Request["status"]} status */
export const answered = (status) => (status === "dropped" ? "no answer" : String(status))

/**
 * A fault that waits.
 *
 * @param {string} endpoint
 * @param {Fault} fault
 * @param {number} now
 */
export const ordered = (endpoint, { answer, latency, left, processed, until }, now) => {
  const what = [
    answer === "drop" && processed ? "the answer gets lost" : typeof answer === "string" ? mishaps[answer] : "",
    typeof answer === "object" ? `status ${answer.status}${processed ? " in place of the answer" : ""}` : "",
    latency === undefined ? "" : `${latency / 1000} s late`
  ].filter((part) => part !== "")
  const times = left === "always" ? (until === undefined ? "until called off" : "") : `for ${many(left, "request")}`
  const ends = until === undefined ? "" : `for ${span(Date.parse(until) - now)}`
  return `${endpoint}: ${[what.join(", "), times, ends].filter((part) => part !== "").join(", ")}`
}
