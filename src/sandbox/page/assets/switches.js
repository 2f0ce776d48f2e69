// @ts-check
/** The switches. */
import { byId, element, list, setText } from "./dom.js"
import { plural } from "./format.js"
import { control } from "./sandbox.js"

/** @import { State, Switch } from "../ViewTypes.js" */

/** @typedef {Switch["standard"]} Value */

const units = /** @type {const} */ ([
  [86_400_000, "day"],
  [3_600_000, "hour"],
  [60_000, "minute"],
  [1000, "second"]
])

/**
 * A duration as the sandbox reads it.
 *
 * @param {number} millis
 */
const written = (millis) => {
  const [size, unit] = units.find(([size]) => millis >= size && millis % size === 0) ?? [1, "milli"]
  return `${millis / size} ${unit}${millis === size ? "" : "s"}`
}

/**
 * The field of a switch.
 *
 * @param {Switch} description
 * @returns {{ readonly input: HTMLInputElement | HTMLSelectElement, readonly show: (value: Value) => void, readonly read: () => Value }}
 */
const fieldOf = ({ name, standard, values }) => {
  if (typeof standard === "boolean") {
    const input = element("input", { type: "checkbox" })
    input.setAttribute("role", "switch")
    return { input, show: (value) => Object.assign(input, { checked: value }), read: () => input.checked }
  }
  if (values.length > 0) {
    const options = values.map((value) => element("option", { value: String(value) }, String(value)))
    const input = element("select", {}, ...options)
    const read = () => values.find((value) => String(value) === input.value) ?? input.value
    return { input, show: (value) => Object.assign(input, { value: String(value) }), read }
  }
  if (name === "clockOffset") {
    const input = element("input", { type: "number", step: "any" })
    return { input, show: (value) => Object.assign(input, { value: String(value) }), read: () => Number(input.value) }
  }
  const input = element("input", { type: "text", spellcheck: false, autocomplete: "off" })
  return { input, show: (value) => Object.assign(input, { value: written(Number(value)) }), read: () => input.value }
}

/** @typedef {{ readonly description: Switch, readonly value: Value }} Position */

/** @type {State["switches"] | undefined} */
let last

/** @param {Position} position */
const make = ({ description }) => {
  const { name, standard } = description
  const { input, read, show } = fieldOf(description)
  const about = element("p", { className: "hint", id: `about-${name}` }, description.description)
  input.setAttribute("aria-describedby", about.id)
  const label = element("label", {}, element("span", { className: "mono" }, name), input)
  label.classList.toggle("check", typeof standard === "boolean")
  input.addEventListener("change", async () => {
    const done = await control("PATCH", "/switches", { [name]: read() }, `${name} was changed.`)
    if (!done && last !== undefined) show(last[name])
  })
  const node = element("div", { className: "switch" }, label, about)
  /** @param {Position} position */
  const update = ({ value }) => {
    node.classList.toggle("changed", value !== standard)
    if (document.activeElement !== input) show(value)
  }
  return { node, update }
}

const rows = list(byId("switches"), (/** @type {Position} */ { description }) => description.name, make)

/** @type {ReadonlyArray<Switch>} empty until they are loaded */
let descriptions = []

/** @param {Pick<State, "switches">} state */
export const show = ({ switches }) => {
  last = switches
  rows(descriptions.map((description) => ({ description, value: switches[description.name] })))
  const changed = descriptions.filter(({ name, standard }) => switches[name] !== standard).length
  setText(byId("switches-changed"), changed === 0 ? "" : `${plural(changed, "setting")} changed`)
}

fetch("/assets/switches.json")
  .then((response) => response.json())
  .then(
    (loaded) => {
      descriptions = loaded
      if (last !== undefined) show({ switches: last })
    },
    () => setText(byId("switches"), "The settings could not be loaded. Reload the page.")
  )
