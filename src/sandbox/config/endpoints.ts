/** The operations of the sandbox, by name. */

/** In the words of `NombaAuth`; `balance` is the protected resource. */
export const endpoints = ["issue", "refresh", "revoke", "balance"] as const

/**
 * An operation of the sandbox.
 *
 * @since 0.1.0
 * @category models
 */
export type Endpoint = (typeof endpoints)[number]

/** What requests are counted and logged by: the operations, a person's login, and any other request. */
export const counted = [...endpoints, "authorize", "other"] as const

/** What a request is counted and logged by. */
export type Counted = (typeof counted)[number]

/** Whether it is an operation, which faults can befall. */
export const isEndpoint = (name: Counted): name is Endpoint => (endpoints as ReadonlyArray<string>).includes(name)
