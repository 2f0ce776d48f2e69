// @ts-check
/** What became of the requests, counted. */
import { byId, element, list, say } from "./dom.js"
import { answered } from "./format.js"

/** @import { State } from "../ViewTypes.js" */

const operations = /** @type {const} */ (["issue", "refresh", "revoke", "balance", "authorize", "other"])

/** @typedef {{ readonly name: typeof operations[number], readonly tally: State["counters"]["issue"] }} Row */

/** @param {Row} row */
const make = ({ name }) => {
  const cells = Array.from({ length: 5 }, () => element("td"))
  const heading = element("th", { scope: "row" }, name)
  /** @param {Row} row */
  const update = ({ tally: { faulted, refused, requests, statuses, succeeded } }) => {
    const answers = Object.entries(statuses).map(
      ([status, times]) => `${answered(status === "dropped" ? status : Number(status))} × ${times}`
    )
    const figures = [requests, succeeded, refused, faulted].map(String)
    for (const [index, cell] of cells.entries()) say(cell, figures[index] ?? answers.join(", "))
  }
  return { node: element("tr", {}, heading, ...cells), update }
}

const rows = list(byId("counters"), (/** @type {Row} */ { name }) => name, make)

/** @param {State} state */
export const show = ({ counters }) => {
  rows(operations.map((name) => ({ name, tally: counters[name] })))
  const { issued, refreshed, revoked } = counters
  say(byId("totals"), `sessions: ${issued} begun, ${refreshed} renewed, ${revoked} revoked`)
}
