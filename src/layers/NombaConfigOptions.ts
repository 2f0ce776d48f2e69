/**
 * `NombaConfig` from options in code, from the environment, or from both.
 *
 * @since 0.1.0
 */
import type * as HttpClient from "@effect/platform/HttpClient"
import type * as ConfigError from "effect/ConfigError"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import type * as Redacted from "effect/Redacted"
import { InvalidRequest, type Unavailable } from "../schemas/AuthError.js"
import * as StoreKey from "../schemas/StoreKey.js"
import { NombaConfig, type NombaConfigService } from "../services/NombaConfig.js"
import type * as BaseUrl from "./config/BaseUrl.js"
import * as Checks from "./config/Checks.js"
import * as Setting from "./config/Setting.js"
import * as Source from "./config/Source.js"

/**
 * What a program says about its Nomba client. Texts must be exact: white space around them, control characters, empty
 * texts and known placeholders (`your_client_id`) are a `ConfigError` that names the option.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** From the Nomba dashboard. */
  readonly clientId: string
  /**
   * From the Nomba dashboard, which calls it "Private Key". An effect is run at each issue, so that a rotated secret needs
   * no restart.
   */
  readonly clientSecret: Redacted.Redacted | Effect.Effect<Redacted.Redacted, Unavailable>
  /** The UUID of the parent account. The live API wants it on every call. */
  readonly accountId?: string | undefined
  /** Which of Nomba's hosts; `sandbox` by default. */
  readonly environment?: BaseUrl.Environment | undefined
  /** In place of `environment`: https, or http to a loopback address. A trailing slash and `/v1` are ignored. */
  readonly baseUrl?: string | undefined
  /** How long before its expiry a token is renewed; 5 minutes by default, 0 for only when it is needed. */
  readonly renewAhead?: Duration.DurationInput | undefined
  /** How long one attempt of a token operation may take: 10 seconds by default, at most 12. */
  readonly requestTimeout?: Duration.DurationInput | undefined
  /** Whether the session is revoked when the last layer that holds it closes; only where no other process shares it. */
  readonly revokeOnClose?: boolean | undefined
  /**
   * Changes the client under both the token operations and `NombaClient`. It sees the headers with their secrets. Neither
   * it nor the client beneath may follow redirects, or repeat a token operation (`HttpClient.retryTransient`): a client
   * of the platform that does is stopped, and another one may leak the credentials or spend a refresh token twice.
   */
  readonly transformClient?: ((client: HttpClient.HttpClient) => HttpClient.HttpClient) | undefined
}

/**
 * What a program says about a public client: one without a secret, whose sessions persons start by logging in.
 *
 * @since 0.1.0
 * @category models
 */
export interface PublicOptions extends Omit<Options, "clientSecret"> {
  /** Whose session it is: the person's or the installation's id in the program. Each has a session of its own. */
  readonly subject: string
}

/**
 * What a program says itself where the rest comes from the environment.
 *
 * @since 0.1.0
 * @category models
 */
export type Overrides = { readonly [Name in keyof Options]?: Options[Name] | undefined }

/**
 * The same for a public client. The environment does not say whose session it is.
 *
 * @since 0.1.0
 * @category models
 */
export type PublicOverrides = Omit<Overrides, "clientSecret"> & Pick<PublicOptions, "subject">

/**
 * Everything from options in code.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  assemble(options, Source.code, confidentialClient)

/**
 * Everything of a public client from options in code.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makePublic = (options: PublicOptions): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  assemble(options, Source.code, publicClient)

/**
 * From `NOMBA_CLIENT_ID`, `NOMBA_CLIENT_SECRET` (else `NOMBA_PRIVATE_KEY`), `NOMBA_ACCOUNT_ID`, and `NOMBA_BASE_URL` (else
 * `NOMBA_ENVIRONMENT`, else the sandbox). A variable in whose place there is an override is not read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeConfig = (overrides: Overrides = {}): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  assemble(overrides, Source.environment, confidentialClient)

/**
 * The same for a public client: no secret is read.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makePublicConfig = (
  overrides: PublicOverrides
): Effect.Effect<NombaConfigService, ConfigError.ConfigError> => assemble(overrides, Source.environment, publicClient)

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: Options): Layer.Layer<NombaConfig, ConfigError.ConfigError> =>
  Layer.effect(NombaConfig, make(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (overrides: Overrides = {}): Layer.Layer<NombaConfig, ConfigError.ConfigError> =>
  Layer.effect(NombaConfig, makeConfig(overrides))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerPublic = (options: PublicOptions): Layer.Layer<NombaConfig, ConfigError.ConfigError> =>
  Layer.effect(NombaConfig, makePublic(options))

/**
 * @since 0.1.0
 * @category layers
 */
