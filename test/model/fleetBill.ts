/** The token calls of a simulated fleet, held to the limits that real processes are held to. */
import {
  CALLS_PER_COLD_START,
  CALLS_PER_LATE_HOLDER,
  CALLS_PER_LOST_HOLDER,
  CALLS_PER_RENEWAL,
  CALLS_PER_THEFT,
  renewalsWithin
} from "../support/bounds.js"
import type { FaultName } from "./fleetFaults.js"
import { LIFETIME, type Nomba } from "./fleetNomba.js"

/**
 * What a fault costs beside the renewals and the thefts that fall into its time. Nothing limits it while Nomba fails: each
 * attempt may have been processed.
 */
const extra: Readonly<Partial<Record<FaultName, number>>> = {
  "the store comes back empty": CALLS_PER_COLD_START,
  // Who could not write is no better for the others than who died, above all when a theft makes them ask at once.
  "a commit late": CALLS_PER_LOST_HOLDER,
  "a commit lost": CALLS_PER_LOST_HOLDER,
  "a commit's answer lost": CALLS_PER_LOST_HOLDER,
  "commands lost and late": CALLS_PER_LOST_HOLDER,
  "anyone stalled": CALLS_PER_LATE_HOLDER,
  "a holder stalled": CALLS_PER_LATE_HOLDER,
  "anyone killed": CALLS_PER_LOST_HOLDER,
  "a holder killed": CALLS_PER_LOST_HOLDER,
  "all killed": CALLS_PER_LOST_HOLDER + CALLS_PER_COLD_START,
  "Nomba out of reach": Number.POSITIVE_INFINITY,
  "Nomba slow": Number.POSITIVE_INFINITY,
  "Nomba's answers lost": Number.POSITIVE_INFINITY,
  // It takes its token for one that has expired.
  "a clock set": CALLS_PER_RENEWAL
}

/** Begins to count; what it answers with tells what is wrong, if anything, when these faults have befallen the fleet since. */
export const beginBill = (
  nomba: Nomba,
  now: () => number
): ((befallen: ReadonlyArray<FaultName>) => string | undefined) => {
  const before = { at: now(), calls: nomba.counts.tokenCalls, thefts: nomba.counts.thefts }
  return (befallen) => {
    const calls = nomba.counts.tokenCalls - before.calls
    const most =
      CALLS_PER_RENEWAL * renewalsWithin(now() - before.at, LIFETIME) +
      CALLS_PER_THEFT * (nomba.counts.thefts - before.thefts) +
      befallen.reduce((total, name) => total + (extra[name] ?? 0), 0)
    return calls <= most ? undefined : `${calls} token calls, at most ${most} were due`
  }
}
