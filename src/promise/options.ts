/**
 * The options of `createNomba` and of its `request`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as StoreChoice from "../layers/config/StoreChoice.js"
import * as NombaConfigOptions from "../layers/NombaConfigOptions.js"
import { Unavailable } from "../schemas/AuthError.js"
import type { NombaConfigService } from "../services/NombaConfig.js"
import { type ConfigField, NombaConfigError } from "./errors.js"
import { fromConfigError } from "./failure.js"
import * as NombaStore from "./NombaStore.js"

/**
 * Milliseconds, or a text such as `"5 minutes"`.
 *
 * @since 0.1.0
 * @category models
 */
export type Duration = number | `${number} ${"milli" | "second" | "minute" | "hour" | "day"}${"" | "s"}`

/**
 * Effect also takes a pair for a duration, and a bigint: `[1, 2]` would be 1 second and 2 nanoseconds.
 *
 * @internal
 */
export const numberOrText = (duration: unknown): Duration | undefined =>
  duration === undefined || typeof duration === "number" || typeof duration === "string"
    ? (duration as Duration | undefined)
    : Number.NaN

/**
 * The options of `createNomba`. What you leave out comes from the environment: `NOMBA_CLIENT_ID`, `NOMBA_CLIENT_SECRET` (or
 * `NOMBA_PRIVATE_KEY`), `NOMBA_ACCOUNT_ID`, and `NOMBA_BASE_URL` or `NOMBA_ENVIRONMENT`.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaOptions {
  /** From the Nomba dashboard. */
  readonly clientId?: string | undefined
  /**
   * From the Nomba dashboard, which calls it "Private Key". A function is called whenever a session is started, so that you
   * can rotate the secret without a restart.
   */
  readonly clientSecret?: string | (() => string | Promise<string>) | undefined
  /** The UUID of the parent account. The live API requires it on every call. */
  readonly accountId?: string | undefined
  /** Which of Nomba's hosts to use. Default: `sandbox`. */
  readonly environment?: "sandbox" | "production" | undefined
  /** Replaces `environment`: https, or http to a loopback address. A trailing slash and `/v1` are ignored. */
  readonly baseUrl?: string | undefined
  /** How long before its expiry a token is renewed. Default: 5 minutes, capped at 20 % of the lifetime; 0 turns it off. */
  readonly renewAhead?: Duration | undefined
  /** Timeout of one token request. Default: 10 s, maximum 12 s. */
  readonly requestTimeout?: Duration | undefined
  /** Whether `close` revokes the session. Default: `false`. It cannot be combined with `tokenStore`. */
  readonly revokeOnClose?: boolean | undefined
  /**
   * Where the session is kept: `redisStore(…)` or `fileStore(…)`. Default: the memory of this process, which is right for
   * one process only.
   */
  readonly tokenStore?: NombaStore.NombaStore | undefined
  /**
   * Replaces the global `fetch`, for instance to use a proxy. It must neither retry nor follow redirects, and must end the
   * body of its response when `init.signal` is aborted.
   */
  readonly fetch?: typeof globalThis.fetch | undefined
  /** Where warnings go. Default: `console`. No message contains a secret. */
  readonly logger?: NombaLogger | undefined
  /**
   * Keeps a renewal alive after the request that started it has been answered: on Cloudflare Workers, `waitUntil` of
   * `cloudflare:workers`.
   */
  readonly waitUntil?: ((promise: Promise<unknown>) => void) | undefined
}

/**
 * Where the warnings of the client go. `console`, pino and winston fit.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaLogger {
  readonly warn: (message: string) => void
  readonly error: (message: string) => void
}

/**
 * The options of `request`.
 *
 * @since 0.1.0
 * @category models
 */
export interface NombaRequestOptions {
  /** Default: `POST` if there is a body, otherwise `GET`. */
  readonly method?: string | undefined
  /** Sent as JSON. What JSON would lose is refused: a `Map`, an `Error`, a function, a bigint, `NaN`. */
  readonly body?: unknown
  /** Members that are undefined are left out. */
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>> | undefined
  readonly headers?: HeadersInit | undefined
  /** Ends this call, and never the renewal of the token that other calls wait for. */
  readonly signal?: AbortSignal | undefined
}

/**
 * The options that a function knows. A member that is missing here does not compile.
 *
 * @internal
 */
export type Known<Options> = { readonly [Name in keyof Options]-?: 0 }

/**
 * What is wrong with an options object as such: it is none, or has members that its function does not know. `in` also finds
 * those of an `AbortSignal` that was given in place of `{ signal }`.
 *
 * @internal
 */
export const unknownOptions = (of: string, options: unknown, known: object): ReadonlyArray<ConfigField> => {
  if (options === undefined || options === null) return []
  if (typeof options !== "object") {
    const name = `the options of ${of}`
    return [{ name, message: `${name} must be an object` }]
  }
  const problems: Array<ConfigField> = []
  for (const given in options) {
    if (Object.hasOwn(known, given)) continue
    const names = Object.keys(known)
    const near = names.find((name) => name.toLowerCase() === given.toLowerCase())
    const fix = near === undefined ? `it has ${names.join(", ")}` : `write ${near}`
    problems.push({ name: `options.${given}`, message: `options.${given} is not an option of ${of}: ${fix}` })
  }
  return problems
}

