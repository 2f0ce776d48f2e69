// @ts-check
/** The sandbox behind the page: its events, its clock, and what can be asked of it. */
import { byId, say } from "./dom.js"

/** @import { State } from "../ViewTypes.js" */

/** @type {ReturnType<typeof setTimeout> | undefined} */
let message

/**
 * Shows, and reads out, what came of something that somebody did.
 *
 * @param {"message" | "problem"} kind
 * @param {string} text
 */
const tell = (kind, text) => {
  for (const id of ["message", "problem"]) {
    const node = byId(id)
    node.hidden = id !== kind
    say(node, id === kind ? text : "")
  }
  clearTimeout(message)
  message = setTimeout(() => Object.assign(byId(kind), { hidden: true, textContent: "" }), 8000)
}

/**
 * The first words of a refusal, which wears the documented envelope.
 *
 * @param {Response} response
 */
const refusal = async (response) => {
  const body = await response.json().catch(() => ({}))
  return [body.description ?? `Status ${response.status}`, ...(body.errors ?? [])].join(". ")
}

/**
 * Asks the sandbox to do something, and tells what came of it. Never rejects.
 *
 * @param {"POST" | "PATCH" | "DELETE"} method
 * @param {string} path
 * @param {unknown} body
 * @param {string} done
 * @returns {Promise<boolean>} whether it was done
 */
export const act = async (method, path, body, done) => {
  const init = body === undefined ? {} : { headers: { "content-type": "application/json" }, body: JSON.stringify(body) }
  try {
    const response = await fetch(`/_sandbox${path}`, { method, ...init })
    tell(response.ok ? "message" : "problem", response.ok ? done : await refusal(response))
    return response.ok
  } catch {
    tell("problem", "The sandbox does not answer. Is it still running?")
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

/** @param {"live" | "lost"} how @param {string} text */
const connection = (how, text) => {
  document.body.dataset["connection"] = how
  say(byId("connection"), text)
}

/**
 * Follows the sandbox, and goes on by itself when the connection was lost.
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
    connection("lost", "Connection lost: what you see is old. Trying again…")
    if (events.readyState === EventSource.CLOSED) setTimeout(() => follow(onState), 2000)
  })
}
