/**
 * What each token request carries: path, body and bearer, and the client secret. Inputs that cannot be sent are refused
 * before anything is sent; a problem names the field and never the value.
 */
import type * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { InvalidRequest, type Operation, type RevokeError, Unavailable } from "../../schemas/AuthError.js"
import { isTransient } from "../../schemas/ErrorMeaning.js"
import { isHeaderSafe, problemOf } from "../../schemas/SafeText.js"
import { Secret } from "../../schemas/Session.js"
import type { ExchangeOptions, RefreshOptions } from "../../services/NombaAuth.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import { interruptInBackground, stallTolerantTimeout } from "../time.js"
import { effectiveStatus } from "./Classification.js"

export interface TokenRequest {
  readonly path: `/v1/auth/token/${"issue" | "refresh" | "revoke"}`
  /** Contains secrets in plaintext. */
  readonly body: object
  readonly bearer?: Redacted.Redacted<string> | undefined
  /** No error may contain these. */
  readonly secrets: ReadonlyArray<Redacted.Redacted<string>>
}

export const issue = <E>(
  clientId: string,
  clientSecret: Effect.Effect<Redacted.Redacted<string>, E>
): Effect.Effect<TokenRequest, E> =>
  Effect.map(clientSecret, (secret) => ({
    path: "/v1/auth/token/issue",
    body: encodeIssue({ grant_type: "client_credentials", client_id: clientId, client_secret: secret }),
    secrets: [secret]
  }))

/** The live API wants the old access token as the bearer, although it may have expired. */
export const refresh = (options: RefreshOptions): Effect.Effect<TokenRequest, InvalidRequest> => {
  const { accessToken, refreshToken } = given(options)
  return Effect.map(
    all("refresh", text("refreshToken", refreshToken), optional(token)("accessToken", accessToken)),
    () => ({
      path: "/v1/auth/token/refresh",
      body: encodeRefresh({ grant_type: "refresh_token", refresh_token: refreshToken }),
      bearer: accessToken,
      secrets: accessToken === undefined ? [refreshToken] : [refreshToken, accessToken]
    })
  )
}

export const exchange = (clientId: string, options: ExchangeOptions): Effect.Effect<TokenRequest, InvalidRequest> => {
  const { code, redirectUri, verifier } = given(options)
  return Effect.map(
    all("exchange", text("code", code), text("verifier", verifier), required("redirectUri", redirectUri)),
    () => ({
      path: "/v1/auth/token/issue",
      body: encodeExchange({
        grant_type: "authorization_code",
        client_id: clientId,
        code,
        code_verifier: verifier,
        redirect_uri: redirectUri
      }),
      secrets: [code, verifier]
    })
  )
}

export type RevokeBody = (accessToken: Redacted.Redacted<string>, clientId: string) => object

/**
 * In the order in which they are tried: the two descriptions of the API disagree, and whether Nomba refuses unknown members
 * is not known.
 */
const revokeBodies: Arr.NonEmptyReadonlyArray<RevokeBody> = [
  (token, clientId) => encodeBoth({ token, clientId, access_token: token }),
  (token) => encodeSpec({ token }),
  (token, clientId) => encodeLive({ clientId, access_token: token })
]

export const revoke = (
  clientId: string,
  accessToken: Redacted.Redacted<string>,
  bearer: Redacted.Redacted<string> | undefined,
  body: RevokeBody
): Effect.Effect<TokenRequest, InvalidRequest> =>
  Effect.map(all("revoke", token("accessToken", accessToken), optional(token)("bearer", bearer)), () => ({
    path: "/v1/auth/token/revoke",
    body: body(accessToken, clientId),
    bearer: bearer ?? accessToken,
    secrets: bearer === undefined ? [accessToken] : [accessToken, bearer]
  }))

/** Reports each missing field also for a caller without types who passed nothing. */
const given = <A extends object>(options: A): A => ({ ...options })

