/** The last requests and what became of them. Bounded: 200. */
import * as Either from "effect/Either"
import type { LoggedRequest } from "../config/Options.js"
import type { Counted } from "../config/operations.js"

/** A request and its outcome. Times are milliseconds by the sandbox's clock. */
export interface Entry extends LoggedRequest {
  readonly at: number
  readonly operation: Counted
}

/** The last requests, the newest first, and how many there were. */
export interface RequestLog {
  readonly total: number
  readonly entries: ReadonlyArray<Entry & { readonly id: number }>
}

/** Nothing was asked yet. */
export const empty: RequestLog = { total: 0, entries: [] }

const limit = 200

/** One more. */
export const add = ({ entries, total }: RequestLog, entry: Entry): RequestLog => ({
  total: total + 1,
  entries: [{ ...entry, id: total + 1 }, ...entries.slice(0, limit - 1)]
})

const decoded = (part: string): string =>
  Either.getOrElse(
    Either.try(() => decodeURIComponent(part)),
    () => part
  )

/** From this length on a part of a secret is masked wherever it stands in a segment, and not only as all of it. */
const telling = 8

/**
 * What the log keeps of a path: no segment that is longer than a word of an API, because some clients put a token there,
 * and none with a secret or a part of one, because a secret in base64 may have slashes.
 */
export const loggedPath = (path: string, secrets: ReadonlyArray<string>): string => {
  const parts = secrets.flatMap((secret) => [secret, ...secret.split("/")]).filter((part) => part !== "")
  const isSecret = (segment: string): boolean =>
    parts.some((part) => segment === part || (part.length >= telling && segment.includes(part)))
  return path
    .split("/")
    .slice(0, 12)
    .map((segment) => (/^[\w.%~-]{0,24}$/.test(segment) && !isSecret(decoded(segment)) ? segment : "…"))
    .join("/")
}
