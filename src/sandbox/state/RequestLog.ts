/**
 * The last requests and what became of them. Bounded: 200.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Counted } from "../endpoints.js"
import type { Outcome } from "./Counts.js"

/** A request and what became of it. Times are milliseconds by the sandbox's clock. */
export interface Entry {
  readonly at: number
  readonly took: number
  readonly method: string
  readonly path: string
  readonly endpoint: Counted
  readonly status: number | "dropped"
  readonly outcome: Outcome
  readonly why?: string | undefined
  readonly clientId?: string | undefined
}

/** The last requests, the newest first, and how many there were. */
export interface RequestLog {
  readonly total: number
  readonly entries: ReadonlyArray<Entry & { readonly id: number }>
}

/** Nothing was asked yet. */
export const empty: RequestLog = { total: 0, entries: [] }

const most = 200

/** One more. */
export const add = ({ entries, total }: RequestLog, entry: Entry): RequestLog => ({
  total: total + 1,
  entries: [{ ...entry, id: total + 1 }, ...entries.slice(0, most - 1)]
})

const decoded = (part: string): string =>
  Either.getOrElse(
    Either.try(() => decodeURIComponent(part)),
    () => part
  )

/**
 * What the log keeps of a path: not the query, and no part that is longer than a word of an API or is a secret, because
 * some put a token there.
 */
export const pathOf = (url: string, secrets: ReadonlyArray<string>): string =>
  url
    .replace(/[?#].*$/s, "")
    .split("/")
    .slice(0, 12)
    .map((part) => (/^[\w.%~-]{0,24}$/.test(part) && !secrets.includes(decoded(part)) ? part : "…"))
    .join("/")
