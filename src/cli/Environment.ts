/**
 * What every command gets from its surroundings: the settings, the token store and the client.
 *
 * To add a command, write a file that exports a `command` of `@effect/cli`, and add a line to the list in `Cli.ts`, which loads
 * it when it is called:
 *
 * ```ts
 * const flags = { ...Environment.flags, json: Options.boolean("json") }
 *
 * export const command = Command.make("name", flags, (given) =>
 *   Effect.gen(function* () {
 *     const cache = yield* TokenCache // or NombaClient, NombaAuth, TokenStore, NombaConfig
 *     yield* Output.say("for a person, on stderr")
 *     yield* Output.result("the result, on stdout")
 *   }).pipe(Effect.provide(Environment.layer(given)))
 * ).pipe(Command.withDescription(CommandLine.describe("What it does.", ["nomba-auth name --json"])))
 * ```
 *
 * - Fail with an `AuthError`, a `ConfigError` or `ExitCode.UsageError`: `Cli.ts` prints the message on stderr and ends with the
 *   exit code. `ExitCode.Ended` ends with a code of your own and prints nothing.
 * - Before anything that ends other programs' session, `yield* Output.confirm("This ends …", given)` with `...Output.yesFlag` among the flags.
 * - A command that runs until it is stopped begins with `ExitCode.untilStopped`: SIGINT and SIGTERM then end it with 0.
 * - What follows `--` is in `CommandLine.Program`, and not among the arguments.
 */
import { readFileSync, statSync } from "node:fs"
import { text } from "node:stream/consumers"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import type * as HttpClient from "@effect/platform/HttpClient"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as ConfigProvider from "effect/ConfigProvider"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Setting from "../layers/config/Setting.js"
import * as Nomba from "../layers/Nomba.js"
import * as NombaConfigOptions from "../layers/NombaConfigOptions.js"
import { problemOf } from "../schemas/SafeText.js"
import type { NombaConfig } from "../services/NombaConfig.js"
import type { TokenStore } from "../services/TokenStore.js"
import { optional } from "./CommandLine.js"
import { UsageError } from "./ExitCode.js"
import * as Output from "./Output.js"
import { tokenStore } from "./tokenStore.js"

export { tokenStore, tokenStoreName } from "./tokenStore.js"

/** Checked at once, so that the message names the option. */
export const subject = Options.text("subject").pipe(
  Options.mapEffect((name) => {
    const problem = problemOf(name)
    return problem === undefined
      ? Effect.succeed(name)
      : Effect.fail(ValidationError.invalidValue(HelpDoc.p(`--subject ${problem}`)))
  })
)

/** The options of every command that talks to Nomba. All other settings are `NOMBA_*` in the environment. */
export const flags = {
  clientSecretFile: optional(
    Options.text("client-secret-file"),
    "PATH",
    "Read the client secret from this file, which only you may read; - is the standard input."
  ),
  clientSecret: optional(
    Options.redacted("client-secret"),
    "SECRET",
    "The client secret. Other users of this machine can see it in the process list."
  ),
  subject: optional(
    subject,
    "NAME",
    "Use the session of `nomba-auth login --subject NAME`, which needs no client secret."
  )
}

export interface Flags {
  readonly clientSecret: Option.Option<Redacted.Redacted>
  readonly clientSecretFile: Option.Option<string>
  readonly subject: Option.Option<string>
}

/** A secret from a file that only this user can read. `name` is the option that named it. */
export const readSecretFile = (name: string, path: string): Effect.Effect<Redacted.Redacted, UsageError> =>
  Effect.try({
    try: () => ({ mode: statSync(path).mode, content: readFileSync(path, "utf8") }),
    catch: (error) =>
      new UsageError({ message: `${name} ${path}: cannot be read (${(error as NodeJS.ErrnoException).code})` })
  }).pipe(
    Effect.filterOrFail(
      ({ mode }) => process.platform === "win32" || (mode & 0o077) === 0,
      ({ mode }) =>
        new UsageError({
          message: `${name} ${path}: other users may read it (mode ${(mode & 0o777).toString(8)}): chmod 600 it`
        })
    ),
    Effect.map(({ content }) => Redacted.make(content.trim()))
  )