export const layerPublicConfig = (overrides: PublicOverrides): Layer.Layer<NombaConfig, ConfigError.ConfigError> =>
  Layer.effect(NombaConfig, makePublicConfig(overrides))

/** What tells a client that has a secret from one that has not, in the words of RFC 6749 section 2.1. */
interface Kind<in Given> {
  readonly grant: "client_credentials" | "authorization_code"
  readonly clientSecret: (given: Given, source: Source.Source) => Setting.Checked<NombaConfigService["clientSecret"]>
  readonly subject: (given: Given) => Effect.Effect<string, ConfigError.ConfigError>
}

const confidentialClient: Kind<Overrides> = {
  grant: "client_credentials",
  clientSecret: ({ clientSecret: given }, source) =>
    Effect.isEffect(given)
      ? Effect.succeed({ origin: "options.clientSecret", value: given })
      : source.require({ option: "clientSecret", given, variables: ["NOMBA_CLIENT_SECRET", "NOMBA_PRIVATE_KEY"] }).pipe(
          Effect.flatMap(Setting.secret),
          Effect.map(({ origin, value }) => ({ origin, value: Effect.succeed(value) }))
        ),
  subject: () => Effect.succeed("")
}

const publicClient: Kind<PublicOverrides> = {
  grant: "authorization_code",
  clientSecret: () => Effect.succeed({ origin: "a public client has none", value: noSecret }),
  subject: ({ subject }) =>
    Effect.map(Setting.text({ origin: "options.subject", value: subject }), ({ value }) => value)
}

const noSecret = new InvalidRequest({
  operation: "issue",
  errors: ["clientSecret: a public client has none, and starts its sessions with PublicLogin"]
})

const assemble = <Given extends Omit<Overrides, "clientSecret">>(
  options: Given,
  source: Source.Source,
  kind: Kind<Given>
): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  Predicate.isRecord(options) ? assembleRecord(options, source, kind) : Setting.invalid("options", "is not an object")

const assembleRecord = <Given extends Omit<Overrides, "clientSecret">>(
  options: Given,
  source: Source.Source,
  kind: Kind<Given>
): Effect.Effect<NombaConfigService, ConfigError.ConfigError> =>
  Effect.all(
    {
      clientId: Effect.flatMap(
        source.require({ option: "clientId", given: options.clientId, variables: ["NOMBA_CLIENT_ID"] }),
        Setting.text
      ),
      clientSecret: kind.clientSecret(options, source),
      subject: kind.subject(options),
      accountId: Effect.flatMap(
        source.find({ option: "accountId", given: options.accountId, variables: ["NOMBA_ACCOUNT_ID"] }),
        Checks.accountId
      ),
      baseUrl: Checks.baseUrl(source, options),
      renewAhead: Checks.duration("renewAhead", options.renewAhead ?? "5 minutes", { minimum: 0, maximum: "1 day" }),
      requestTimeout: Checks.duration("requestTimeout", options.requestTimeout ?? "10 seconds", {
        minimum: 1,
        maximum: "12 seconds"
      }),
      transformClient: Checks.transformClient(options.transformClient)
    },
    { mode: "validate" }
  ).pipe(
    Effect.mapBoth({
      onFailure: Setting.report,
      onSuccess: ({
        accountId,
        baseUrl,
        clientId,
        clientSecret,
        renewAhead,
        requestTimeout,
        subject,
        transformClient
      }) =>
        NombaConfig.of({
          baseUrl: baseUrl.value,
          clientId: clientId.value,
          clientSecret: clientSecret.value,
          accountId: accountId.value,
          renewAhead,
          requestTimeout,
          revokeOnClose: options.revokeOnClose ?? false,
          storeKey: StoreKey.make({
            baseUrl: baseUrl.value,
            clientId: clientId.value,
            grant: kind.grant,
            subject
          }),
          origins: {
            clientId: clientId.origin,
            clientSecret: clientSecret.origin,
            accountId: accountId.origin,
            environment: `${baseUrl.value} ${baseUrl.origin}`
          },
          transformClient
        })
    })
  )
