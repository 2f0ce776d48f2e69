// @ts-check
/** The page of a sandbox: follows it, and shows what it tells. */
import * as controls from "./controls.js"
import * as counters from "./counters.js"
import { byId, say } from "./dom.js"
import { dateAndTime } from "./format.js"
import * as log from "./log.js"
import { follow, now } from "./sandbox.js"
import * as sessions from "./sessions.js"
import * as switches from "./switches.js"

/** @import { State } from "../ViewTypes.js" */

/** @type {State | undefined} */
let last

/** Shows what changes by itself as time goes by. */
const tick = () => {
  if (last === undefined) return
  say(byId("now"), dateAndTime(now()))
  sessions.show(last)
  controls.show(last)
}

setInterval(tick, 500)

follow((state, jump) => {
  last = state
  tick()
  log.show(state, jump)
  counters.show(state)
  switches.show(state)
})
