// @ts-check
/** The counters of each operation. */
import { byId, element, list, setText } from "./dom.js"
import { statusText } from "./format.js"

/** @import { State } from "../ViewTypes.js" */

const operations = /** @type {const} */ (["issue", "refresh", "revoke", "resource", "authorize", "other"])

/** @typedef {{ readonly name: typeof operations[number], readonly tally: State["counters"]["issue"] }} Row */

/** @param {Row} row */
const make = ({ name }) => {
  const cells = Array.from({ length: 5 }, () => element("td"))
  const heading = element("th", { scope: "row" }, name)
  /** @param {Row} row */
  const update = ({ tally: { faulted, refused, requests, statuses, succeeded } }) => {
    const responses = Object.entries(statuses).map(
      ([status, times]) => `${statusText(status === "dropped" ? status : Number(status))} × ${times}`
    )
    const figures = [requests, succeeded, refused, faulted].map(String)
    for (const [index, cell] of cells.entries()) setText(cell, figures[index] ?? responses.join(", "))
  }
  return { node: element("tr", {}, heading, ...cells), update }
}

const rows = list(byId("counters"), (/** @type {Row} */ { name }) => name, make)

/** @param {State} state */
export const show = ({ counters }) => {
  rows(operations.map((name) => ({ name, tally: counters[name] })))
  const { issued, refreshed, revoked } = counters
  setText(byId("totals"), `sessions: ${issued} started, ${refreshed} refreshed, ${revoked} revoked`)
}