/** The standard input, as a secret. A terminal would show what is typed. */
const readSecretStdin = (name: string): Effect.Effect<Redacted.Redacted, UsageError> =>
  process.stdin.isTTY
    ? Effect.fail(new UsageError({ message: `${name} -: the standard input is a terminal: pipe the secret into it` }))
    : Effect.map(
        Effect.promise(() => text(process.stdin)),
        (content) => Redacted.make(content.trim())
      )

/** The same, or the standard input if the path is `-`. */
export const readSecret = (name: string, path: string): Effect.Effect<Redacted.Redacted, UsageError> =>
  Effect.filterOrFail(
    path === "-" ? readSecretStdin(name) : readSecretFile(name, path),
    (secret) => Redacted.value(secret) !== "",
    () => new UsageError({ message: `${name} ${path}: ${path === "-" ? "the standard input" : "the file"} is empty` })
  )

interface GivenSecret {
  readonly origin: string
  readonly value: Redacted.Redacted
}

const secretOf = ({
  clientSecret,
  clientSecretFile,
  subject
}: Flags): Effect.Effect<Option.Option<GivenSecret>, UsageError> =>
  Effect.gen(function* () {
    const given = Option.isSome(clientSecret) || Option.isSome(clientSecretFile)
    if (given && Option.isSome(subject)) {
      return yield* new UsageError({ message: "--subject needs no client secret: leave one of the two out" })
    }
    if (Option.isSome(clientSecretFile)) {
      if (Option.isSome(clientSecret)) {
        return yield* new UsageError({ message: "--client-secret and --client-secret-file: give one of the two" })
      }
      const name = "--client-secret-file"
      const path = clientSecretFile.value
      return Option.some({
        origin: name,
        value: yield* readSecret(name, path)
      })
    }
    if (Option.isNone(clientSecret)) return Option.none()
    yield* Output.say(
      "warning: other users of this machine can see --client-secret in the process list: use NOMBA_CLIENT_SECRET or --client-secret-file"
    )
    return Option.some({ origin: "--client-secret", value: clientSecret.value })
  })

/** What a command sets itself. */
export interface Overrides {
  /** Variables that come before those of the environment, such as `NOMBA_BASE_URL` of a sandbox that the command started. */
  readonly variables?: Readonly<Record<string, string>> | undefined
  /**
   * For a command that runs on: the session is renewed in the background, and what goes wrong there is said on stderr. Default:
   * 0, because a renewal in the background would end the token that a command has just printed.
   */
  readonly renewAhead?: Duration.DurationInput | undefined
  /** Default: the one that the environment names. */
  readonly tokenStore?: Layer.Layer<TokenStore> | undefined
  /** Sends the token requests. Default: `fetch`, which takes 10 MiB of a process that has no other use for it. */
  readonly httpClient?: Layer.Layer<HttpClient.HttpClient> | undefined
}

/** An option is read as a variable of its own name, so that messages name the option. */
const providerOf = (
  secret: Option.Option<GivenSecret>,
  { variables = {} }: Overrides
): Effect.Effect<ConfigProvider.ConfigProvider> => {
  const given = new Map([
    ...Object.entries(variables),
    ...Option.toArray(secret).map(({ origin, value }): [string, string] => [origin, Redacted.value(value)])
  ])
  return Effect.configProviderWith((environment) =>
    Effect.succeed(ConfigProvider.orElse(ConfigProvider.fromMap(given), () => environment))
  )
}

