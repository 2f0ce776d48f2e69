/**
 * Where the sources on Nomba's API disagree or are silent, a switch says how the sandbox behaves. One schema is the
 * source of the options in code, of the configuration file, of the control API and of the page.
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

/** Each switch with the values it takes, the default not among them. */
const values = {
  dialect: oneOf(
    ["both", "spec", "live"],
    "Which description the answers follow: spec says expires_in and token_type, live says expiresAt and businessId, both says all four."
  ),
  accountHeader: oneOf(
    ["optional", "required", "ignored"],
    "What is asked of the accountId header. optional: may be absent, and is a 401 when it is not the client's account. required: absent is a 401 too. ignored: nobody looks."
  ),
  singleSession: yesOrNo("Whether a second issue, or a theft, kills the session that the client had."),
  refreshKillsAccessToken: yesOrNo("Whether a refresh kills the access token that it replaces."),
  refreshRotation: yesOrNo(
    "Whether a refresh answers a new refresh token and spends the old one. Without, the answer has none and the old one stays good."
  ),
  refreshReuse: oneOf(
    ["refused", "killsSession"],
    "What a spent refresh token does when it comes again: it is refused, or it is refused and ends its session too."
  ),
  refreshBearer: oneOf(
    ["optional", "required", "ignored"],
    "What is asked of the bearer token on refresh. optional: may be absent, and is a 401 when it is not the session's own. required: absent is a 401 too. ignored: nobody looks."
  ),
  refreshBearerExpired: oneOf(
    ["allowed", "refused"],
    "Whether the bearer token on refresh, where it is looked at, may be past its expiry."
  ),
  revokeMembers: oneOf(
    ["any", "spec", "live"],
    "Which members revoke takes. spec: token. live: clientId and access_token. any: either, or all three."
  ),
  revokeUnknownMembers: oneOf(["ignored", "refused"], "Whether any other member in the body of revoke is a 400."),
  badCredentials: oneOf(
    statuses,
    "The status that answers wrong client credentials on issue; 200 is a success by status, with the code 01 in the body."
  ),
  deadRefreshToken: oneOf(
    statuses,
    "The status that answers a refresh token that is no good; 200 is a success by status, with the code 02 in the body."
  ),
  accessLifetime: durationThat(
    (millis) => millis >= 1000 && millis <= longest && millis % 1000 === 0,
    "a number of whole seconds, at least one and at most ten years",
    { description: "How long a new access token lives." }
  ),
  refreshLifetime: durationThat(
    (millis) => millis > 0 && millis <= longest,
    "more than nothing and at most ten years",
    { description: "How long a new refresh token lives. Nomba names no figure." }
  ),
  clockOffset: Schema.Number.pipe(Schema.filter((millis) => Math.abs(millis) <= longest)).annotations({
    description: "How far the sandbox's clock is ahead of the machine's, in milliseconds; negative is behind.",
    ...mustBe("milliseconds, at most ten years either way")
  }),
  rateLimit: oneOf(
    ["off", "regular", "lowTraffic"],
    "How many POSTs an account has, token calls included, in windows that start on the full second or minute. regular: 15 a second. lowTraffic: 1 a minute."
  )
}

const withDefault = <A, I>(
  value: Schema.Schema<A, I>,
  standard: NoInfer<A>
): Schema.optionalWith<Schema.Schema<A, I>, { default: () => A }> =>
  Schema.optionalWith(value, { default: () => standard })

/**
 * Every switch and its default. Decoded from the switches that somebody gave, it is all of them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Switches = Schema.Struct({
  dialect: withDefault(values.dialect, "both"),
  accountHeader: withDefault(values.accountHeader, "optional"),
  singleSession: withDefault(values.singleSession, true),
  refreshKillsAccessToken: withDefault(values.refreshKillsAccessToken, true),
  refreshRotation: withDefault(values.refreshRotation, true),
  refreshReuse: withDefault(values.refreshReuse, "refused"),
  refreshBearer: withDefault(values.refreshBearer, "optional"),
  refreshBearerExpired: withDefault(values.refreshBearerExpired, "allowed"),
  revokeMembers: withDefault(values.revokeMembers, "any"),
  revokeUnknownMembers: withDefault(values.revokeUnknownMembers, "ignored"),
  badCredentials: withDefault(values.badCredentials, 401),
  deadRefreshToken: withDefault(values.deadRefreshToken, 401),
  accessLifetime: withDefault(values.accessLifetime, Duration.toMillis("30 minutes")),
  refreshLifetime: withDefault(values.refreshLifetime, Duration.toMillis("24 hours")),
  clockOffset: withDefault(values.clockOffset, 0),
  rateLimit: withDefault(values.rateLimit, "off")
})

/**
 * How a sandbox behaves at the moment. Times are milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Switches extends Schema.Schema.Type<typeof Switches> {}

/**
 * Some of the switches, as somebody gives them: a duration may be text such as `30 minutes`.
 *
 * @since 0.1.0
 * @category models
 */
export interface SwitchesInput extends Schema.Schema.Encoded<typeof Switches> {}

/** All of the switches, as the control API tells them. */
export const SwitchesView = Schema.Struct(values).annotations({
  identifier: "Switches",
  description: "How the sandbox behaves at the moment. Times are milliseconds."
})

/** Some of the switches, none of which falls back to its default. */
export const SwitchesPatch = Schema.partial(Schema.Struct(values)).annotations({
  identifier: "SwitchesPatch",
  description: "The switches that change; the others stay. A duration is milliseconds, or text such as `30 minutes`."
})

/**
 * What there is to know about a switch, for a page or a manual.
 *
 * @since 0.1.0
 * @category models
 */
export interface SwitchDescription {
  readonly name: keyof Switches
  readonly description: string
  /** What it can be; none where it is a time. */
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
 *
 * @since 0.1.0
 * @category models
 */
export const descriptions: ReadonlyArray<SwitchDescription> = (
  Object.keys(values) as ReadonlyArray<keyof Switches>
).map((name) => ({
  name,
  description: String(values[name].ast.annotations[AST.DescriptionAnnotationId] ?? ""),
  values: literals(values[name].ast),
  standard: defaults[name]
}))
