// @ts-check
/** The connection to the sandbox: events, clock and control requests. */
import { byId, setText } from "./dom.js"

/** @import { State } from "../ViewTypes.js" */

/** @type {ReturnType<typeof setTimeout> | undefined} */
let message

/**
 * Shows the result of an action, and reads it to screen readers.
 *
 * @param {"message" | "problem"} kind
 * @param {string} text
 */
const showResult = (kind, text) => {
  for (const id of ["message", "problem"]) {
    const node = byId(id)
    node.hidden = id !== kind
    setText(node, id === kind ? text : "")
  }
  clearTimeout(message)
  message = setTimeout(() => Object.assign(byId(kind), { hidden: true, textContent: "" }), 8000)
}

/**
 * The text of an error response.
 *
 * @param {Response} response
 */
const refusal = async (response) => {
  const body = await response.json().catch(() => ({}))
  return [body.description ?? `Status ${response.status}`, ...(body.errors ?? [])].join(". ")
}

/**
 * Sends a control request and shows its result. Never rejects.
 *
 * @param {"POST" | "PATCH" | "DELETE"} method
 * @param {string} path
 * @param {unknown} body
 * @param {string} done
 * @returns {Promise<boolean>} whether it succeeded
 */
export const control = async (method, path, body, done) => {
  const init = body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
  try {
    const response = await fetch(`/_sandbox${path}`, { method, ...init })
    showResult(response.ok ? "message" : "problem", response.ok ? done : await refusal(response))
    return response.ok
  } catch {
    showResult("problem", "No response from the sandbox. Is it still running?")
    return false
  }
}

let ahead = 0

/** The sandbox's time in milliseconds since 1970, also between two events. */
export const now = () => performance.now() + ahead

/**
 * How far the sandbox's clock jumped since it was last seen, in milliseconds.
 *
 * @param {State} state
 */
const setClock = (state) => {
  const before = ahead
  ahead = Date.parse(state.now) - performance.now()
  return ahead - before
}

/** @param {"live" | "lost"} state @param {string} text */
const connection = (state, text) => {
  document.body.dataset["connection"] = state
  setText(byId("connection"), text)
}

/**
 * Follows the sandbox, and reconnects if the connection is lost.
 *
 * @param {(state: State, jump: number | undefined) => void} onState with how far the clock jumped since the last event
 *   of the same connection
 */
export const follow = (onState) => {
  const events = new EventSource("/_sandbox/events")
  let first = true
  events.addEventListener("open", () => {
    first = true
    connection("live", "Live")
  })
  events.addEventListener("state", ({ data }) => {
    const state = JSON.parse(data)
    const jump = setClock(state)
    onState(state, first ? undefined : jump)
    first = false
  })
  events.addEventListener("error", () => {
    connection("lost", "Connection lost, this view is outdated. Reconnecting…")
    if (events.readyState === EventSource.CLOSED) setTimeout(() => follow(onState), 2000)
  })
}
