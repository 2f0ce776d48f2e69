/**
 * What is asked of a Redis client: `Redis` and `Cluster` of ioredis 5 and 6 have it. In a file of its own, because programs
 * without Effect import these types, and their compiler must not meet any of Effect's.
 */

/**
 * A connection to a Redis server, or to a cluster of them.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisClient {
  readonly options: {
    readonly db?: number | undefined
    readonly keyPrefix?: string | undefined
    readonly host?: string | undefined
    readonly port?: number | undefined
  }
  /**
   * `ready` while commands are sent at once, `wait` before the first, `end` when there will be no more connection. In any
   * other the store keeps its commands to itself; a client without one is given them at any time.
   */
  readonly status?: string
  readonly eval: (script: string, numberOfKeys: number, ...args: Array<string>) => Promise<unknown>
  /** Another connection to the same place, with the same settings. */
  readonly duplicate: () => RedisSubscriber
}

/**
 * A connection that only listens.
 *
 * @since 0.1.0
 * @category models
 */
export interface RedisSubscriber {
  /** The options of this connection. */
  readonly options: object
  readonly on: {
    (event: "message", listener: (channel: string, message: string) => void): unknown
    (event: "ready", listener: () => void): unknown
    (event: "error", listener: (error: Error) => void): unknown
  }
  readonly subscribe: (channel: string) => Promise<unknown>
  readonly unsubscribe: (channel: string) => Promise<unknown>
  readonly disconnect: () => void
}
