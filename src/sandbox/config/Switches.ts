/**
 * If the descriptions of Nomba's API disagree or say nothing, a switch decides. One schema gives the options in code, the
 * configuration file, the control API and the page.
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as AST from "effect/SchemaAST"
import { durationThat, longest } from "./DurationInput.js"
import { mustBe } from "./validationMessages.js"

const oneOf = <const Values extends readonly [AST.LiteralValue, ...ReadonlyArray<AST.LiteralValue>]>(
  values: Values,
  description: string
) =>
  Schema.Literal(...values).annotations({
    description,
    ...mustBe(`one of ${values.join(", ")}`)
  })

const yesOrNo = (description: string) => Schema.Boolean.annotations({ description, ...mustBe("true or false") })

const statuses = [401, 403, 400, 200] as const

const values = {
  dialect: oneOf(
    ["both", "spec", "live"],
    "Which description token responses follow. spec: expires_in and token_type. live: expiresAt and businessId. both: all four."
  ),
  accountHeader: oneOf(
    ["optional", "required", "ignored"],
    "How the accountId header is checked. optional: another account is rejected. required: a missing header is rejected too. ignored: not checked."
  ),
  wrongAccount: oneOf(
    [401, 403],
    "The status for another account's id in the accountId header. A missing header is a 401, a sub-account's id a 403."
  ),
  callerAddress: oneOf(
    ["allowed", "refused"],
    "Whether the caller's IP address is on the allow-list. refused: token requests for a new session get a 403."
  ),
  singleSession: yesOrNo("Whether a new session ends the session that the client had."),
  refreshKillsAccessToken: yesOrNo("Whether a refresh revokes the access token that it replaces."),
  refreshRotation: yesOrNo(
    "Whether a refresh returns a new refresh token and invalidates the old one. false: no refresh token in the response, and the old one stays valid."
  ),
  refreshReuse: oneOf(
    ["refused", "killsSession"],
    "What happens when a used refresh token is sent again. refused: it is rejected. killsSession: its session ends too."
  ),
  refreshBearer: oneOf(
    ["optional", "required", "ignored"],
    "How the bearer token of a refresh is checked. optional: one that is not the session's own is rejected. required: a missing one is rejected too. ignored: not checked."
  ),
  refreshBearerExpired: oneOf(
    ["allowed", "refused"],
    "Whether an expired bearer token is accepted on refresh. Not used if refreshBearer is ignored."
  ),
  revokeBearer: oneOf(
    ["optional", "required"],
    "Whether revoke needs a bearer token. optional: it may be missing, as in Nomba's own guide, but not invalid."
  ),
  revokeMembers: oneOf(
    ["any", "spec", "live"],
    "Which members the body of revoke has. spec: token. live: clientId and access_token. any: either, or all three."
  ),
  revokeUnknownMembers: oneOf(["ignored", "refused"], "Whether other members in the body of revoke are a 400."),
  bearerScheme: oneOf(
    ["any", "bearer"],
    "How the Authorization header is read. any: the token with or without Bearer before it. bearer: only with it."
  ),
  expiredToken: oneOf(
    [401, 400, 500],
    "The status for an expired bearer token. 400 and 500 have the description JWT expired at, as Nomba was seen to answer."
  ),
  badCredentials: oneOf(
    statuses,
    "The status for wrong client credentials. 200: the code 01 in the body is the only sign of the failure."
  ),
  invalidRefreshToken: oneOf(
    [...statuses, 404],
    "The status for an invalid refresh token. 200: the code 02 in the body is the only sign. 404: Refresh Token not found, as Nomba was seen to answer."
  ),
  accessLifetime: durationThat(
    (millis) => millis >= 1000 && millis <= longest && millis % 1000 === 0,
    "a number of whole seconds, at least one and at most ten years",
    { description: "Lifetime of a new access token." }
  ),
  refreshLifetime: durationThat((millis) => millis > 0 && millis <= longest, "more than zero and at most ten years", {
    description: "Lifetime of a new refresh token. Nomba does not document one."
  }),
  clockOffset: Schema.Number.pipe(Schema.filter((millis) => Math.abs(millis) <= longest)).annotations({
    description: "How far the sandbox's clock is ahead of the machine's, in milliseconds. Negative: behind.",
    ...mustBe("milliseconds, at most ten years either way")
  }),
  rateLimit: oneOf(
    ["off", "regular", "lowTraffic"],
    "How many POST requests an account may send, token requests included, in windows that start on the full second or minute. regular: 15 a second. lowTraffic: 1 a minute."
  ),
  transferOutcome: oneOf(
    ["success", "pending", "failed"],
    "What becomes of a new bank transfer. pending: PENDING_BILLING, and SUCCESS a minute later by the sandbox's clock. failed: FAILED, and no money moves."
  )
}

const withDefault = <A, I>(
  value: Schema.Schema<A, I>,
  standard: NoInfer<A>
): Schema.optionalWith<Schema.Schema<A, I>, { default: () => A }> =>
  Schema.optionalWith(value, { default: () => standard })

/**
 * Every switch and its default. Decoding some of the switches fills in the others.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Switches = Schema.Struct({
  dialect: withDefault(values.dialect, "both"),
  accountHeader: withDefault(values.accountHeader, "optional"),
  wrongAccount: withDefault(values.wrongAccount, 401),
  callerAddress: withDefault(values.callerAddress, "allowed"),
  singleSession: withDefault(values.singleSession, true),
  refreshKillsAccessToken: withDefault(values.refreshKillsAccessToken, true),
  refreshRotation: withDefault(values.refreshRotation, true),
  refreshReuse: withDefault(values.refreshReuse, "refused"),
  refreshBearer: withDefault(values.refreshBearer, "optional"),
  refreshBearerExpired: withDefault(values.refreshBearerExpired, "allowed"),
  revokeBearer: withDefault(values.revokeBearer, "optional"),
  revokeMembers: withDefault(values.revokeMembers, "any"),
  revokeUnknownMembers: withDefault(values.revokeUnknownMembers, "ignored"),
  bearerScheme: withDefault(values.bearerScheme, "any"),
  expiredToken: withDefault(values.expiredToken, 401),
  badCredentials: withDefault(values.badCredentials, 401),
  invalidRefreshToken: withDefault(values.invalidRefreshToken, 401),
  accessLifetime: withDefault(values.accessLifetime, Duration.toMillis("30 minutes")),
  refreshLifetime: withDefault(values.refreshLifetime, Duration.toMillis("24 hours")),
  clockOffset: withDefault(values.clockOffset, 0),
  rateLimit: withDefault(values.rateLimit, "off"),
  transferOutcome: withDefault(values.transferOutcome, "success")
})

/**
 * How a sandbox behaves. Times are milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Switches extends Schema.Schema.Type<typeof Switches> {}

/**
 * Some of the switches. A duration may be text such as `30 minutes`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SwitchesInput extends Schema.Schema.Encoded<typeof Switches> {}

export const SwitchesView = Schema.Struct(values).annotations({
  identifier: "Switches",
  description: "How the sandbox behaves. Times are milliseconds."
})

/** Some of the switches; those left out do not change. */
export const SwitchesPatch = Schema.partial(Schema.Struct(values)).annotations({
  identifier: "SwitchesPatch",
  description: "The switches to change; the others stay. A duration is milliseconds, or text such as `30 minutes`."
})

/**
 * A switch, for the page and the manual.
 */
export interface SwitchDescription {
  readonly name: keyof Switches
  readonly description: string
  /** Its values; empty if it is a time. */
  readonly values: ReadonlyArray<string | number | boolean>
  readonly standard: string | number | boolean
}

const literals = (ast: AST.AST): ReadonlyArray<string | number | boolean> =>
  AST.isUnion(ast)
    ? ast.types.flatMap(literals)
    : AST.isBooleanKeyword(ast)
      ? [true, false]
      : AST.isLiteral(ast) && ast.literal !== null && typeof ast.literal !== "bigint"
        ? [ast.literal]
        : []

const defaults: Switches = Schema.decodeSync(Switches)({})

/**
 * The switches in the order of the documentation, the default first among the values.
 */
export const descriptions: ReadonlyArray<SwitchDescription> = (
  Object.keys(values) as ReadonlyArray<keyof Switches>
).map((name) => ({
  name,
  description: String(values[name].ast.annotations[AST.DescriptionAnnotationId] ?? ""),
  values: literals(values[name].ast),
  standard: defaults[name]
}))