type TryRevokeBodies = (
  send: (body: RevokeBody) => Effect.Effect<void, RevokeError>,
  hasTime: Effect.Effect<boolean>
) => Effect.Effect<void, RevokeError>

/**
 * Tries the bodies of revoke until Nomba accepts one. A body that it refuses goes to the back at once, so that the next
 * revoke begins with another one even if the rate limit allowed a single request.
 */
export const makeTryRevokeBodies = (): TryRevokeBodies => {
  let bodies: ReadonlyArray<RevokeBody> = revokeBodies

  const rotate = (refused: RevokeBody): void => {
    if (bodies[0] === refused) bodies = [...bodies.slice(1), refused]
  }

  return (send, hasTime) =>
    Effect.gen(function* () {
      for (let left = revokeBodies.length; ; left--) {
        const [body = revokeBodies[0]] = bodies
        const error = yield* Effect.match(send(body), { onFailure: (error) => error, onSuccess: () => undefined })
        if (error === undefined) return
        if (!isRefusedBody(error)) return yield* error
        rotate(body)
        if (left <= 1 || !(yield* hasTime)) return yield* error
      }
    })
}

const isRefusedBody = (error: RevokeError): boolean =>
  error._tag === "InvalidRequest" && [400, 422].includes(effectiveStatus(error) ?? 0)

export interface ClientSecret {
  /**
   * Reads the secret within the time-out of one attempt. Fails with `Unavailable` if its source fails, and with
   * `InvalidRequest` if the value cannot be a secret.
   */
  readonly read: Effect.Effect<Redacted.Redacted<string>, InvalidRequest | Unavailable>
  /** The secret if it is known without reading it: Nomba knows it too and may echo it in any response. */
  readonly known: Effect.Effect<Option.Option<Redacted.Redacted<string>>>
}

/** The client secret, read again for each issue. */
export const makeClientSecret = (config: NombaConfigService): Effect.Effect<ClientSecret> =>
  Effect.map(Ref.make(configuredSecret(config)), (known) => ({
    known,
    read: config.clientSecret.pipe(
      Effect.catchAllCause((cause) => Effect.fail(failure(Option.getOrUndefined(Cause.failureOption(cause))))),
      interruptInBackground,
      stallTolerantTimeout({ duration: config.requestTimeout, onTimeout: () => unreadable() }),
      Effect.tap((secret) => all("issue", exactSecret(`clientSecret (${config.origins.clientSecret})`, secret))),
      Effect.tap((secret) => Ref.set(known, Option.some(secret)))
    )
  }))

/** The client secret if it was configured as a value. */
export const configuredSecret = ({ clientSecret }: NombaConfigService): Option.Option<Redacted.Redacted<string>> =>
  Option.filter(constant(clientSecret), (secret) => Redacted.isRedacted(secret))

/** The value of an effect that only succeeds with one: a secret that was configured as a value. */
const constant = <A, E>(effect: Effect.Effect<A, E>): Option.Option<A> =>
  Exit.isExit(effect)
    ? Exit.match(effect as Exit.Exit<A, E>, { onFailure: Option.none, onSuccess: Option.some })
    : Option.none()

const failure = (error?: InvalidRequest | Unavailable): InvalidRequest | Unavailable =>
  error === undefined || isTransient(error) ? unreadable(error) : error

const unreadable = (error?: Unavailable): Unavailable =>
  new Unavailable({ ...error, operation: "issue", reason: "Secret", processed: "no" })

/** Fails if the account id cannot be sent as a header. */
export const checkAccountId = (
  operation: Operation,
  accountId: Option.Option<string>
): Effect.Effect<void, InvalidRequest> => all(operation, header("accountId", Option.getOrUndefined(accountId)))

type Text = string | Redacted.Redacted<string>

type Check = (field: string, input: Text) => Problem

/** What is wrong with an input; none if it is valid. */
type Problem = Option.Option<string>

