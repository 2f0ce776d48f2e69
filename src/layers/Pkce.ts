/**
 * Logging a person in with an authorization code and a proof key (PKCE): RFC 6749 section 4.1 and RFC 7636, always with
 * S256. Ahead of the live API, whose pages name PKCE as not yet available and publish neither the authorize path nor
 * the names of the parameters: those of the RFCs are used.
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { NombaAuth, Pkce, PublicLogin } from "nomba-auth"
 *
 * const leave = Effect.gen(function* () {
 *   const { pending, url } = yield* Pkce.begin({
 *     clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
 *     redirectUri: "https://shop.example/callback",
 *     environment: "sandbox"
 *   })
 *   return { pending, location: Redacted.value(url) } // keep the first, send the person to the second
 * })
 *
 * const comeBack = (pending: Pkce.PendingLogin, callbackUrl: string) =>
 *   Effect.gen(function* () {
 *     const auth = yield* NombaAuth
 *     const person = yield* PublicLogin
 *     const session = yield* Effect.flatMap(Pkce.callback(pending, callbackUrl), auth.exchange)
 *     yield* person.login(session)
 *   })
 * ```
 *
 * @since 0.1.0
 */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { PendingLogin } from "../schemas/PendingLogin.js"
import * as BaseUrl from "./config/BaseUrl.js"
import * as Setting from "./config/Setting.js"

export { PendingLogin } from "../schemas/PendingLogin.js"
export { callback } from "./pkce/Callback.js"

/**
 * What a login is begun with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** From the Nomba dashboard. There is no secret: whoever can read the program could read it. */
  readonly clientId: string
  /**
   * Where the person comes back to, as it is registered with Nomba: https, a scheme of the program's own, or http to a
   * loopback address, whose port may be another each time (RFC 8252 section 7.3).
   */
  readonly redirectUri: string
  /** Which of Nomba's hosts; `sandbox` by default. */
  readonly environment?: BaseUrl.Environment | undefined
  /** In place of `environment`: https, or http to a loopback address. A trailing slash and `/v1` are ignored. */
  readonly baseUrl?: string | undefined
  /** Below the base URL; `/v1/auth/authorize` by default. */
  readonly authorizePath?: string | undefined
  /** Asked for as it is (RFC 6749 section 3.3); nothing by default. */
  readonly scope?: string | undefined
  /**
   * What Nomba calls itself in a callback (RFC 9207). Given, each callback has to say it; else a callback may leave it
   * out, and may say nothing but the base URL.
   */
  readonly issuer?: string | undefined
}

/**
 * What a login is begun with where the rest comes from the environment.
 *
 * @since 0.1.0
 * @category models
 */
export type Overrides = Omit<Options, "clientId"> & { readonly clientId?: string | undefined }

/**
 * A login that has begun.
 *
 * @since 0.1.0
 * @category models
 */
export interface Begun {
  /** Where the person is sent, in a browser that the person trusts and the program does not control. */
  readonly url: Redacted.Redacted<string>
  /** Kept until the person comes back. */
  readonly pending: PendingLogin
}

/** 32 bytes, which RFC 7636 section 7.1 asks for, from the platform's cryptographic generator: 43 characters. */
const unguessable: Effect.Effect<Redacted.Redacted<string>> = Effect.sync(() =>
  Redacted.make(Encoding.encodeBase64Url(globalThis.crypto.getRandomValues(new Uint8Array(32))))
)

/**
 * A new code verifier (RFC 7636 section 4.1).
 *
 * @since 0.1.0
 * @category constructors
 */
export const verifier: Effect.Effect<Redacted.Redacted<string>> = unguessable

/**
 * A new state (RFC 6749 section 10.12).
 *
 * @since 0.1.0
 * @category constructors
 */
export const state: Effect.Effect<Redacted.Redacted<string>> = unguessable

