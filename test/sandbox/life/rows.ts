/** The combinations of switches under which a client must live: nobody can tell which of them the live API has on. */
import { createRequire } from "node:module"
import type { SwitchesInput } from "nomba-auth/sandbox"

/** It says that it is an ES module and is none, so that an `import` finds nothing in it. */
const { make, sorters } = createRequire(import.meta.url)("covertable") as typeof import("covertable")

const hour = 3_600_000

/** What each switch can be; the times are those that make a difference to a client. */
export const factors = {
  dialect: ["both", "spec", "live"],
  accountHeader: ["optional", "required", "ignored"],
  singleSession: [true, false],
  refreshKillsAccessToken: [true, false],
  refreshRotation: [true, false],
  refreshReuse: ["refused", "killsSession"],
  refreshBearer: ["optional", "required", "ignored"],
  refreshBearerExpired: ["allowed", "refused"],
  revokeMembers: ["any", "spec", "live"],
  revokeUnknownMembers: ["ignored", "refused"],
  badCredentials: [401, 403, 400, 200],
  deadRefreshToken: [401, 403, 400, 200],
  accessLifetime: [600_000, 1_800_000, 3 * hour],
  refreshLifetime: [24 * hour, 300_000],
  clockOffset: [0, -5 * hour, 5 * hour],
  rateLimit: ["off", "regular", "lowTraffic"]
} as const satisfies { readonly [Name in keyof SwitchesInput]?: ReadonlyArray<SwitchesInput[Name]> }

/** Everything that can be switched and makes a difference, switched one way. */
export type Row = { readonly [Name in keyof typeof factors]: (typeof factors)[Name][number] }

/** Rows in which every combination of so many switches occurs. The same seed gives the same rows. */
export const cover = (strength: number, seed: string): ReadonlyArray<Row> => {
  const values = Object.fromEntries(Object.entries(factors).map(([name, possible]) => [name, [...possible]]))
  return make(values, { length: strength, sorter: sorters.hash, seed }) as unknown as ReadonlyArray<Row>
}

/** How to live one row again. */
export const replay = (row: Row): string => `npm run switches -- --row '${JSON.stringify(row)}'`
