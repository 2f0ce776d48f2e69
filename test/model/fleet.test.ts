import { assert, it } from "vitest"
import { simulateFleet } from "./fleet.js"
import { describeFleet } from "./fleetReport.js"

it("16 processes keep one session for six hours, whatever befalls them", { timeout: 180_000 }, async () => {
  const seed = Date.now() & 0x7fffffff
  const report = await simulateFleet({ instances: 16, hours: 6, seed })
  assert.isEmpty(report.broken, `npm run simulate -- --quick --fleet-seed=${seed}\n${describeFleet(report)}`)
})
