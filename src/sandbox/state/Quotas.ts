/** Nomba's rate limit: a fixed window for each account. Bounded by the number of accounts. */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { Switches } from "../config/Switches.js"

interface Window {
  readonly start: number
  readonly length: number
  readonly used: number
}

export type Quotas = HashMap.HashMap<string, Window>

export interface Quota {
  readonly limit: number
  readonly remaining: number
  readonly window: string
  /** Whether this request is within the limit. */
  readonly admitted: boolean
}

export const none: Quotas = HashMap.empty()

const rates = {
  regular: { limit: 15, length: 1000, window: "1s" },
  lowTraffic: { limit: 1, length: 60_000, window: "60s" }
}

/** Counts a POST. No quota if there is no limit. */
export const spend = (
  quotas: Quotas,
  account: string,
  now: number,
  { rateLimit }: Switches
): readonly [Option.Option<Quota>, Quotas] => {
  if (rateLimit === "off") return [Option.none(), quotas]
  const { length, limit, window } = rates[rateLimit]
  const start = Math.floor(now / length) * length
  const used = HashMap.get(quotas, account).pipe(
    Option.filter((open) => open.start === start && open.length === length),
    Option.match({ onNone: () => 0, onSome: (open) => open.used })
  )
  const quota = { limit, remaining: Math.max(0, limit - used - 1), window, admitted: used < limit }
  return [Option.some(quota), HashMap.set(quotas, account, { start, length, used: used + 1 })]
}
