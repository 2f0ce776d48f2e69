/** What a file of the store says. */
import * as Duration from "effect/Duration"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { StoreKey } from "../../../schemas/StoreKey.js"
import type { LeasedEntry, Span } from "../LeasedEntry.js"
import { MAX_FAILURE_WAIT, MAX_LEASE_TIME, MAX_VERSION, ownerFromText, ownerText } from "../StoreDriver.js"

const Time = Schema.Number.pipe(Schema.finite())

const span = { since: Time, until: Time }

const Owner = Schema.String.pipe(Schema.filter((text) => ownerFromText(text) !== undefined))

/** The text is what the codec made of the session; the times are milliseconds since 1970 by the clock of `host`. */
const Envelope = Schema.Struct({
  format: Schema.Literal("nomba-auth/file/1"),
  key: Schema.String,
  host: Schema.String,
  content: Schema.optional(
    Schema.Struct({
      version: Schema.Int.pipe(Schema.between(1, MAX_VERSION - 1)),
      text: Schema.String,
      refreshInFlight: Schema.optional(Owner),
      ...span
    })
  ),
  lease: Schema.optional(Schema.Struct({ owner: Owner, ...span })),
  failure: Schema.optional(Schema.Unknown)
})

/** One that a later version wrote may have another reason: it is ignored, because it is worth less than the session. */
const Failure = Schema.Struct({
  reason: Schema.Literal("RateLimited", "ServerError"),
  status: Schema.optionalWith(Schema.Int, { as: "Option" }),
  count: Schema.Int,
  ...span
})

const json = Schema.parseJson(Envelope)

const LaterFormat = Schema.parseJson(
  Schema.Struct({ format: Schema.String.pipe(Schema.pattern(/^nomba-auth\/file\/(?!1$)[1-9]\d*$/)) })
)

/** Why a file cannot be used: it is damaged, or a later version of this package wrote it. */
export type Problem = "Damaged" | "LaterFormat"

export interface Read {
  readonly key: string
  /** The host whose clock the times are of. */
  readonly host: string
  readonly entry: LeasedEntry<string>
}

/** Not by the schema, whose error about an impossible version would quote the tokens. */
export const write = (key: string, host: string, { content, failure, lease }: LeasedEntry<string>): string =>
  JSON.stringify({
    format: "nomba-auth/file/1",
    key,
    host,
    content: content && {
      version: content.version,
      text: content.value,
      refreshInFlight: Option.getOrUndefined(Option.map(content.refreshInFlight, ownerText)),
      since: content.since,
      until: content.until
    },
    lease: lease && { ...lease, owner: ownerText(lease.owner) },
    failure: failure && { ...failure, status: Option.getOrUndefined(failure.status) }
  } satisfies typeof Envelope.Encoded)

/** Damage would otherwise block every renewal until then. */
const atMost = ({ since, until }: Span, limit: Duration.Duration): Span => ({
  since,
  until: Math.min(until, since + Duration.toMillis(limit))
})

const ownerOf = (text: string | undefined) => (text === undefined ? undefined : ownerFromText(text))

/** What a file says, of whichever key. */
export const readAny = (text: string): Either.Either<Read, Problem> =>
  Either.mapBoth(Schema.decodeEither(json)(text), {
    onLeft: (): Problem => (Option.isSome(Schema.decodeOption(LaterFormat)(text)) ? "LaterFormat" : "Damaged"),
    onRight: ({ content, failure, host, key, lease }) => {
      const owner = ownerOf(lease?.owner)
      const shared = Option.getOrUndefined(Schema.decodeUnknownOption(Failure)(failure))
      return {
        key,
        host,
        entry: {
          content: content && {
            version: content.version,
            value: content.text,
            refreshInFlight: Option.fromNullable(ownerOf(content.refreshInFlight)),
            since: content.since,
            until: content.until
          },
          lease: lease && owner && { owner, ...atMost(lease, MAX_LEASE_TIME) },
          failure: shared && { ...shared, ...atMost(shared, MAX_FAILURE_WAIT) }
        }
      }
    }
  })

/** A file of another key was copied here: that is damage. */
export const read = (key: StoreKey, text: string): Either.Either<Read, Problem> =>
  Either.filterOrLeft(
    readAny(text),
    (read) => read.key === key,
    (): Problem => "Damaged"
  )
