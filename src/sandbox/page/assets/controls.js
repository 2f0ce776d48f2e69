// @ts-check
/** Faults, the clock, and the way back to the start. */
import { byId, element, list, say } from "./dom.js"
import { dateAndTime, many, ordered } from "./format.js"
import { act, now } from "./sandbox.js"

/** @import { State } from "../ViewTypes.js" */

/** What each kind of fault does to a client, and what it is good to try. */
const about = {
  status: "The request is not processed. A good client waits and tries again after a 5xx.",
  latency: "The request is processed at once, and its answer comes late.",
  drop: "The request is not processed, and the client cannot know that.",
  cut: "The request is processed. Half of its answer comes, then the connection breaks.",
  garbage: "A 200 that says it is JSON and is not. The request is not processed.",
  lost: "The request is processed, but no answer comes: a refresh token may be spent for nothing."
}

const form = byId("faults", HTMLFormElement)

/** @param {string} name */
const field = (name) => {
  const found = form.elements.namedItem(name)
  if (!(found instanceof HTMLInputElement || found instanceof HTMLSelectElement)) throw new Error(`no field ${name}`)
  return found
}

/** Shows the fields that the chosen kind of fault has, and no others. */
const arrange = () => {
  const kind = field("kind").value
  const wanted = { status: kind === "status", latency: kind === "latency", amount: field("until").value !== "always" }
  for (const [name, shown] of Object.entries(wanted)) {
    const label = form.querySelector(`[data-for="${name}"]`)
    if (label instanceof HTMLElement) label.hidden = !shown
    field(name).disabled = !shown
  }
  say(byId("fault-about"), about[/** @type {keyof typeof about} */ (kind)])
}

/** The fault that the form describes. */
const fault = () => {
  const amount = Number(field("amount").value)
  const until = { times: { times: amount }, during: { during: `${amount} seconds` }, always: { times: "always" } }
  const what = {
    status: { answer: { status: Number(field("status").value) } },
    latency: { latency: Number(field("latency").value) * 1000 },
    drop: { answer: "drop" },
    cut: { answer: "cut" },
    garbage: { answer: "garbage" },
    lost: { answer: "drop", processed: true }
  }
  return {
    ...what[/** @type {keyof typeof what} */ (field("kind").value)],
    ...until[/** @type {keyof typeof until} */ (field("until").value)]
  }
}

/**
 * Which requests meet the fault that the form describes.
 *
 * @param {string} endpoint
 */
const extent = (endpoint) => {
  const amount = Number(field("amount").value)
  const until = field("until").value
  if (until === "always") return `every ${endpoint} meets the fault until it is called off`
  if (until === "during") return `every ${endpoint} meets the fault for ${many(amount, "second")}`
  return amount === 1
    ? `the next ${endpoint} meets the fault`
    : `the next ${many(amount, "request")} for ${endpoint} meet the fault`
}

form.addEventListener("change", arrange)
form.addEventListener("submit", (event) => {
  event.preventDefault()
  const endpoint = field("endpoint").value
  act("POST", "/faults", { endpoint, fault: fault() }, `Ordered: ${extent(endpoint)}.`)
})
arrange()

byId("call-off").addEventListener("click", () => act("DELETE", "/faults", undefined, "No fault waits any longer."))

for (const node of document.querySelectorAll("[data-advance]")) {
  const advance = node.getAttribute("data-advance") ?? ""
  node.addEventListener("click", () => act("POST", "/clock", { advance }, `The clock is ${advance} ahead of before.`))
}

const clock = byId("clock", HTMLFormElement)
const begin = byId("clock-set", HTMLInputElement)
let filled = false
clock.addEventListener("submit", (event) => {
  event.preventDefault()
  act("POST", "/clock", { set: new Date(`${begin.value}Z`).toISOString() }, "The clock was set.")
})

byId("reset").addEventListener("click", () =>
  act("POST", "/reset", undefined, "The sandbox is as it was when it began.")
)

// A page that came over plain HTTP from another machine has none.
byId("copy").hidden = navigator.clipboard === undefined
byId("copy").addEventListener("click", async () => {
  const done = await navigator.clipboard.writeText(byId("url").textContent ?? "").then(
    () => "Copied",
    () => "Not allowed"
  )
  say(byId("copy"), done)
  setTimeout(() => say(byId("copy"), "Copy"), 2000)
})

const queue = list(
  byId("ordered-list"),
  (/** @type {{ readonly key: string, readonly text: string }} */ { key }) => key,
  () => {
    const node = element("li")
    return { node, update: ({ text }) => say(node, text) }
  }
)

/** @param {State} state */
export const show = ({ faults, url }) => {
  say(byId("url"), url)
  if (!filled && document.activeElement !== begin) {
    begin.value = dateAndTime(now()).replace(" ", "T")
    filled = true
  }
  const waiting = Object.entries(faults).flatMap(([endpoint, line]) =>
    line
      .filter(({ until }) => until === undefined || Date.parse(until) > now())
      .map((one, index) => ({ key: `${endpoint} ${index}`, text: ordered(endpoint, one, now()) }))
  )
  if (waiting.length === 0 && byId("ordered").contains(document.activeElement)) byId("faults-title").focus()
  byId("ordered").hidden = waiting.length === 0
  queue(waiting)
}
