/** The checks of `nomba-auth doctor`, in their order. */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as StoreChoice from "../../layers/config/StoreChoice.js"
import * as TokenStoreFile from "../../layers/TokenStoreFile.js"
import { interruptInBackground } from "../../layers/time.js"
import { Unavailable } from "../../schemas/AuthError.js"
import type { Session } from "../../schemas/Session.js"
import { TokenStore } from "../../services/TokenStore.js"
import * as Environment from "../Environment.js"
import * as ExitCode from "../ExitCode.js"
import { stateFolder } from "../stateFolder.js"
import * as Answer from "./answer.js"
import { type Finding, failed, ok, problem, type Result, skipped, warning } from "./Finding.js"
import * as Login from "./login.js"
import * as network from "./network.js"
import type { Settings } from "./settings.js"
import * as store from "./store.js"
import * as values from "./values.js"

/** What the checks start from. */
export interface DoctorContext {
  readonly settings: Settings
  /** The environment of this process. */
  readonly variables: Readonly<Record<string, string | undefined>>
  readonly node: network.NodeProxy
  /** How long each step over the network may take. */
  readonly stepTimeout: Duration.Duration
  /** Whether to try the credentials with a token request. */
  readonly login: boolean
}

/** What a check leaves for those after it. */
interface Known {
  readonly unusedProxy?: string | undefined
  /** The proxy resolves names and connects. */
  readonly isProxied?: boolean
  /** The check that found no way to the server. */
  readonly cutBy?: string
  readonly clockAhead?: Option.Option<number>
  readonly store?: store.Store
  /** A session whose lifetime is not over. */
  readonly session?: Session
  /** When it began, and which program stored it. */
  readonly issued?: string | undefined
}

interface Outcome {
  readonly finding: Finding
  readonly known?: Known
}

type Needs = HttpClient.HttpClient | Scope.Scope

/** One line of the report. */
export interface Check {
  readonly name: string
  readonly run: (known: Known) => Effect.Effect<Outcome, never, Needs>
}

const pure = (name: string, finding: () => Finding): Check => ({
  name,
  run: () => Effect.sync(() => ({ finding: finding() }))
})

/** The oldest Node.js that the package supports. */
export const OLDEST_NODE = "20.19"

export const nodeVersion = (version: string): Finding => {
  const [major = 0, minor = 0] = version.split(".").map(Number)
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE.split(".").map(Number)
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
    ? ok(version)
    : problem(ExitCode.USAGE, `${version} is too old`, `install Node ${OLDEST_NODE} or later`)
}

/** A step on the way to the server, which says nothing if an earlier one failed. */
const onTheWay = (
  { settings: { environment }, stepTimeout }: DoctorContext,
  name: string,
  run: (steps: network.Steps, known: Known) => Effect.Effect<Outcome, never, Needs>
): Check => ({
  name,
  run: (known) =>
    Effect.gen(function* () {
      if (environment.baseUrl === undefined) return { finding: skipped("see environment") }
      if (known.cutBy !== undefined) return { finding: skipped(`see ${known.cutBy}`) }
      const url = new URL(environment.baseUrl.url)
      const { finding, known: more } = yield* run({ url, stepTimeout, unusedProxy: known.unusedProxy }, known)
      return { finding, known: { ...more, ...(finding.level === "problem" ? { cutBy: name } : {}) } }
    })
})

const direct = (context: DoctorContext, name: string, run: (steps: network.Steps) => Effect.Effect<Finding>): Check =>
  onTheWay(context, name, (steps, { isProxied }) =>
    isProxied
      ? Effect.succeed({ finding: skipped("the proxy does this") })
      : Effect.map(run(steps), (finding) => ({ finding }))
  )

const proxy = ({ node, settings: { environment }, variables }: DoctorContext): Check => ({
  name: "proxy",
  run: () =>
    Effect.sync(() => {
      if (environment.baseUrl === undefined) return { finding: skipped("see environment") }
      const { finding, isUsed, unused } = network.proxy(variables, environment.baseUrl.url, node)
      return { finding, known: { isProxied: isUsed, unusedProxy: unused } }
    })
})

