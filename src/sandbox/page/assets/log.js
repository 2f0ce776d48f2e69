// @ts-check
/** The requests, and between them what was done to the sandbox. */
import { byId, element, list, setText } from "./dom.js"
import { causeOf, dateAndTime, roundDuration, sentence, shortId, statusText, timeOfDay } from "./format.js"
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

/** @typedef {Request & { readonly repeats: number }} Row a request, and how many like it came right before */

/** @param {Row} request */
const requestRow = (request) => {
  const { at, clientId, id, method, operation, outcome, path, repeats, status, took } = request
  const text = element("span", { className: "sentence" }, sentence(request))
  if (clientId !== undefined && (last?.clients.length ?? 0) > 1) {
    text.append(" ", element("span", { className: "who", title: clientId }, `client ${shortId(clientId)}`))
  }
  if (repeats > 0) text.append(" ", element("span", { className: "who" }, `× ${repeats + 1}`))
  const cause = causeOf(request)
  if (cause !== undefined) {
    const link = element("a", { href: `#${cause.id}` }, "why?")
    link.setAttribute("aria-label", `Why was request ${id} rejected?`)
    text.append(" ", link)
  }
  return element(
    "li",
    { className: outcome, title: `${method} ${path}, ${Math.round(took)} ms` },
    time(Date.parse(at)),
    element("span", { className: "operation" }, operation),
    text,
    element("span", { className: "status" }, statusText(status))
  )
}

/**
 * Collapses successes of the same kind that came one after the other.
 *
 * @param {ReadonlyArray<Note | Request>} items the newest first
 */
const collapse = (items) => {
  /** @type {Array<Note | Row>} */
  const rows = []
  for (const item of items) {
    const above = rows.at(-1)
    const isRepeat =
      above !== undefined &&
      !("note" in above) &&
      !("note" in item) &&
      item.outcome === "succeeded" &&
      above.outcome === "succeeded" &&
      item.why === above.why &&
      item.operation === above.operation &&
      item.method === above.method &&
      item.path === above.path &&
      item.clientId === above.clientId &&
      item.status === above.status
    if (isRepeat) rows[rows.length - 1] = { ...above, repeats: above.repeats + 1 }
    else rows.push("note" in item ? item : { ...item, repeats: 0 })
  }
  return rows
}

let begun = false

const rows = list(
  byId("log"),
  (/** @type {Note | Row} */ item) =>
    "note" in item ? `note ${item.behind} ${item.note} ${item.at}` : `${last?.epoch} ${item.id} ${item.repeats}`,
  (item) => {
    const node = "note" in item ? noteRow(item) : requestRow(item)
    if (begun && ("note" in item || item.repeats === 0)) node.classList.add("new")
    return { node }
  }
)

const filter = byId("log-filter", HTMLSelectElement)

/** @type {Readonly<Record<string, (request: Request) => boolean>>} */
const kinds = {
  all: () => true,
  tokens: ({ operation }) => ["issue", "refresh", "revoke"].includes(operation),
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
  rows(collapse(items))
  byId("log-empty").hidden = items.length > 0
  byId("log-box").hidden = items.length === 0
}

filter.addEventListener("change", () => {
  if (last !== undefined) render(last)
})

/** @type {ReadonlyArray<string>} */
let unread = []
/** @type {ReturnType<typeof setTimeout> | undefined} */
let reading

/**
 * Reads the newest rows to screen readers, at most every five seconds.
 *
 * @param {ReadonlyArray<string>} news
 */
const announce = (news) => {
  unread = [...unread, ...news].slice(-3)
  if (unread.length === 0 || reading !== undefined) return
  setText(byId("announcer"), unread.join(". "))
  unread = []
  reading = setTimeout(() => {
    reading = undefined
    announce([])
  }, 5000)
}

/**
 * What was done to the sandbox between two events.
 *
 * @param {State} state
 * @param {State} before
 * @param {number} jump
 */
const changesOf = (state, before, jump) => {
  const known = new Set(before.sessions.map(({ id }) => id))
  const logins = state.sessions.filter(({ id, startedBy }) => startedBy === "another login" && !known.has(id))
  return [
    ...(Math.abs(jump) > 2000
      ? [`The clock moved ${jump > 0 ? "ahead" : "back"} by ${roundDuration(Math.abs(jump))}`]
      : []),
    ...logins.map(({ clientId }) => `Another login as ${shortId(clientId)}`)
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
  const found = before === undefined || jump === undefined ? [] : changesOf(state, before, jump)
  notes = [...found.map((note) => ({ note, serial: ++serial, at: now(), behind: newest })), ...notes].slice(
    0,
    mostNotes
  )
  if (last !== undefined) {
    const fresh = state.requests.filter(({ id }) => id > seen).slice(0, 3)
    announce([...fresh.reverse().map((request) => `${request.operation}: ${sentence(request)}`), ...found])
  }
  last = state
  render(state)
  begun = true
}
