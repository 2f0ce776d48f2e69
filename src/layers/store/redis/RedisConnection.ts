/** A Redis client, what is known about its connection, and the scripts that run over it. */
import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Redis } from "ioredis"
import { Unavailable } from "../../../schemas/AuthError.js"
import { present } from "../../../schemas/Responses.js"
import { systemCode } from "../../http/NetworkFailure.js"
import { stallTolerantTimeout } from "../../time.js"
import type { RedisClient } from "./RedisClient.js"

export interface RedisConnection {
  readonly client: RedisClient
  /** Where it leads, for messages: `Redis at cache:6379`. */
  readonly target: string
  /**
   * The code that the last attempt to connect failed with, `ECONNRESET` if the server closed it without a word; none while
   * connected, and for a client of the user.
   */
  readonly lastFailure: () => Option.Option<string>
  /** Whether a command would be sent at once, as far as the client knows. */
  readonly isReady: () => boolean
  /** Whether it was ever ready to send one; assumed for a client of the user. */
  readonly wasReady: () => boolean
  /** Replaces a connection that does not answer. */
  readonly reconnect: () => void
}

/** The user's client, which the user watches. */
export const fromClient = (client: RedisClient): RedisConnection => ({
  client,
  target: targetOf(client.options.host, client.options.port),
  lastFailure: Option.none,
  isReady: () => false,
  wasReady: () => true,
  reconnect: () => {}
})

const targetOf = (host: string | undefined, port: number | string | undefined): string =>
  host === undefined ? "Redis" : `Redis at ${host}:${port === undefined || port === "" ? 6379 : port}`

/** A server that does not answer is not given up sooner: a long way and TLS take their time. */
const CONNECT_TIMEOUT = Duration.toMillis("5 seconds")

/** The system then notices a connection that nothing comes through. */
const KEEP_ALIVE = Duration.toMillis("10 seconds")

const FIRST_WAIT = 50
const LONGEST_WAIT = 2_000

/** An open connection does not keep a process alive; a command that waits for its answer does. */
const unreferenced = (client: Redis): Redis => client.on("connect", () => client.stream.unref())

/**
 * A client of our own, which connects when it is first used and reconnects for as long as the scope is open. `ioredis` is
 * imported here and not above, so that a program without it can be told what to install. Fails if it cannot be imported.
 */
export const fromUrl = (
  url: Redacted.Redacted<string>
): Effect.Effect<RedisConnection, Cause.UnknownException, Scope.Scope> =>
  Effect.gen(function* () {
    // CommonJS: of a bundle that is split into files, `default` is the one export.
    const ioredis = yield* Effect.tryPromise(() => import("ioredis"))
    const client = yield* Effect.acquireRelease(
      Effect.sync(() => connect(ioredis.default.Redis, Redacted.value(url))),
      (client) => Effect.sync(() => client.disconnect())
    )
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
      target: targetOf(client.options.host, client.options.port),
      lastFailure: () => last,
      isReady: () => client.status === "ready",
      wasReady: () => wasReady,
      reconnect: () => {
        last = Option.some("ETIMEDOUT")
        client.disconnect(true)
      }
    }
  })

const connect = (Client: typeof Redis, url: string): Redis =>
  unreferenced(
    new Client(url, {
      lazyConnect: true,
      connectTimeout: CONNECT_TIMEOUT,
      keepAlive: KEEP_ALIVE,
      maxRetriesPerRequest: 1,
      retryStrategy: (times) => Math.min(FIRST_WAIT * 2 ** (times - 1), LONGEST_WAIT),
      disableClientInfo: true
    })
  )

/**
 * Ends within the command's time-out, whatever the client does and whether or not it can be interrupted; a moment in which
 * this process is stalled hardly counts.
 */
export type RunScript = (
  script: string,
  keys: ReadonlyArray<string>,
  ...args: ReadonlyArray<string>
) => Effect.Effect<unknown, Unavailable>

