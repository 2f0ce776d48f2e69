/**
 * The operations of the sandbox, by name.
 *
 * @since 0.1.0
 */

/** In the words of `NombaAuth`; `balance` is the protected resource. */
export const endpoints = ["issue", "refresh", "revoke", "balance"] as const

/**
 * An operation of the sandbox.
 *
 * @since 0.1.0
 * @category models
 */
export type Endpoint = (typeof endpoints)[number]
