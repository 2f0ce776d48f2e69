/**
 * Why what a store holds is no session to this program.
 *
 * @since 0.1.0
 */
import { Unavailable } from "../../schemas/AuthError.js"

/**
 * Nobody can read it.
 *
 * @since 0.1.0
 */
export const damaged: Unavailable = new Unavailable({ operation: "store", reason: "StoreUnreadable" })

/**
 * Another program can, or could have written it.
 *
 * @since 0.1.0
 */
export const notOurs = (hint: string): Unavailable =>
  new Unavailable({ operation: "store", reason: "StoreCodec", hint })

/**
 * @since 0.1.0
 */
export const anotherVersion: Unavailable = notOurs("It was written by another version of nomba-auth.")