const names: Known<NombaOptions> = {
  clientId: 0,
  clientSecret: 0,
  accountId: 0,
  environment: 0,
  baseUrl: 0,
  renewAhead: 0,
  requestTimeout: 0,
  revokeOnClose: 0,
  tokenStore: 0,
  fetch: 0,
  logger: 0,
  waitUntil: 0
}

/**
 * The checked options.
 *
 * @internal
 */
export interface Settings {
  readonly config: NombaConfigService
  readonly store: NombaStore.StoreParts
  readonly fetch: typeof globalThis.fetch | undefined
  readonly logger: NombaLogger
  readonly waitUntil: ((promise: Promise<unknown>) => void) | undefined
}

/**
 * Throws a `NombaConfigError` with all problems.
 *
 * @internal
 */
export const check = (options: NombaOptions): Settings => {
  const {
    clientSecret,
    fetch,
    logger = globalThis.console,
    tokenStore,
    waitUntil,
    ...plain
  }: { readonly [Name in keyof NombaOptions]: unknown } = options ?? {}
  const problems: Array<ConfigField> = [...unknownOptions("createNomba", options, names)]
  const refuse = (option: string, problem: string): void => {
    problems.push({ name: `options.${option}`, message: `options.${option} ${problem}` })
  }

  if (clientSecret !== undefined && typeof clientSecret !== "string" && typeof clientSecret !== "function") {
    refuse("clientSecret", "must be a string, or a function that returns one")
  }
  if (fetch !== undefined && typeof fetch !== "function") refuse("fetch", "must be a function")
  if (!isLogger(logger)) refuse("logger", "must be an object with the functions warn and error")
  if (waitUntil !== undefined && typeof waitUntil !== "function") refuse("waitUntil", "must be a function")
  const store = tokenStore === undefined ? NombaStore.memory : NombaStore.partsOf(tokenStore)
  if (store === undefined) {
    refuse("tokenStore", "must be what redisStore or fileStore returned")
  } else {
    if (plain.revokeOnClose === true && store.kind !== "memory") {
      refuse("revokeOnClose", "would end the session of the processes that share this token store: leave it out")
    }
    problems.push(...store.problems, ...storeProblems(store))
  }
  const config = Effect.runSync(
    Effect.either(
      NombaConfigOptions.makeWithDefaults({
        ...(plain as Partial<NombaConfigOptions.Options>),
        renewAhead: numberOrText(plain.renewAhead),
        requestTimeout: numberOrText(plain.requestTimeout),
        ...(clientSecret === undefined ? {} : { clientSecret: secretOf(clientSecret) })
      })
    )
  )
  if (Either.isLeft(config)) {
    problems.unshift(
      ...fromConfigError(config.left).fields.filter(({ name }) => !problems.some((known) => known.name === name))
    )
  }
  if (problems.length > 0 || store === undefined || Either.isLeft(config)) throw new NombaConfigError(problems)
  return {
    config: config.right,
    store,
    fetch: fetch as Settings["fetch"],
    logger: logger as NombaLogger,
    waitUntil: waitUntil as Settings["waitUntil"]
  }
}

const isLogger = (value: unknown): value is NombaLogger =>
  Predicate.hasProperty(value, "warn") &&
  Predicate.hasProperty(value, "error") &&
  typeof value.warn === "function" &&
  typeof value.error === "function"

/** A process with a private session would end the session of the fleet that `NOMBA_TOKEN_STORE` was set for. */
const storeProblems = (store: NombaStore.StoreParts): ReadonlyArray<ConfigField> => {
  const found = Effect.runSync(Effect.either(StoreChoice.find))
  if (Either.isLeft(found)) return fromConfigError(found.left).fields
  if (Option.isNone(found.right)) {
    return store.kind === "redis" && store.isFromEnvironment
      ? [
          {
            name: "NOMBA_TOKEN_STORE",
            message: "NOMBA_TOKEN_STORE is not set: set it to a URL like redis://host:6379, or write redisStore(url)"
          }
        ]
      : []
  }
  const { kind, setting } = found.right.value
  const isOfCode = store.kind !== "memory" && !store.isFromEnvironment
  if (isOfCode || kind === store.kind) return []
  const fix =
    kind === "memory"
      ? "leave tokenStore out"
      : `write createNomba({ tokenStore: ${kind}Store() }) and import { ${kind}Store } from "nomba-auth/promise/${kind}"`
  return [{ name: setting.origin, message: `${setting.origin} names another token store than the one in use: ${fix}` }]
}

/** The options are checked before: it is a string or a function. */
const secretOf = (given: unknown): NombaConfigOptions.Options["clientSecret"] => {
  if (typeof given === "string") return Redacted.make(given)
  return typeof given === "function" ? readSecret(() => given()) : Effect.never
}

const readSecret = (read: () => unknown): NombaConfigOptions.SecretSource =>
  Effect.tryPromise({ try: async () => read(), catch: () => unreadable("clientSecret() failed.") }).pipe(
    Effect.flatMap((secret) =>
      typeof secret === "string"
        ? Effect.succeed(Redacted.make(secret))
        : Effect.fail(unreadable("clientSecret() did not return a string."))
    )
  )

const unreadable = (hint: string): Unavailable =>
  new Unavailable({ operation: "issue", reason: "Secret", processed: "no", hint })
