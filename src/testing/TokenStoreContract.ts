/**
 * What holds for every token store, as cases that a test runner registers. Most of them are faults: a holder crashes, loses
 * its lease, writes too late, or does not get the answer.
 *
 * @since 0.1.0
 */

import { makeHarness } from "./tokenStore/harness.js"
import { holderCrash } from "./tokenStore/holderCrash.js"
import { lateWrite } from "./tokenStore/lateWrite.js"
import { leaseLoss } from "./tokenStore/leaseLoss.js"
import { login } from "./tokenStore/login.js"
import { logout } from "./tokenStore/logout.js"
import { logoutLeaseLoss } from "./tokenStore/logoutLeaseLoss.js"
import type { ContractCase, TokenStoreContractOptions } from "./tokenStore/Options.js"
import { outages, unreadable } from "./tokenStore/outage.js"
import { reading } from "./tokenStore/reading.js"
import { renewalFailure } from "./tokenStore/renewalFailure.js"
import { renewing } from "./tokenStore/renewing.js"
import { saving } from "./tokenStore/saving.js"
import { sharedFailure } from "./tokenStore/sharedFailure.js"
import { abandonedLease, lostSteps } from "./tokenStore/takeOver.js"
import { wentBack } from "./tokenStore/wentBack.js"

export { faultyTokenStore } from "./tokenStore/faultyTokenStore.js"
export type { ContractCase, FaultyStore, TokenStoreContractOptions } from "./tokenStore/Options.js"

/**
 * The cases for one store; each uses keys of its own, so that they may run beside each other. A case fails with what is
 * wrong in a sentence; its name is the promise that is broken. Those that lose a lease take the longest: with `faulty` 5
 * seconds of the store's time each, without it 35.
 *
 * ```ts
 * import { it } from "@effect/vitest"
 * import { Effect, TestClock } from "effect"
 * import { TokenStoreMemory } from "nomba-auth"
 * import { tokenStoreContract } from "nomba-auth/testing"
 *
 * for (const { effect, name } of tokenStoreContract({
 *   store: Effect.succeed(TokenStoreMemory.make),
 *   pass: TestClock.adjust // a store with a clock of its own: Effect.sleep
 * })) {
 *   it.scoped(name, () => effect)
 * }
 * ```
 *
 * @since 0.1.0
 * @category testing
 */
export const tokenStoreContract = (options: TokenStoreContractOptions): ReadonlyArray<ContractCase> => {
  const { corrupt, faulty, snapshot } = options
  const harness = makeHarness(options)
  return [
    ...reading(harness),
    ...renewing(harness),
    ...renewalFailure(harness),
    ...holderCrash(harness),
    ...leaseLoss(harness),
    ...lateWrite(harness),
    ...saving(harness),
    ...logout(harness),
    ...logoutLeaseLoss(harness),
    ...login(harness),
    ...sharedFailure(harness),
    ...abandonedLease(harness),
    ...(faulty === undefined ? [] : outages(harness, faulty)),
    ...(faulty === undefined ? [] : lostSteps(harness, faulty)),
    ...(snapshot === undefined ? [] : wentBack(harness, snapshot)),
    ...(corrupt === undefined ? [] : unreadable(harness, corrupt))
  ]
}
