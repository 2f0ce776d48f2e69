/**
 * The simulations at their full volume: 10,000 sequences of the cache's model for each kind of client, 51 programs held to
 * their token requests, 20 fleets of 16 processes for 6 hours, and one of 64 processes for a week.
 *
 *     tsx scripts/simulate.ts [--quick]                    everything; quick as in the tests
 *     tsx scripts/simulate.ts --seed N [--path P] [--public]  the model only, as it failed
 *     tsx scripts/simulate.ts [--quick] --target-seed N    the programs only, as they failed
 *     tsx scripts/simulate.ts [--quick] --fleet-seed N [--only FAULT]  the fleet only, as it failed
 */
import { parseArgs } from "node:util"
import { QUICK_FLEET, simulateFleet, type Volume } from "../test/model/fleet.js"
import { type FaultName, faults } from "../test/model/fleetFaults.js"
import { describeFleet } from "../test/model/fleetReport.js"
import { checkModel } from "../test/model/TokenCache.model.js"
import { allTargets, quickTargets } from "../test/model/targets.js"

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    path: { type: "string" },
    "target-seed": { type: "string" },
    "fleet-seed": { type: "string" },
    only: { type: "string", multiple: true },
    public: { type: "boolean", default: false },
    quick: { type: "boolean", default: false }
  }
})

const anySeed = Date.now() & 0x7fffffff
const runsAll = values.seed === undefined && values["target-seed"] === undefined && values["fleet-seed"] === undefined

const timed = async (name: string, work: () => void | Promise<void>): Promise<void> => {
  const start = performance.now()
  await work()
  console.log(`ok  ${name} (${((performance.now() - start) / 1000).toFixed(1)} s)`)
}

const isFault = (name: string): name is FaultName => Object.hasOwn(faults, name)

const fleet = (volume: Omit<Volume, "progress">): Promise<void> =>
  timed(`${volume.instances} processes for ${volume.hours} hours, seed ${volume.seed}`, async () => {
    const report = await simulateFleet({
      ...volume,
      only: values.only?.filter(isFault),
      progress: (hour) => {
        if (hour % 24 === 0) console.log(`... ${hour} of ${volume.hours} hours`)
      }
    })
    if (volume.hours > 6 || report.broken.length > 0) console.log(`\n${describeFleet(report)}\n`)
    if (report.broken.length > 0) process.exit(1)
  })

if (runsAll || values.seed !== undefined) {
  const sequences = values.quick ? 500 : 10_000
  const seed = Number(values.seed ?? anySeed)
  for (const isPublic of runsAll ? [false, true] : [values.public]) {
    const client = isPublic ? "a public client" : "a client with a secret"
    await timed(`${sequences} sequences of the cache's model for ${client}, seed ${seed}`, () =>
      checkModel({ sequences, seed, isPublic, ...(values.path === undefined ? {} : { path: values.path }) })
    )
  }
}

if (runsAll || values["target-seed"] !== undefined) {
  const seed = Number(values["target-seed"] ?? anySeed)
  for (const target of (values.quick ? quickTargets : allTargets)(seed)) {
    const { broken, figures, name } = await target()
    console.log(`${broken.length === 0 ? "ok " : "BROKEN"} ${name}: ${figures}`)
    for (const what of broken) console.log(`    ${what}`)
    if (broken.length > 0) process.exit(1)
  }
}

if (runsAll || values["fleet-seed"] !== undefined) {
  const seed = Number(values["fleet-seed"] ?? anySeed)
  if (values.quick) await fleet({ ...QUICK_FLEET, seed })
  else {
    for (let other = 0; runsAll && other < 20; other++) await fleet({ instances: 16, hours: 6, seed: seed + other })
    await fleet({ instances: 64, hours: 7 * 24, seed })
  }
}
