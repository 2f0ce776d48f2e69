// @ts-check
/** Faults, added responses, the clock and the reset. */
import { byId, element, list, setText } from "./dom.js"
import { dateAndTime, faultText, plural } from "./format.js"
import { control, now } from "./sandbox.js"

/** @import { State } from "../ViewTypes.js" */

/** What each kind of fault does, and what a good client does about it. */
const hints = {
  status: "The request is not processed. After a 5xx a good client waits and tries again.",
  latency: "The request is processed at once; the response is late.",
  connectionReset: "The request is not processed, but the client cannot know that.",
  truncated: "The request is processed. Half of the response arrives, then the connection is reset.",
  invalidBody: "A 200 that claims to be JSON and is not. The request is not processed.",
  lost: "The request is processed, but no response arrives: a refresh token may be used up."
}

const form = byId("faults", HTMLFormElement)

/** @param {string} name */
const field = (name) => {
  const found = form.elements.namedItem(name)
  if (!(found instanceof HTMLInputElement || found instanceof HTMLSelectElement)) throw new Error(`no field ${name}`)
  return found
}

/** Shows the fields that the chosen kind of fault has. */
const arrange = () => {
  const kind = field("kind").value
  const wanted = {
    route: field("target").value === "route",
    status: kind === "status",
    latency: kind === "latency",
    amount: field("until").value !== "always"
  }
  for (const [name, shown] of Object.entries(wanted)) {
    const label = form.querySelector(`[data-for="${name}"]`)
    if (label instanceof HTMLElement) label.hidden = !shown
    field(name).disabled = !shown
  }
  setText(byId("fault-hint"), hints[/** @type {keyof typeof hints} */ (kind)])
}

const target = () => (field("target").value === "route" ? field("route").value.trim() : field("target").value)

/** The fault that the form describes. */
const fault = () => {
  const amount = Number(field("amount").value)
  const until = { times: { times: amount }, during: { during: `${amount} seconds` }, always: { times: "always" } }
  const what = {
    status: { answer: { status: Number(field("status").value) } },
    latency: { latency: Number(field("latency").value) * 1000 },
    connectionReset: { answer: "connectionReset" },
    truncated: { answer: "truncated" },
    invalidBody: { answer: "invalidBody" },
    lost: { answer: "connectionReset", processed: true }
  }
  return {
    ...what[/** @type {keyof typeof what} */ (field("kind").value)],
    ...until[/** @type {keyof typeof until} */ (field("until").value)]
  }
}

/** Which requests the fault applies to. */
const extent = () => {
  const amount = Number(field("amount").value)
  const until = field("until").value
  if (until === "always") return `every ${target()} request until you clear it`
  if (until === "during") return `every ${target()} request for ${plural(amount, "second")}`
  return amount === 1 ? `the next ${target()} request` : `the next ${amount} ${target()} requests`
}

form.addEventListener("change", arrange)
form.addEventListener("submit", (event) => {
  event.preventDefault()
  control("POST", "/faults", { target: target(), fault: fault() }, `Added: applies to ${extent()}.`)
})
arrange()

byId("clear-faults").addEventListener("click", () => control("DELETE", "/faults", undefined, "All faults are cleared."))

const responses = byId("responses", HTMLFormElement)

responses.addEventListener("submit", (event) => {
  event.preventDefault()
  const { body, method, path, status } = Object.fromEntries(
    [...new FormData(responses)].map(([name, value]) => [name, String(value)])
  )
  /** @type {unknown} */
  let json
  try {
    json = body?.trim() ? JSON.parse(body) : undefined
  } catch {
    // What is not JSON is sent as text.
    json = body
  }
  control("POST", "/resources", { method, path, status: Number(status), body: json }, `Added: ${method} ${path}.`)
})

byId("clear-responses").addEventListener("click", () =>
  control("DELETE", "/resources", undefined, "All added responses are removed.")
)

for (const node of document.querySelectorAll("[data-advance]")) {
  const advance = node.getAttribute("data-advance") ?? ""
  node.addEventListener("click", () => control("POST", "/clock", { advance }, `The clock moved ahead by ${advance}.`))
}

const clock = byId("clock", HTMLFormElement)
const clockField = byId("clock-set", HTMLInputElement)
let filled = false
clock.addEventListener("submit", (event) => {
  event.preventDefault()
  control("POST", "/clock", { set: new Date(`${clockField.value}Z`).toISOString() }, "The clock is set.")
})

byId("reset").addEventListener("click", () => control("POST", "/reset", undefined, "The sandbox is reset."))

const textList = (/** @type {string} */ id) =>
  list(
    byId(id),
    (/** @type {{ readonly key: string, readonly text: string }} */ { key }) => key,
    () => {
      const node = element("li")
      return { node, update: ({ text }) => setText(node, text) }
    }
  )

const queued = textList("queued-list")
const added = textList("added-list")

/**
 * Shows a part of the page if there is something in it. The focus moves to the heading if its element vanishes.
 *
 * @param {string} id @param {boolean} shown @param {string} heading
 */
const toggle = (id, shown, heading) => {
  if (!shown && byId(id).contains(document.activeElement)) byId(heading).focus()
  byId(id).hidden = !shown
}

/** @param {State} state */
export const show = ({ faults, resources }) => {
  if (!filled && document.activeElement !== clockField) {
    clockField.value = dateAndTime(now()).replace(" ", "T")
    filled = true
  }
  const pending = Object.entries(faults).flatMap(([name, queue]) =>
    queue
      .filter(({ until }) => until === undefined || Date.parse(until) > now())
      .map((one, index) => ({ key: `${name} ${index}`, text: faultText(name, one, now()) }))
  )
  toggle("queued", pending.length > 0, "faults-title")
  queued(pending)
  toggle("added", resources.length > 0, "responses-title")
  added(
    resources.map(({ method, path, status = 200 }) => ({
      key: `${method} ${path}`,
      text: `${method} ${path}: ${status}`
    }))
  )
}