export const runScript = (connection: RedisConnection, commandTimeout: Duration.Duration): RunScript => {
  const { client, isReady, lastFailure, reconnect } = connection
  const select = selecting(client.options.db ?? 0)
  return (script, keys, ...args) =>
    Effect.suspend(() => {
      const startedReady = isReady()
      const answer = Effect.tryPromise({
        try: () => client.eval(select + script, keys.length, ...keys, ...args),
        catch: (error) => unavailable(connection, Option.firstSomeOf([codeOf(error), lastFailure(), closedCode(error)]))
      })
      return Effect.zipRight(whenItTakesCommands(client), answer).pipe(
        Effect.interruptible,
        stallTolerantTimeout({
          duration: commandTimeout,
          onTimeout: () => {
            if (startedReady && isReady()) reconnect()
            return unavailable(
              connection,
              Option.orElse(lastFailure(), () => Option.some("ETIMEDOUT"))
            )
          }
        })
      )
    })
}

/** How often it is checked whether there is a connection again. */
const LOOK = Duration.millis(10)

const takesCommands = ({ status }: RedisClient): boolean =>
  status === undefined || status === "ready" || status === "wait" || status === "end"

/**
 * While it connects, a driver keeps commands and sends them later, when no caller waits for the answer any more: an outage
 * would fill the memory of a client that may do so without a limit.
 */
const whenItTakesCommands = (client: RedisClient): Effect.Effect<void> =>
  Effect.suspend(() => (takesCommands(client) ? Effect.void : Effect.delay(whenItTakesCommands(client), LOOK)))

/**
 * A driver whose SELECT was refused goes on in database 0, where other processes would never find what it writes. Within a
 * script the database is the right one, or the script fails.
 */
const selecting = (database: number): string => (database === 0 ? "" : `redis.call('SELECT', ${database})\n`)

const untrusted =
  "This process does not trust Redis's certificate: name the file of its authority in NODE_EXTRA_CA_CERTS."

const hints: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: untrusted,
  ERR_TLS_CERT_ALTNAME_INVALID: "Redis's certificate is for another host name than that of the URL.",
  NOAUTH: "Redis asks for a password: put it into the URL.",
  NOPERM: "The Redis user lacks a right that the store needs.",
  OOM: "Redis is out of memory.",
  READONLY: "This Redis is a replica: connect to its primary.",
  SELF_SIGNED_CERT_IN_CHAIN: untrusted,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: untrusted,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: untrusted,
  WRONGPASS: "Redis refuses the user name or the password."
}

/** Hints for a connection that was never ready. Later, the same code may only mean that the server restarts. */
const hintsBeforeReady: Readonly<Record<string, string>> = {
  ECONNRESET: "Redis closed the connection: if it speaks TLS only, the URL must begin with rediss://."
}

/** A code of the system (`ECONNREFUSED`) or the first word of Redis's own answer (`OOM`). */
export const codeOf = (error: unknown): Option.Option<string> =>
  Option.orElse(replyCode(error), () => systemCode(error))

const messageOf = (error: unknown): string =>
  Predicate.hasProperty(error, "message") && typeof error.message === "string" ? error.message : ""

/**
 * The driver gave up because the connection was closed for no known reason. Its error is recognised by the message: a minified
 * bundle renames the class, and with it the `name`.
 */
export const closedCode = (error: unknown): Option.Option<string> =>
  messageOf(error).startsWith("Reached the max retries per request limit") ? Option.some("ECONNRESET") : Option.none()

/** What Redis up to 7.0, and later versions, say if a script lacks a right. The error has no code of its own. */
const scriptLacksRight = /The user executing the script can't|ACL failure in script/

/** The driver adds the command to what Redis answered it with. The class may be renamed, as above. */
const isReply = (error: unknown): boolean =>
  Predicate.hasProperty(error, "command") || (Predicate.hasProperty(error, "name") && error.name === "ReplyError")

/** Redis 6 puts the code of a command that a script was refused behind a text of its own. */
const replyCode = (error: unknown): Option.Option<string> => {
  if (!isReply(error)) return Option.none()
  const message = messageOf(error)
  if (scriptLacksRight.test(message)) return Option.some("NOPERM")
  return Option.fromNullable(/: -([A-Z]{3,20})\b/.exec(message)?.[1] ?? /^[A-Z]{3,20}\b/.exec(message)?.[0])
}

/** The error of a refused command carries its arguments, and a message may quote an address: only a code is kept. */
export const unavailable = ({ target, wasReady }: RedisConnection, code: Option.Option<string>): Unavailable =>
  new Unavailable({
    operation: "store",
    reason: "Store",
    target,
    ...present("detail", code),
    ...present(
      "hint",
      Option.flatMap(code, (_) => Option.fromNullable(hints[_] ?? (wasReady() ? undefined : hintsBeforeReady[_])))
    )
  })