/** Fails with all problems at once. */
const all = (operation: Operation, ...problems: ReadonlyArray<Problem>): Effect.Effect<void, InvalidRequest> => {
  const errors = problems.flatMap(Option.toArray)
  return errors.length === 0 ? Effect.void : Effect.fail(new InvalidRequest({ operation, errors }))
}

/** Must not be blank. */
const required = (field: string, input: Text): Problem =>
  problem(field, input, (text) => (text.trim() === "" ? "is empty" : undefined))

/** Must fit in a header, or be absent. */
const header = (field: string, input: Text | undefined): Problem =>
  input === undefined
    ? Option.none()
    : problem(field, input, (text) =>
        text === "" ? "is empty" : isHeaderSafe(text) ? undefined : "has characters that a header cannot carry"
      )

/** A setting, which is sent byte for byte. */
const exact = (field: string, input: Text): Problem => problem(field, input, problemOf)

/** Must be redacted, because it would be printed otherwise, and pass the check. */
const secret =
  (check: Check) =>
  (field: string, input: unknown): Problem => {
    if (Redacted.isRedacted(input)) return check(field, input as Redacted.Redacted<string>)
    const what = Predicate.isNullable(input) ? "is missing" : "is not redacted: wrap it in Redacted.make"
    return Option.some(`${field}: ${what}`)
  }

const optional =
  <A>(check: (field: string, input: A) => Problem) =>
  (field: string, input: A | undefined): Problem =>
    input === undefined ? Option.none() : check(field, input)

const problem = (field: string, input: Text, judge: (text: string) => string | undefined): Problem =>
  Option.match(reveal(input), {
    onNone: () => Option.some(`${field}: ${Predicate.isNullable(input) ? "is missing" : "cannot be read"}`),
    onSome: (text) => Option.map(Option.fromNullable(judge(text)), (what) => `${field}: ${what}`)
  })

/** None for a redacted value that was wiped or holds no text. */
const reveal = (input: Text): Option.Option<string> =>
  Option.filter(
    typeof input === "string" ? Option.some(input) : Option.liftThrowable(Redacted.value<unknown>)(input),
    Predicate.isString
  )

const text = secret(required)
const token = secret(header)
const exactSecret = secret(exact)

// The bodies (spec: `paths./v1/auth/token/*`). Their secrets are redacted until the moment they are encoded.

/** `POST /v1/auth/token/issue` with client credentials. */
export const IssueRequest = Schema.Struct({
  grant_type: Schema.Literal("client_credentials"),
  client_id: Schema.String,
  client_secret: Secret
})

/**
 * `POST /v1/auth/token/issue` with an authorization code (RFC 6749 section 4.1.3, RFC 7636 section 4.5). Ahead of the
 * live API, whose pages name PKCE as not yet available.
 */
const ExchangeRequest = Schema.Struct({
  grant_type: Schema.Literal("authorization_code"),
  client_id: Schema.String,
  code: Secret,
  code_verifier: Secret,
  redirect_uri: Schema.String
})

/** `POST /v1/auth/token/refresh`. */
export const RefreshRequest = Schema.Struct({
  grant_type: Schema.Literal("refresh_token"),
  refresh_token: Secret
})

/**
 * `POST /v1/auth/token/revoke`: the spec wants `token`, the live API `clientId` and `access_token`. One body with all
 * three satisfies both, unless unknown members are refused.
 */
const RevokeRequest = {
  both: Schema.Struct({ token: Secret, clientId: Schema.String, access_token: Secret }),
  spec: Schema.Struct({ token: Secret }),
  live: Schema.Struct({ clientId: Schema.String, access_token: Secret })
} as const

const encodeIssue = Schema.encodeSync(IssueRequest)
const encodeRefresh = Schema.encodeSync(RefreshRequest)
const encodeExchange = Schema.encodeSync(ExchangeRequest)
const encodeBoth = Schema.encodeSync(RevokeRequest.both)
const encodeSpec = Schema.encodeSync(RevokeRequest.spec)
const encodeLive = Schema.encodeSync(RevokeRequest.live)
