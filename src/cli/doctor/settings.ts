/** Where each setting comes from, whatever the library says of it. */
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as BaseUrl from "../../layers/config/BaseUrl.js"
import * as Setting from "../../layers/config/Setting.js"
import * as Nomba from "../../layers/Nomba.js"
import * as NombaConfigOptions from "../../layers/NombaConfigOptions.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import * as Environment from "../Environment.js"
import { type Given, type Environment as GivenEnvironment, refusals, type Values } from "./values.js"

export interface Settings {
  readonly values: Values
  readonly environment: GivenEnvironment
  /** None unless every setting is right. */
  readonly config: NombaConfigService | undefined
  /** Whether the end user logs in, so that there is no secret. */
  readonly isPublic: boolean
}

/** The variables that the commands read. */
const read = new Set([
  "NOMBA_ACCESS_TOKEN",
  "NOMBA_ACCOUNT_ID",
  "NOMBA_BASE_URL",
  "NOMBA_CLIENT_ID",
  "NOMBA_CLIENT_SECRET",
  "NOMBA_ENVIRONMENT",
  "NOMBA_PRIVATE_KEY",
  "NOMBA_PROXY_KEY",
  "NOMBA_PROXY_URL",
  "NOMBA_TOKEN_STORE",
  "NOMBA_TOKEN_STORE_KEYS"
])

/** The first variable that is set, not trimmed. */
const find = (...names: ReadonlyArray<string>): Effect.Effect<Given | undefined> =>
  Effect.forEach(names, (name) =>
    Effect.map(
      Effect.option(Config.redacted(name)),
      Option.map((value): Given => ({ origin: name, text: Redacted.value(value) }))
    )
  ).pipe(Effect.map((found) => Option.getOrUndefined(Option.firstSomeOf(found))))

const withoutOptions = Effect.configProviderWith((provider) =>
  Effect.succeed({ config: Nomba.defaultConfig, provider, secretOption: Option.none<string>() })
)

const SECRETS = ["NOMBA_CLIENT_SECRET", "NOMBA_PRIVATE_KEY"]

/** `variables` is the environment of this process. */
export const gather = (
  flags: Environment.Flags,
  variables: Readonly<Record<string, string | undefined>>
): Effect.Effect<Settings> =>
  Effect.gen(function* () {
    const sources = yield* Effect.either(Environment.sources(flags))
    const { config: from, provider, secretOption } = Either.isRight(sources) ? sources.right : yield* withoutOptions
    const isPublic = Option.isSome(flags.subject)

    return yield* Effect.gen(function* () {
      const config = yield* Effect.either<NombaConfigService, ConfigError.ConfigError, never>(
        Option.match(flags.subject, {
          onNone: () => NombaConfigOptions.makeConfig(from),
          onSome: (subject) => NombaConfigOptions.makePublicConfig(from, { subject })
        })
      )
      const baseUrl = yield* Effect.either(BaseUrl.choose(Setting.configs(Nomba.defaultConfig), {}))
      const refused = new Map([
        ...Either.match(config, { onLeft: refusals, onRight: () => new Map<string, string>() }),
        ...Either.match(sources, {
          onLeft: ({ message }) => new Map([["NOMBA_CLIENT_SECRET", message]]),
          onRight: () => new Map<string, string>()
        })
      ])
      const clientSecret = Either.isLeft(sources)
        ? undefined
        : yield* find(...Option.match(secretOption, { onNone: () => SECRETS, onSome: (name) => [name] }))
      const others = yield* Effect.forEach(SECRETS, (name) => find(name))
      return {
        values: {
          clientId: yield* find("NOMBA_CLIENT_ID"),
          clientSecret: isPublic ? ("not needed" as const) : clientSecret,
          otherSecret: others.find(
            (other) =>
              other !== undefined && clientSecret !== undefined && other.text.trim() !== clientSecret.text.trim()
          )?.origin,
          accountId: yield* find("NOMBA_ACCOUNT_ID"),
          refused,
          unread: Object.keys(variables).filter((name) => name.startsWith("NOMBA_") && !read.has(name)),
          isNomba: Either.match(baseUrl, { onLeft: () => true, onRight: ({ value }) => BaseUrl.isNombas(value) })
        },
        environment: {
          baseUrl: Option.getOrUndefined(
            Option.map(Either.getRight(baseUrl), ({ origin, value }) => ({ origin, url: value }))
          ),
          refused,
          variables: { baseUrl: variables["NOMBA_BASE_URL"], environment: variables["NOMBA_ENVIRONMENT"] }
        },
        config: Option.getOrUndefined(Either.getRight(config)),
        isPublic
      }
    }).pipe(Effect.withConfigProvider(provider))
  })
