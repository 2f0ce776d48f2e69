/**
 * What a file of the store says.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StoreKey } from "../../../schemas/StoreKey.js"
import type { Place } from "../Place.js"

const Time = Schema.Number.pipe(Schema.finite())

const Span = { since: Time, until: Time }

/** The session is the text that the codec made of it; the times are milliseconds of the host's clock since 1970. */
const Record = Schema.Struct({
  format: Schema.Literal("nomba-auth-file-1"),
  key: Schema.String,
  content: Schema.UndefinedOr(
    Schema.Struct({
      version: Schema.Int,
      session: Schema.OptionFromNullOr(Schema.String),
      tombstone: Schema.Boolean,
      marked: Schema.Boolean,
      ...Span
    })
  ).pipe(Schema.optional),
  lease: Schema.optional(Schema.Struct({ owner: Schema.String, ...Span }))
})

const json = Schema.parseJson(Record)

const OtherVersion = Schema.parseJson(
  Schema.Struct({ format: Schema.String.pipe(Schema.pattern(/^nomba-auth-file-(?!1$)\d+$/)) })
)

/**
 * Why a text is not what is held: it is `damaged`, or another version of this store wrote it.
 *
 * @since 0.1.0
 * @category models
 */
export type Problem = "damaged" | "another version"

/**
 * @since 0.1.0
 */
export const write = (key: string, { content, lease }: Place<string>): string =>
  Schema.encodeSync(json)({ format: "nomba-auth-file-1", key, content, lease })

/**
 * What a text says, and of which key.
 *
 * @since 0.1.0
 */
export const readAny = (
  text: string
): Either.Either<{ readonly key: string; readonly place: Place<string> }, Problem> =>
  Schema.decodeEither(json)(text).pipe(
    Either.mapBoth({
      onLeft: () => (Option.isSome(Schema.decodeOption(OtherVersion)(text)) ? "another version" : "damaged"),
      onRight: ({ content, key, lease }) => ({ key, place: { content, lease } })
    })
  )

/**
 * A text that belongs to another key was copied here: it counts as damaged.
 *
 * @since 0.1.0
 */
export const read = (key: StoreKey, text: string): Either.Either<Place<string>, Problem> =>
  readAny(text).pipe(
    Either.filterOrLeft(
      (record) => record.key === key,
      (): Problem => "damaged"
    ),
    Either.map(({ place }) => place)
  )
