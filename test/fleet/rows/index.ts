/** All rows of the fault table. */

import type { Row } from "../Row.js"
import type { RealSetting } from "../realStage.js"
import { coldStarts } from "./coldStart.js"
import { disconnects } from "./disconnects.js"
import { holders } from "./holder.js"
import { logouts } from "./logout.js"
import { nombaDown } from "./nombaDown.js"
import { otherLogins } from "./otherLogins.js"
import { outageRows } from "./outage.js"
import { redisFaults } from "./redisFaults.js"
import { stalls } from "./stall.js"
import { privateCaches, steadyLoads } from "./steady.js"
import { unusableStores } from "./unusableStore.js"

/** The rows that run with real processes and with simulated ones. */
export const situations: ReadonlyArray<Row> = [
  ...coldStarts,
  ...steadyLoads,
  ...holders,
  ...outageRows,
  ...otherLogins,
  ...logouts
]

/** All rows; those that are not situations need real processes. */
export const rows: ReadonlyArray<Row<RealSetting>> = [
  ...situations,
  ...nombaDown,
  ...stalls,
  ...unusableStores,
  ...redisFaults,
  ...disconnects,
  privateCaches
]
