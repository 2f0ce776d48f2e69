/**
 * Why a program cannot use what a store holds.
 *
 * @since 0.1.0
 */
import { Unavailable } from "../../schemas/AuthError.js"

/** No program can read it. */
export const damaged: Unavailable = new Unavailable({ operation: "store", reason: "StoreUnreadable" })

/** Another program can read it, or could have written it. */
export const notOurs = (hint: string): Unavailable =>
  new Unavailable({ operation: "store", reason: "StoreCodec", hint })

export const anotherVersion: Unavailable = notOurs("A later version of nomba-auth wrote it.")
