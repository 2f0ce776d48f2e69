/**
 * What every token store keeps to, told as cases that a test runner registers. Most of them are accidents: a holder dies,
 * loses its right, writes too late, or does not hear the answer.
 */
import { clearing } from "./tokenStore/clearing.js"
import { outages, unreadable } from "./tokenStore/failing.js"
import { makeKit } from "./tokenStore/Kit.js"
import { losing } from "./tokenStore/losing.js"
import type { ContractCase, TokenStoreContractOptions } from "./tokenStore/Options.js"
import { reading } from "./tokenStore/reading.js"
import { renewing } from "./tokenStore/renewing.js"
import { saving } from "./tokenStore/saving.js"

export type { ContractCase, FaultyStore, TokenStoreContractOptions } from "./tokenStore/Options.js"

/** The cases for one store; each uses keys of its own, so that they may run beside each other. */
export const tokenStoreContract = (options: TokenStoreContractOptions): ReadonlyArray<ContractCase> => {
  const { corrupt, faulty } = options
  const kit = makeKit(options)
  return [
    ...reading(kit),
    ...renewing(kit),
    ...losing(kit),
    ...saving(kit),
    ...clearing(kit),
    ...(faulty === undefined ? [] : outages(kit, faulty)),
    ...(corrupt === undefined ? [] : unreadable(kit, corrupt))
  ]
}
