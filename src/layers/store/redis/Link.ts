/**
 * A client, and what is known about its connection.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { Redis } from "ioredis"
import { codeOf } from "./Failure.js"
import type { RedisClient } from "./RedisClient.js"

export interface Link {
  readonly client: RedisClient
  /**
   * The code that the last attempt to connect failed with, `ECONNRESET` where the server closed it without a word; none while
   * connected, or where nobody watches.
   */
  readonly lastFailure: () => Option.Option<string>
  /** Whether a command would be sent at once, as far as the client knows. */
  readonly isReady: () => boolean
  /** Whether it ever was ready to send one; so it is taken to have been where somebody else watches. */
  readonly wasReady: () => boolean
  /** Gives up a connection that does not answer, and begins another. */
  readonly reconnect: () => void
}

/** A client that belongs to somebody else, who watches over it. */
export const borrowed = (client: RedisClient): Link => ({
  client,
  lastFailure: Option.none,
  isReady: () => false,
  wasReady: () => true,
  reconnect: () => {}
})

/** A server that does not answer is not given up sooner: a long way and TLS take their time. */
const CONNECT_TIMEOUT = Duration.toMillis("5 seconds")

/** So that a connection through which nothing comes is noticed. */
const KEEP_ALIVE = Duration.toMillis("10 seconds")

const FIRST_WAIT = 50
const LONGEST_WAIT = 2_000

/** An open connection does not keep a process alive; a command that waits for its answer does. */
const unreferenced = (client: Redis): Redis => client.on("connect", () => client.stream.unref())

/** A client of our own, which connects when it is first used and reconnects for as long as the scope is open. */
export const own = (url: Redacted.Redacted<string>): Effect.Effect<Link, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() =>
        unreferenced(
          new Redis(Redacted.value(url), {
            lazyConnect: true,
            connectTimeout: CONNECT_TIMEOUT,
            keepAlive: KEEP_ALIVE,
            maxRetriesPerRequest: 1,
            retryStrategy: (times) => Math.min(FIRST_WAIT * 2 ** (times - 1), LONGEST_WAIT),
            disableClientInfo: true
          })
        )
      ),
      (client) => Effect.sync(() => client.disconnect())
    ),
    (client) => {
      let last = Option.none<string>()
      client.on("error", (error) => {
        last = Option.orElse(codeOf(error), () => last)
      })
      client.on("close", () => {
        last = Option.orElse(last, () => Option.some("ECONNRESET"))
      })
      let wasReady = false
      client.on("ready", () => {
        last = Option.none()
        wasReady = true
      })
      return {
        client: {
          options: client.options,
          eval: (script, numberOfKeys, ...args) => client.eval(script, numberOfKeys, ...args),
          duplicate: () => unreferenced(client.duplicate())
        },
        lastFailure: () => last,
        isReady: () => client.status === "ready",
        wasReady: () => wasReady,
        reconnect: () => {
          last = Option.some("ETIMEDOUT")
          client.disconnect(true)
        }
      }
    }
  )
