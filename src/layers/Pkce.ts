/**
 * Login of an end user with an authorization code and a proof key (PKCE): RFC 6749 section 4.1 and RFC 7636, always with
 * S256. Nomba has not released PKCE and publishes neither the authorize path nor the names of the parameters; this
 * implements the RFCs.
 *
 * ```ts
 * import { Effect, Redacted } from "effect"
 * import { NombaAuth, Pkce, PublicLogin } from "nomba-auth"
 *
 * const leave = Effect.gen(function* () {
 *   const { pending, url } = yield* Pkce.authorizationUrl({
 *     clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
 *     redirectUri: "https://shop.example/callback",
 *     environment: "sandbox"
 *   })
 *   return { pending, location: Redacted.value(url) } // keep the first, redirect the user to the second
 * })
 *
 * const comeBack = (pending: Pkce.PendingLogin, callbackUrl: string) =>
 *   Effect.gen(function* () {
 *     const auth = yield* NombaAuth
 *     const publicLogin = yield* PublicLogin
 *     const session = yield* Effect.flatMap(Pkce.callback(pending, callbackUrl), auth.exchange)
 *     yield* publicLogin.login(session)
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
export { callback } from "./PkceCallback.js"

/**
 * Options of a login.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** From the Nomba dashboard. There is no secret, because anyone who can read the program could read it. */
  readonly clientId: string
  /**
   * Where the user returns to, as registered with Nomba: https, a private-use scheme (`com.example.app:/callback`), or http to a
   * loopback address, whose port may be another each time (RFC 8252 section 7.3).
   */
  readonly redirectUri: string
  /** Which of Nomba's hosts. Default: `sandbox`. */
  readonly environment?: BaseUrl.Environment | undefined
  /** Instead of `environment`: https, or http to a loopback address. A trailing slash and `/v1` are ignored. */
  readonly baseUrl?: string | undefined
  /** Below the base URL. Default: `/v1/auth/authorize`. */
  readonly authorizePath?: string | undefined
  /** Sent as it is (RFC 6749 section 3.3). Default: none. */
  readonly scope?: string | undefined
  /**
   * The `iss` of a callback (RFC 9207). If it is given, every callback must contain it; otherwise a callback may leave it
   * out, and if it contains one it must be the base URL.
   */
  readonly issuer?: string | undefined
}

/**
 * Options of a login if the rest comes from the environment.
 *
 * @since 0.1.0
 * @category models
 */
export type Overrides = Omit<Options, "clientId"> & { readonly clientId?: string | undefined }

/**
 * A login that was started.
 *
 * @since 0.1.0
 * @category models
 */
export interface AuthorizationRequest {
  /** Redirect the user to it, in a browser that the user trusts and the program does not control. */
  readonly url: Redacted.Redacted<string>
  /** Keep it until the user returns. */
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
 * Starts a login: the URL to redirect the user to, and what to keep until the user returns. An invalid option is a
 * `ConfigError` that names it.
 *
 * It does not read the environment. Use `authorizationUrlConfig` with `Nomba.layerPublicConfig`, which does.
 *
 * @since 0.1.0
 * @category constructors
 */
export const authorizationUrl = (options: Options): Effect.Effect<AuthorizationRequest, ConfigError.ConfigError> =>
  assemble(options, Setting.code)

/**
 * Starts a login with the client and host that `Nomba.layerPublicConfig` uses with the same overrides: `NOMBA_CLIENT_ID`,
 * and `NOMBA_BASE_URL`, otherwise `NOMBA_ENVIRONMENT`, otherwise the sandbox. A variable that is missing or invalid is a
 * `ConfigError` that names it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const authorizationUrlConfig = (
  overrides: Overrides
): Effect.Effect<AuthorizationRequest, ConfigError.ConfigError> => assemble(overrides, Setting.environment)

const assemble = (
  options: Overrides,
  source: Setting.Source
): Effect.Effect<AuthorizationRequest, ConfigError.ConfigError> =>
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

/** RFC 6749 section 3.1.2 and RFC 8252 section 7. The code must not travel in plaintext beyond this machine. */
const problemOfRedirect = (value: string): string | undefined => {
  if (!URL.canParse(value)) return "is not an absolute URI"
  if (value.includes("#")) return "has a fragment"
  const { hostname, port, protocol } = new URL(value)
  if (port !== "" && BaseUrl.isBlockedPort(Number(port)))
    return `uses port ${port}, which browsers refuse: use another port`
  if (protocol === "https:" || isPrivateUse(protocol)) return undefined
  if (protocol !== "http:") return "has neither https, http nor a private-use scheme such as com.example.app"
  return BaseUrl.isLoopback(hostname) ? undefined : "uses plain http: use https, or http to a loopback address"
}

/** A reversed domain name, which has a dot (RFC 8252 section 7.1): no registered scheme such as `javascript` or `data` has. */
const isPrivateUse = (protocol: string): boolean => /^[a-z][a-z\d+-]*(?:\.[a-z\d+-]+)+:$/.test(protocol)
