/**
 * Running scripts on a Redis server, whatever the client beneath is set to.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { Unavailable } from "../../../schemas/AuthError.js"
import { timeoutFail } from "../../wait/patiently.js"
import { closedCode, codeOf, unavailable } from "./Failure.js"
import type { Link } from "./Link.js"
import type { RedisClient } from "./RedisClient.js"

/**
 * Ends within the command's time-out, whatever the client does and whether or not it can be interrupted; a moment in which
 * this process stands still hardly counts.
 */
export type Run = (
  script: string,
  keys: ReadonlyArray<string>,
  ...args: ReadonlyArray<string>
) => Effect.Effect<unknown, Unavailable>

export const make = (
  { client, isReady, lastFailure, reconnect, wasReady }: Link,
  commandTimeout: Duration.Duration
): Run => {
  const enter = entering(client.options.db ?? 0)
  return (script, keys, ...args) =>
    Effect.suspend(() => {
      const begunReady = isReady()
      const answer = Effect.tryPromise({
        try: () => client.eval(enter + script, keys.length, ...keys, ...args),
        catch: (error) => unavailable(Option.firstSomeOf([codeOf(error), lastFailure(), closedCode(error)]), wasReady())
      })
      return Effect.zipRight(whenItTakesCommands(client), answer).pipe(
        Effect.interruptible,
        timeoutFail({
          duration: commandTimeout,
          onTimeout: () => {
            if (begunReady && isReady()) reconnect()
            return unavailable(
              Option.orElse(lastFailure(), () => Option.some("ETIMEDOUT")),
              wasReady()
            )
          }
        })
      )
    })
}

/** How often is looked whether a connection is there again. */
const LOOK = Duration.millis(10)

const takesCommands = ({ status }: RedisClient): boolean =>
  status === undefined || status === "ready" || status === "wait" || status === "end"

/**
 * While it connects, a driver keeps what it is given and sends it one day, where nobody waits for the answer any more: an
 * outage would fill the memory of a client that may do so for ever.
 */
const whenItTakesCommands = (client: RedisClient): Effect.Effect<void> =>
  Effect.suspend(() => (takesCommands(client) ? Effect.void : Effect.delay(whenItTakesCommands(client), LOOK)))

/**
 * A driver that was refused a database goes on in number 0, where those who were not would never find what it writes. For
 * the time of a script it is in the right one, or the script fails.
 */
const entering = (database: number): string => (database === 0 ? "" : `redis.call('SELECT', ${database})\n`)
