/**
 * What Nomba grants: an access token, the means to renew it, and how long it lives; and the text that a token store keeps of it
 * before encryption.
 *
 * The text has a schema of its own, because another version of this package reads it. A member that is added later must decode
 * when it is absent, unknown members are ignored, and what changes a member's meaning takes a new format number.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isHeaderSafe } from "./SafeText.js"

/** A decode message that replaces the default one, which would print the value. */
const quiet = (message: string) => ({ message: () => ({ message, override: true }) })

/** A non-empty secret. */
export const Secret: Schema.Redacted<Schema.filter<typeof Schema.String>> = Schema.Redacted(
  Schema.String.annotations(quiet("is not a string")).pipe(Schema.minLength(1, quiet("is empty")))
).annotations(quiet("is not a secret"))

/** A token that fits in an `Authorization` header. */
export const AccessToken: Schema.Redacted<Schema.filter<typeof Schema.String>> = Schema.Redacted(
  Schema.String.annotations(quiet("is not a string")).pipe(
    Schema.filter(isHeaderSafe, quiet("has characters that a header cannot carry"))
  )
).annotations(quiet("is not an access token"))

/** For the type, the transformation and the encoded side. */
const notASession = quiet("is not a session")

/**
 * A session with Nomba. One client has one session: issuing another ends this one.
 *
 * Encoding it with the schema yields the secrets as plaintext. Everything else (`inspect`, `JSON.stringify`, logs) prints
 * `<redacted>`. Token stores do not use this schema but `StoredSession`.
 *
 * @since 0.1.0
 * @category models
 */
export class Session extends Schema.Class<Session>("nomba-auth/Session")(
  {
    /** Goes into `Authorization: Bearer …`. A JWT that carries an e-mail address: secret and personal. */
    accessToken: AccessToken,
    /**
     * A refresh spends it and grants the next one. If it grants none, this one may still be good (RFC 6749, section 6): a public
     * client keeps it.
     */
    refreshToken: Schema.Option(Secret),
    /** Counted from the moment the request was sent. To decide about expiry, use `remaining` of `TokenCache.session`. */
    lifetime: Schema.Duration,
    /** When it was issued, on the clock that `clock` names. */
    issuedAt: Schema.DateTimeUtc,
    /** Whose clock `issuedAt` was read from: Nomba's (`Date` header or the token's `iat`) or this machine's. */
    clock: Schema.Literal("server", "local"),
    /** `Bearer`, unless Nomba said otherwise. */
    tokenType: Schema.String,
    /** The business the token acts for, where Nomba names it. */
    businessId: Schema.Option(Schema.String).pipe(
      Schema.propertySignature,
      Schema.withConstructorDefault(() => Option.none())
    )
  },
  [notASession, notASession, notASession]
) {
  /** `issuedAt` plus `lifetime`: for people to read, on the clock that `clock` names. */
  get expiresAt(): DateTime.Utc {
    return DateTime.addDuration(this.issuedAt, this.lifetime)
  }
}

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

/** The first format that counts. */
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

/** Why a text is not a session: it is damaged, or a later version of this package wrote it. */
export type StoredProblem = "Damaged" | "LaterFormat"

export const decodeStored = (text: string): Either.Either<StoredContent, StoredProblem> =>
  Either.mapBoth(decodeText(text), {
    onLeft: (): StoredProblem => (Either.isRight(isLaterFormat(text)) ? "LaterFormat" : "Damaged"),
    onRight: ({ session, tombstone }) => ({
      tombstone,
      session: Option.map(session, (members) => new Session(members))
    })
  })

/** None if a member has no text: a lifetime without an end, for instance. */
export const encodeStored = ({ session, tombstone }: StoredContent): Option.Option<string> =>
  encodeText({ format: 1, tombstone, session })
