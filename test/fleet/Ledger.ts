/** The record of the requests for resources that a Nomba received. */

/** One request and its answer. */
export interface Entry {
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly method: string
  readonly status: number
  /** When its token expires, and the time now, in milliseconds since 1970. */
  readonly expiresAt: number
  readonly now: number
}

export interface Ledger {
  readonly note: (entry: Entry) => void
  /** Requests that came with the live token. */
  readonly answered: () => number
  /** Requests that were answered with 401; `expired` counts those whose token had expired. */
  readonly rejected: () => number
  readonly expired: () => number
  /** POSTs that were processed twice under one idempotency key. */
  readonly repeated: () => number
  /** The tokens of all attempts of one request, by its id. */
  readonly attempts: (id: string) => ReadonlyArray<string>
  /** Whether that many processes have been answered, each most recently with this token. */
  readonly areAnsweredWith: (token: string | undefined, processes: number) => boolean
}

export const bearerOf = (headers: Entry["headers"]): string =>
  String(headers["authorization"] ?? "").slice("Bearer ".length)

export const makeLedger = (): Ledger => {
  const counts = { answered: 0, rejected: 0, expired: 0, repeated: 0 }
  const attempts = new Map<string, Array<string>>()
  const carriedOut = new Set<string>()
  const answeredWith = new Map<string, string>()
  return {
    note: ({ expiresAt, headers, method, now, status }) => {
      const bearer = bearerOf(headers)
      const id = String(headers["x-request-id"])
      attempts.set(id, [...(attempts.get(id) ?? []), bearer])
      if (status === 401) {
        counts.rejected += 1
        if (expiresAt <= now) counts.expired += 1
        return
      }
      counts.answered += 1
      answeredWith.set(id.split("-")[0] ?? "", bearer)
      if (method !== "POST") return
      const key = String(headers["idempotency-key"])
      if (carriedOut.has(key)) counts.repeated += 1
      carriedOut.add(key)
    },
    answered: () => counts.answered,
    rejected: () => counts.rejected,
    expired: () => counts.expired,
    repeated: () => counts.repeated,
    attempts: (id) => attempts.get(id) ?? [],
    areAnsweredWith: (token, processes) =>
      answeredWith.size === processes && [...answeredWith.values()].every((_) => _ === token)
  }
}
