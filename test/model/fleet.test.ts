import { assert, it } from "vitest"
import { QUICK_FLEET, simulateFleet } from "./fleet.js"
import { describeFleet } from "./fleetReport.js"

it("a fleet of processes keeps one session under random faults", { timeout: 180_000 }, async () => {
  const seed = Date.now() & 0x7fffffff
  const report = await simulateFleet({ ...QUICK_FLEET, seed })
  assert.isEmpty(report.broken, `npm run simulate -- --quick --fleet-seed=${seed}\n${describeFleet(report)}`)
})
