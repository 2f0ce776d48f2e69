/** What a Nomba notes of the requests for its resources. */

/** One request, and how it was answered. */
export interface Entry {
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly method: string
  readonly status: number
  /** When its token dies of age, in milliseconds since 1970, and what time it is. */
  readonly expiresAt: number
  readonly now: number
}

export interface Ledger {
  readonly note: (entry: Entry) => void
  /** Requests that came with the token that was alive. */
  readonly answered: () => number
  /** Those that came with a dead token; `expired` of them with one that had died of age. */
  readonly rejected: () => number
  readonly expired: () => number
  /** POSTs that were carried out twice under one idempotency key. */
  readonly repeated: () => number
  /** The tokens that a request was tried with, by its id. */
  readonly attempts: (id: string) => ReadonlyArray<string>
  /** Whether so many processes have been answered, and the last time each with this token. */
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
