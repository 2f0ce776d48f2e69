/** The combinations of switches under which a client must work: it is not known how the real API is set. */
import { createRequire } from "node:module"
import type { Switches } from "nomba-auth/sandbox"
import { descriptions, type SwitchDescription } from "../../../src/sandbox/config/Switches.js"

/** It says that it is an ES module and is none, so that an `import` finds nothing in it. */
const { make, sorters } = createRequire(import.meta.url)("covertable") as typeof import("covertable")

const hour = 3_600_000

/** The values of the switches that are times or durations: those that make a difference to a client. */
const times = {
  accessLifetime: [600_000, 1_800_000, 3 * hour],
  refreshLifetime: [24 * hour, 300_000],
  clockOffset: [0, -5 * hour, 5 * hour]
}

const valuesOf = ({ name, values }: SwitchDescription): ReadonlyArray<string | number | boolean> => {
  if (values.length > 0) return values
  if (name in times) return times[name as keyof typeof times]
  throw new Error(`${name} needs values in the table \`times\`, because its schema has none`)
}

/** Every switch with its values, read off the switches themselves, so that a new one cannot be forgotten. */
export const factors: Readonly<Record<keyof Switches, ReadonlyArray<string | number | boolean>>> = Object.fromEntries(
  descriptions.map((description) => [description.name, valuesOf(description)])
) as never

/** One value for each switch. */
export type Row = Switches

/** Rows in which every combination of so many switches occurs. The same seed gives the same rows. */
export const cover = (strength: number, seed: string): ReadonlyArray<Row> => {
  const values = Object.fromEntries(Object.entries(factors).map(([name, possible]) => [name, [...possible]]))
  return make(values, { length: strength, sorter: sorters.hash, seed }) as unknown as ReadonlyArray<Row>
}

/** The command that runs one row again. */
export const replay = (row: Row): string => `npm run switches -- --row '${JSON.stringify(row)}'`
