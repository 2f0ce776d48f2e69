/**
 * The text that a token store keeps of a session or a tombstone, before encryption.
 *
 * It has its own schema, separate from `Session`, because another version of this package reads it. A member that is added
 * later must decode when it is absent, unknown members are ignored, and what changes a member's meaning takes a new format
 * number.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { AccessToken, Secret } from "./Secrets.js"
import { Session } from "./Session.js"

/**
 * What a store keeps under one version: a session, or a tombstone. A tombstone keeps the session if its revocation is
 * unproven.
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredContent {
  readonly session: Option.Option<Session>
  readonly tombstone: boolean
}

/** A duration without an end has no text. */
const Milliseconds = Schema.transform(Schema.NonNegative.pipe(Schema.finite()), Schema.DurationFromSelf, {
  strict: true,
  decode: (millis) => Duration.millis(millis),
  encode: (duration) => Duration.toMillis(duration)
})

/**
 * How each field of `Session` is stored. A field that is added to `Session` does not compile until it is decided here.
 */
const members = {
  accessToken: AccessToken,
  refreshToken: Schema.optionalWith(Secret, { as: "Option" }),
  lifetime: Milliseconds,
  issuedAt: Schema.DateTimeUtc,
  clock: Schema.Literal("server", "local"),
  tokenType: Schema.String,
  businessId: Schema.optionalWith(Schema.String, { as: "Option" })
} satisfies { readonly [Field in keyof typeof Session.fields]: unknown }

/**
 * The first format that counts.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StoredSession = Schema.Struct({
  format: Schema.Literal(1),
  tombstone: Schema.Boolean,
  session: Schema.optionalWith(Schema.Struct(members), { as: "Option" })
})

const Text = Schema.parseJson(StoredSession)
const LaterFormat = Schema.parseJson(Schema.Struct({ format: Schema.Int.pipe(Schema.greaterThan(1)) }))

const decodeText = Schema.decodeEither(Text)
const encodeText = Schema.encodeOption(Text)
const isLaterFormat = Schema.decodeEither(LaterFormat)

/**
 * Why a text is not a session: it is damaged, or a later version of this package wrote it.
 *
 * @since 0.1.0
 * @category models
 */
export type Problem = "Damaged" | "LaterFormat"

/**
 * @since 0.1.0
 * @category constructors
 */
export const decode = (text: string): Either.Either<StoredContent, Problem> =>
  Either.mapBoth(decodeText(text), {
    onLeft: (): Problem => (Either.isRight(isLaterFormat(text)) ? "LaterFormat" : "Damaged"),
    onRight: ({ session, tombstone }) => ({
      tombstone,
      session: Option.map(session, (members) => new Session(members))
    })
  })

/**
 * None if a member has no text: a lifetime without an end, for instance.
 *
 * @since 0.1.0
 * @category constructors
 */
export const encode = ({ session, tombstone }: StoredContent): Option.Option<string> =>
  encodeText({ format: 1, tombstone, session })
