/**
 * The simulations at their full volume: 10,000 sequences of the cache's model, and a fleet of 64 processes for a week.
 *
 *     tsx scripts/simulate.ts [--quick]                 both; quick as in the tests
 *     tsx scripts/simulate.ts --seed N [--path P] [--public]  the model only, as it failed
 *     tsx scripts/simulate.ts [--quick] --fleet-seed N  the fleet only, as it failed
 */
import { parseArgs } from "node:util"
import { simulateFleet } from "../test/model/fleet.js"
import { describeFleet } from "../test/model/fleetReport.js"
import { checkModel } from "../test/model/TokenCache.model.js"

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    path: { type: "string" },
    "fleet-seed": { type: "string" },
    public: { type: "boolean", default: false },
    quick: { type: "boolean", default: false }
  }
})

const anySeed = Date.now() & 0x7fffffff
const runsAll = values.seed === undefined && values["fleet-seed"] === undefined

const timed = async (name: string, work: () => void | Promise<void>): Promise<void> => {
  const start = performance.now()
  await work()
  console.log(`ok  ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}

if (runsAll || values.seed !== undefined) {
  const sequences = values.quick ? 2_000 : 10_000
  const seed = Number(values.seed ?? anySeed)
  for (const isPublic of runsAll ? [false, true] : [values.public]) {
    const client = isPublic ? "a public client" : "a client with a secret"
    await timed(`${sequences} sequences of the cache's model for ${client}, seed ${seed}`, () =>
      checkModel({ sequences, seed, isPublic, ...(values.path === undefined ? {} : { path: values.path }) })
    )
  }
}

if (runsAll || values["fleet-seed"] !== undefined) {
  const seed = Number(values["fleet-seed"] ?? anySeed)
  const volume = values.quick ? { instances: 16, hours: 6 } : { instances: 64, hours: 7 * 24 }
  await timed("the fleet", async () => {
    const report = await simulateFleet({
      ...volume,
      seed,
      progress: (hour) => {
        if (hour % 24 === 0) console.log(`... ${hour} of ${volume.hours} hours`)
      }
    })
    console.log(`\n${describeFleet(report)}\n`)
    if (report.broken.length > 0) process.exit(1)
  })
}