/** Where the base URL is from is known also if other settings are wrong. */
const targetOf = ({ settings: { config, environment } }: DoctorContext, baseUrl: string): Answer.Target =>
  config ?? {
    baseUrl,
    origins: {
      clientId: "not set",
      clientSecret: "not set",
      accountId: "not set",
      environment: `${baseUrl} ${environment.baseUrl?.origin ?? ""}`
    }
  }

const answer = (context: DoctorContext): Check =>
  onTheWay(context, "answer", ({ stepTimeout, url }) =>
    Effect.match(Answer.ask(targetOf(context, url.href.replace(/\/$/, "")), { stepTimeout }), {
      onFailure: (error) => ({ finding: failed(error) }),
      onSuccess: (answer) => ({
        finding: Answer.answerWithoutToken(answer),
        known: { clockAhead: answer.clockAhead }
      })
    })
  )

const clock: Check = {
  name: "clock",
  run: ({ clockAhead, cutBy }) =>
    Effect.succeed({
      finding:
        clockAhead === undefined
          ? skipped(`see ${cutBy ?? "environment"}`)
          : Option.match(clockAhead, { onNone: () => skipped("the answer has no usable Date"), onSome: Answer.clock })
    })
}

const openStore: Effect.Effect<store.Store, ConfigError.ConfigError, Scope.Scope> = Effect.gen(function* () {
  const choice = yield* StoreChoice.find
  const name = yield* Environment.tokenStoreName
  const service = Context.get(yield* Layer.build(Environment.tokenStore), TokenStore)
  if (Option.isNone(choice)) {
    const { isTemporary, path } = stateFolder()
    return { kind: "file", name, service, folder: path, isTemporary }
  }
  const { kind } = choice.value
  return kind === "file"
    ? { kind, name, service, folder: yield* TokenStoreFile.directoryFromEnvironment }
    : { kind, name, service }
})

const tokenStore: Check = {
  name: "token store",
  run: () =>
    Effect.gen(function* () {
      const opened = yield* Effect.either(openStore)
      if (Either.isLeft(opened)) return { finding: values.refused(store.notConfigured(opened.left)) }
      const finding = yield* store.rights(opened.right)
      return finding.level === "problem" ? { finding } : { finding, known: { store: opened.right } }
    })
}

const session = ({ settings: { config } }: DoctorContext): Check => ({
  name: "session",
  run: ({ store: opened }) =>
    Effect.gen(function* () {
      if (opened === undefined) return { finding: skipped("see token store") }
      if (config === undefined) return { finding: skipped("see the settings") }
      const state = yield* Effect.flatMap(
        opened.service.open(config.storeKey, config.requestTimeout),
        ({ readVersioned }) => readVersioned
      ).pipe(Effect.scoped, Effect.either)
      if (Either.isLeft(state)) return { finding: failed(state.left) }
      const now = yield* DateTime.now
      const writer = yield* store.lastWriter(opened, config.storeKey)
      const finding = store.session(state.right, now, writer)
      const live = Option.filter(state.right.stored, ({ remaining }) => Duration.greaterThan(remaining, Duration.zero))
      return Option.match(live, {
        onNone: (): Outcome => ({ finding }),
        onSome: (stored) => ({
          finding,
          known: { session: stored.session, issued: store.issued(stored, now, writer) }
        })
      })
    })
})

/** Longer than a renewal may take. */
const LOGIN_LIMIT = Duration.seconds(35)

