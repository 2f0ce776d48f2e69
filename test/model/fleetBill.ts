/** The token calls of a simulated fleet, held to the limits that real processes are held to. */
import {
  CALLS_PER_COLD_START,
  CALLS_PER_LATE_HOLDER,
  CALLS_PER_LOST_HOLDER,
  CALLS_PER_OTHER_LOGIN,
  CALLS_PER_RENEWAL,
  renewalsWithin
} from "../support/bounds.js"
import type { FaultName } from "./fleetFaults.js"
import { LIFETIME, type Nomba } from "./fleetNomba.js"
import type { StoreServer } from "./fleetStore.js"

/** The requests of one renewal that Nomba answers with 503. */
const ATTEMPTS = 5

/** A fleet fails like one process: a renewal after 1, 2, 4, 8 and 16 s, then one each 30 s. */
const whileFailing = (millis: number): number => ATTEMPTS * (6 + Math.ceil(millis / 30_000))

/**
 * What a fault costs beside the renewals and the other logins that fall into its time. Nothing limits it while Nomba fails: each
 * attempt may have been processed.
 */
const extra: Readonly<Partial<Record<FaultName, number | ((millis: number) => number)>>> = {
  "the store comes back empty": CALLS_PER_COLD_START,
  "anyone stalled": CALLS_PER_LATE_HOLDER,
  "a holder stalled": CALLS_PER_LATE_HOLDER,
  "anyone killed": CALLS_PER_LOST_HOLDER,
  "a holder killed": CALLS_PER_LOST_HOLDER,
  "all killed": CALLS_PER_LOST_HOLDER + CALLS_PER_COLD_START,
  "Nomba out of reach": Number.POSITIVE_INFINITY,
  "Nomba slow": Number.POSITIVE_INFINITY,
  "Nomba's answers lost": Number.POSITIVE_INFINITY,
  // It takes its token for one that has expired.
  "a clock set": CALLS_PER_RENEWAL,
  // What it holds counts as expired if its clock moves far enough, or to before the moment it was written.
  "the store's clock moves": CALLS_PER_RENEWAL,
  "token requests fail": whileFailing,
  "token requests fail with Retry-After": whileFailing,
  "joined ahead of expiry while Nomba fails": Number.POSITIVE_INFINITY,
  "one POST a minute": Number.POSITIVE_INFINITY,
  "Nomba repeats its tokens": Number.POSITIVE_INFINITY,
  // Two renewals until the route is suspended, and one each time that this ends: after 10 and 30 minutes.
  "one process calls a route that rejects every token": 5
}

const extraOf = (name: FaultName, millis: number): number => {
  const most = extra[name] ?? 0
  return typeof most === "number" ? most : most(millis)
}

/** While commands are lost one after another, a session that was never written costs the next who asks one of his own. */
const OF_THE_UNWRITTEN: FaultName = "commands lost and late"

/** Begins to count; what it answers with tells what is wrong, if anything, when these faults were injected into the fleet since. */
export const beginBill = (
  nomba: Nomba,
  store: StoreServer,
  now: () => number
): ((injected: ReadonlyArray<FaultName>) => string | undefined) => {
  const before = {
    at: now(),
    calls: nomba.counts.tokenCalls,
    otherLogins: nomba.counts.otherLogins,
    unwritten: store.unwritten()
  }
  return (injected) => {
    const calls = nomba.counts.tokenCalls - before.calls
    const most =
      CALLS_PER_RENEWAL * renewalsWithin(now() - before.at, LIFETIME) +
      CALLS_PER_OTHER_LOGIN * (nomba.counts.otherLogins - before.otherLogins) +
      injected.reduce((total, name) => total + extraOf(name, now() - before.at), 0) +
      (injected.includes(OF_THE_UNWRITTEN) ? store.unwritten() - before.unwritten : 0)
    return calls <= most ? undefined : `${calls} token calls, at most ${most} were due`
  }
}
