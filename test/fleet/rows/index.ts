/** The table of faults. */

import type { Row } from "../Row.js"
import type { RealSetting } from "../realStage.js"
import { coldStarts } from "./coldStart.js"
import { cuts } from "./cuts.js"
import { holders } from "./holder.js"
import { logouts } from "./logout.js"
import { outageRows } from "./outage.js"
import { privateCaches, steadyLoads } from "./steady.js"
import { thefts } from "./theft.js"

/** What can be played with real processes and with simulated ones. */
export const situations: ReadonlyArray<Row> = [
  ...coldStarts,
  ...steadyLoads,
  ...holders,
  ...outageRows,
  ...thefts,
  ...logouts
]

/** All of the table; the rest needs real processes. */
export const rows: ReadonlyArray<Row<RealSetting>> = [...situations, ...cuts, privateCaches]