const login = ({ login: isAsked, settings: { config, isPublic } }: DoctorContext): Check => ({
  name: "login",
  run: ({ cutBy, store: opened }) =>
    Effect.gen(function* () {
      if (isPublic) return { finding: skipped("an end user logs in with `nomba-auth login`") }
      if (!isAsked) {
        return {
          finding: skipped(
            "not tried: --login tries the credentials, and ends the session of every other program that uses them"
          )
        }
      }
      if (config === undefined) return { finding: skipped("see the settings") }
      if (cutBy !== undefined) return { finding: skipped(`see ${cutBy}`) }
      if (opened === undefined) return { finding: skipped("a new token could not be stored: see token store") }
      return yield* Login.login(config, opened.service).pipe(
        Effect.timeoutFail({
          duration: LOGIN_LIMIT,
          onTimeout: () => new Unavailable({ operation: "issue", reason: "Timeout" })
        }),
        Effect.matchEffect({
          onFailure: (error) => Effect.map(Login.whyRefused(error, config), (finding): Outcome => ({ finding })),
          onSuccess: ({ remaining, saved, session }) =>
            Effect.succeed({
              finding: saved
                ? ok(`Nomba accepts the credentials; the new token is stored, and valid for ${store.about(remaining)}`)
                : warning(
                    "Nomba accepts the credentials, and the new token could not be stored",
                    "see token store; until it is repaired, other programs have to log in again"
                  ),
              known: { session, issued: undefined }
            })
        })
      )
    })
})

const token = (context: DoctorContext): Check => ({
  name: "token",
  run: ({ cutBy, issued, session }) =>
    Effect.gen(function* () {
      const { settings, stepTimeout } = context
      const { config } = settings
      if (config === undefined) return { finding: skipped("see the settings") }
      if (cutBy !== undefined) return { finding: skipped(`see ${cutBy}`) }
      if (session === undefined) return { finding: skipped("no session whose token could be tried") }
      const { accountId, origins } = config
      const ask = (accountId: Option.Option<string>) =>
        Effect.match(Answer.ask(config, { accountId, stepTimeout, token: session.accessToken }), {
          onFailure: (error) => Either.left(error),
          onSuccess: ({ outcome }) => outcome
        })
      const own = yield* ask(accountId)
      const bare = Answer.isRefused(own) && Option.isSome(accountId) ? yield* ask(Option.none()) : undefined
      return { finding: Answer.tokenOutcome(own, bare, origins.accountId, issued) }
    })
})

export const checksOf = (context: DoctorContext): ReadonlyArray<Check> => {
  const { node, settings, variables } = context
  return [
    pure("Node", () => nodeVersion(node.version)),
    pure("client id", () => values.clientId(settings.values)),
    pure("client secret", () => values.clientSecret(settings.values)),
    pure("account id", () => values.accountId(settings.values)),
    pure("environment", () => values.environment(settings.environment)),
    proxy(context),
    direct(context, "DNS", network.dns),
    direct(context, "connection", network.connection),
    direct(context, "TLS", (steps) => network.tls(steps, variables)),
    answer(context),
    clock,
    tokenStore,
    session(context),
    login(context),
    token(context)
  ]
}

const defect: Outcome = {
  finding: problem(ExitCode.UNEXPECTED, "the check failed", "report it: this is a defect of nomba-auth")
}

/** Longer than the time-outs of the steps of any check. */
const CHECK_LIMIT = Duration.seconds(90)

const stuck: Outcome = {
  finding: problem(
    ExitCode.UNAVAILABLE,
    `no result within ${Duration.toSeconds(CHECK_LIMIT)} s`,
    "try again: this machine is busy, or a disk or server hangs"
  )
}

/** Makes the checks one after the other, and hands on each result at once. */
export const runAll = <E, R>(
  checks: ReadonlyArray<Check>,
  onResult: (result: Result) => Effect.Effect<void, E, R>
): Effect.Effect<ReadonlyArray<Result>, E, R | HttpClient.HttpClient> =>
  Effect.scoped(
    Effect.gen(function* () {
      const results: Array<Result> = []
      let known: Known = {}
      for (const { name, run } of checks) {
        const { finding, known: more } = yield* run(known).pipe(
          Effect.catchAllDefect(() => Effect.succeed(defect)),
          interruptInBackground,
          Effect.timeoutTo({ duration: CHECK_LIMIT, onSuccess: (outcome) => outcome, onTimeout: () => stuck })
        )
        known = { ...known, ...more }
        const result = { check: name, ...finding }
        results.push(result)
        yield* onResult(result)
      }
      return results
    })
  )
