// @ts-check
/** The requests as they happen, and between them what happened to the sandbox itself. */
import { byId, element, list, say } from "./dom.js"
import { answered, dateAndTime, round, sentence, shortly, timeOfDay } from "./format.js"
import { now } from "./sandbox.js"

/** @import { Request, State } from "../ViewTypes.js" */

/** @typedef {{ readonly note: string, readonly serial: number, readonly at: number, readonly behind: number }} Note */

const mostNotes = 50

/** @type {ReadonlyArray<Note>} the newest first, each behind the request with this id */
let notes = []
let serial = 0

/** @type {State | undefined} */
let last

/** @param {number} at */
const time = (at) =>
  element("time", { dateTime: new Date(at).toISOString(), title: `${dateAndTime(at)} UTC` }, timeOfDay(at))

/** @param {Note} note */
const noteRow = ({ at, note }) =>
  element("li", { className: "note" }, time(at), element("span", { className: "sentence" }, note))

/** @param {Request} request */
const requestRow = (request) => {
  const { at, clientId, endpoint, method, outcome, path, status, took } = request
  const said = element("span", { className: "sentence" }, sentence(request))
  if (clientId !== undefined && (last?.clients.length ?? 0) > 1) {
    said.append(" ", element("span", { className: "who", title: clientId }, `client ${shortly(clientId)}`))
  }
  return element(
    "li",
    { className: outcome, title: `${method} ${path}, ${Math.round(took)} ms` },
    time(Date.parse(at)),
    element("span", { className: "operation" }, endpoint === "other" ? "none" : endpoint),
    said,
    element("span", { className: "status" }, answered(status))
  )
}

let begun = false

const rows = list(
  byId("log"),
  (/** @type {Note | Request} */ item) =>
    "note" in item ? `note ${item.behind} ${item.note} ${item.at}` : `${last?.epoch} ${item.id}`,
  (item) => {
    const node = "note" in item ? noteRow(item) : requestRow(item)
    if (begun) node.classList.add("new")
    return { node }
  }
)

const filter = byId("log-filter", HTMLSelectElement)

/** @type {Readonly<Record<string, (request: Request) => boolean>>} */
const kinds = {
  all: () => true,
  tokens: ({ endpoint }) => endpoint === "issue" || endpoint === "refresh" || endpoint === "revoke",
  trouble: ({ outcome }) => outcome !== "succeeded"
}

/** @param {State} state */
const render = ({ requests }) => {
  const oldest = requests.at(-1)?.id ?? 0
  const shown = requests.filter(kinds[filter.value] ?? (() => true))
  const idOf = (/** @type {number} */ index) => shown.at(index)?.id ?? Number.POSITIVE_INFINITY
  const between = (/** @type {number} */ older, /** @type {number} */ newer) =>
    notes.filter(({ behind }) => behind >= older && behind < newer)
  const items = [
    ...shown.flatMap((request, index) => [
      ...between(request.id, index === 0 ? Number.POSITIVE_INFINITY : idOf(index - 1)),
      request
    ]),
    ...between(oldest - 1, idOf(-1))
  ]
  rows(items)
  byId("log-empty").hidden = items.length > 0
  byId("log-box").hidden = items.length === 0
}

filter.addEventListener("change", () => {
  if (last !== undefined) render(last)
})

/** @type {ReadonlyArray<string>} */
let unsaid = []
/** @type {ReturnType<typeof setTimeout> | undefined} */
let saying

/**
 * Reads out what came last: at most once in five seconds, because requests come faster than anybody can listen.
 *
 * @param {ReadonlyArray<string>} news
 */
const announce = (news) => {
  unsaid = [...unsaid, ...news].slice(-3)
  if (unsaid.length === 0 || saying !== undefined) return
  say(byId("announcer"), unsaid.join(". "))
  unsaid = []
  saying = setTimeout(() => {
    saying = undefined
    announce([])
  }, 5000)
}

/**
 * What happened to the sandbox between two events, apart from requests.
 *
 * @param {State} state
 * @param {State} before
 * @param {number} jump
 */
const happened = (state, before, jump) => {
  const known = new Set(before.sessions.map(({ id }) => id))
  const stolen = state.sessions.filter(({ id, startedBy }) => startedBy === "somebody else" && !known.has(id))
  return [
    ...(Math.abs(jump) > 2000
      ? [`The clock was moved ${jump > 0 ? "ahead" : "back"} by ${round(Math.abs(jump))}`]
      : []),
    ...stolen.map(({ clientId }) => `Somebody else logged in as ${shortly(clientId)}`)
  ]
}

/**
 * @param {State} state
 * @param {number | undefined} jump how far the clock jumped since the last event of the same connection
 */
export const show = (state, jump) => {
  const before = last?.epoch === state.epoch ? last : undefined
  if (before === undefined) notes = []
  const newest = state.requests[0]?.id ?? 0
  const seen = before?.requests[0]?.id ?? 0
  const found = before === undefined || jump === undefined ? [] : happened(state, before, jump)
  notes = [...found.map((note) => ({ note, serial: ++serial, at: now(), behind: newest })), ...notes].slice(
    0,
    mostNotes
  )
  if (last !== undefined) {
    const fresh = state.requests.filter(({ id }) => id > seen).slice(0, 3)
    announce([...fresh.reverse().map((request) => `${request.endpoint}: ${sentence(request)}`), ...found])
  }
  last = state
  render(state)
  begun = true
}