const withProvider =
  (secret: Option.Option<GivenSecret>, overrides: Overrides) =>
  <A, E, R>(layer: Layer.Layer<A, E, R>): Layer.Layer<A, E, R> =>
    Layer.provide(layer, Layer.unwrapEffect(Effect.map(providerOf(secret, overrides), Layer.setConfigProvider)))

const configOf = (secret: Option.Option<GivenSecret>, { renewAhead = 0 }: Overrides) => ({
  ...Nomba.defaultConfig,
  ...(Option.isSome(secret) ? { clientSecret: Setting.variable(secret.value.origin) } : {}),
  renewAhead: Config.succeed(renewAhead)
})

/** The settings before any of them is checked, for `doctor`. */
export interface Sources {
  readonly config: ReturnType<typeof configOf>
  readonly provider: ConfigProvider.ConfigProvider
  /** The option that gave the client secret. */
  readonly secretOption: Option.Option<string>
}

/** Fails only if the options for the client secret cannot be followed. Reads its file or the standard input. */
export const sources = (flags: Flags): Effect.Effect<Sources, UsageError> =>
  Effect.gen(function* () {
    const secret = yield* secretOf(flags)
    return {
      config: configOf(secret, {}),
      provider: yield* providerOf(secret, {}),
      secretOption: Option.map(secret, ({ origin }) => origin)
    }
  })

type Failure = UsageError | ConfigError.ConfigError

/** What finds the stored session, and the token store. No client secret is read. */
export const layerSettings = ({ subject }: Flags): Layer.Layer<NombaConfig | TokenStore, ConfigError.ConfigError> =>
  Option.match(subject, {
    onNone: () => NombaConfigOptions.layerConfig(Nomba.defaultConfig, { clientSecret: Effect.never }),
    onSome: (subject) => NombaConfigOptions.layerPublicConfig(Nomba.defaultPublicConfig, { subject })
  }).pipe(Layer.merge(tokenStore))

/** The client, its checked settings and the token store. */
export const layer = (
  flags: Flags,
  overrides: Overrides = {}
): Layer.Layer<Nomba.Services | NombaConfig | TokenStore, Failure> =>
  Layer.unwrapEffect(
    Effect.map(
      Effect.zipRight(overrides.renewAhead === undefined ? Effect.void : Output.log, secretOf(flags)),
      (secret) =>
        Option.match(flags.subject, {
          onNone: (): Client => Nomba.layerConfig(configOf(secret, overrides)),
          onSome: (subject): Client => Nomba.layerPublicConfig(configOf(secret, overrides), { subject })
        }).pipe(
          Layer.merge(settings(flags, secret, overrides)),
          Layer.provideMerge(overrides.tokenStore ?? tokenStore),
          Layer.provide(overrides.httpClient ?? FetchHttpClient.layer),
          withProvider(secret, overrides)
        )
    )
  )

/** The client of `login`, which asks an end user to log in as the subject. */
export const layerPublic = (
  subject: string
): Layer.Layer<Nomba.PublicServices | NombaConfig | TokenStore, ConfigError.ConfigError> =>
  Nomba.layerPublicConfig(Nomba.defaultPublicConfig, { subject }).pipe(
    Layer.merge(NombaConfigOptions.layerPublicConfig(Nomba.defaultPublicConfig, { subject })),
    Layer.provideMerge(tokenStore),
    Layer.provide(FetchHttpClient.layer)
  )

type Client = Layer.Layer<Nomba.Services, ConfigError.ConfigError, TokenStore | HttpClient.HttpClient>

const settings = (
  { subject }: Flags,
  secret: Option.Option<GivenSecret>,
  overrides: Overrides
): Layer.Layer<NombaConfig, ConfigError.ConfigError> =>
  Option.match(subject, {
    onNone: () => NombaConfigOptions.layerConfig(configOf(secret, overrides)),
    onSome: (subject) => NombaConfigOptions.layerPublicConfig(configOf(secret, overrides), { subject })
  })