/**
 * The S256 challenge of a verifier (RFC 7636 section 4.2). It needs WebCrypto, which browsers give to pages that came over
 * https or from a loopback address, and dies without it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const challenge = (verifier: Redacted.Redacted<string>): Effect.Effect<string> =>
  Effect.map(
    Effect.promise(() =>
      globalThis.crypto.subtle.digest("SHA-256", new TextEncoder().encode(Redacted.value(verifier)))
    ),
    (digest) => Encoding.encodeBase64Url(new Uint8Array(digest))
  )

/**
 * Begins a login: where to send the person, and what to keep until the person comes back. A wrong option is a
 * `ConfigError` that names it.
 *
 * It reads no environment: beside `Nomba.layerPublicConfig`, which does, goes `beginConfig`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const begin = (options: Options): Effect.Effect<Begun, ConfigError.ConfigError> =>
  assemble(options, Setting.code)

/**
 * Begins a login at the Nomba, and of the client, that `Nomba.layerPublicConfig` uses with the same overrides: from
 * `NOMBA_CLIENT_ID`, and `NOMBA_BASE_URL` (else `NOMBA_ENVIRONMENT`, else the sandbox). A variable that is missing or
 * wrong is a `ConfigError` that names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const beginConfig = (overrides: Overrides): Effect.Effect<Begun, ConfigError.ConfigError> =>
  assemble(overrides, Setting.environment)

const assemble = (options: Overrides, source: Setting.Source): Effect.Effect<Begun, ConfigError.ConfigError> =>
  Effect.gen(function* () {
    const { authorizePath, baseUrl, clientId, issuer, redirectUri, scope } = yield* check(options, source)
    const pending = new PendingLogin({
      state: yield* state,
      verifier: yield* verifier,
      redirectUri,
      issuer: Option.getOrElse(issuer, () => baseUrl.value),
      issuerRequired: Option.isSome(issuer)
    })
    const url = new URL(`${baseUrl.value}${authorizePath}`)
    const parameters = {
      response_type: "code",
      client_id: clientId.value,
      redirect_uri: redirectUri,
      ...(Option.isSome(scope) ? { scope: scope.value } : {}),
      state: Redacted.value(pending.state),
      code_challenge: yield* challenge(pending.verifier),
      code_challenge_method: "S256"
    }
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value)
    return { url: Redacted.make(url.href), pending }
  })

const check = (options: Overrides, source: Setting.Source) =>
  Effect.all(
    {
      clientId: Effect.flatMap(
        source.require({ option: "clientId", given: options.clientId, variables: ["NOMBA_CLIENT_ID"] }),
        Setting.text
      ),
      baseUrl: BaseUrl.choose(source, options),
      authorizePath: exact("authorizePath", options.authorizePath ?? "/v1/auth/authorize", (path) =>
        /^\/[^?#\\]*$/.test(path) ? undefined : "is not a path that begins with a slash"
      ),
      redirectUri: exact("redirectUri", options.redirectUri, problemOfRedirect),
      scope: optional("scope", options.scope),
      issuer: optional("issuer", options.issuer)
    },
    { mode: "validate" }
  ).pipe(Effect.mapError(Setting.report))

const exact = (
  option: string,
  value: unknown,
  problemOf: (text: string) => string | undefined = () => undefined
): Effect.Effect<string, ConfigError.ConfigError> =>
  Effect.flatMap(Setting.text({ origin: `options.${option}`, value }), ({ origin, value }) => {
    const problem = problemOf(value)
    return problem === undefined ? Effect.succeed(value) : Setting.invalid(origin, problem)
  })

const optional = (option: string, value: unknown): Effect.Effect<Option.Option<string>, ConfigError.ConfigError> =>
  value === undefined ? Effect.succeedNone : Effect.asSome(exact(option, value))

/** RFC 6749 section 3.1.2; the code must not travel in clear beyond this machine. */
const problemOfRedirect = (value: string): string | undefined => {
  if (!URL.canParse(value)) return "is not an absolute URI"
  if (value.includes("#")) return "has a fragment"
  const { hostname, protocol } = new URL(value)
  return protocol === "http:" && !BaseUrl.isLoopback(hostname)
    ? "is plain http, which only a loopback address may be"
    : undefined
}
