// @ts-check
/** Follows the sandbox and shows its state. */
import * as connect from "./connect.js"
import * as controls from "./controls.js"
import * as counters from "./counters.js"
import { byId, element, setText } from "./dom.js"
import { causes, dateAndTime } from "./format.js"
import * as log from "./log.js"
import { follow, now } from "./sandbox.js"
import * as sessions from "./sessions.js"
import * as switches from "./switches.js"

/** @import { State } from "../ViewTypes.js" */

/** @type {State | undefined} */
let last

/** Updates what changes with the time. */
const tick = () => {
  if (last === undefined) return
  setText(byId("now"), dateAndTime(now()))
  sessions.show(last)
  controls.show(last)
}

for (const { advice, id, title } of causes) {
  byId("causes").append(element("dt", { id, tabIndex: -1 }, title), element("dd", {}, advice))
}

setInterval(tick, 500)

follow((state, jump) => {
  last = state
  tick()
  log.show(state, jump)
  connect.show(state)
  counters.show(state)
  switches.show(state)
})
