/** The table of faults. */
import type { Row } from "../Row.js"
import { coldStarts } from "./coldStart.js"
import { holders } from "./holder.js"
import { logouts } from "./logout.js"
import { outageRows } from "./outage.js"
import { steadyLoads } from "./steady.js"
import { thefts } from "./theft.js"

export const rows: ReadonlyArray<Row> = [
  ...coldStarts,
  ...steadyLoads,
  ...holders,
  ...outageRows,
  ...thefts,
  ...logouts
]
