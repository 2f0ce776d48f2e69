/**
 * Nomba's rate limit: a fixed window for each account (wire facts: 15 POSTs a second, or 1 a minute with little
 * traffic). Bounded by the number of accounts.
 */
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { Switches } from "../config/Switches.js"

interface Window {
  readonly start: number
  readonly length: number
  readonly used: number
}

/** The window of each account that has one. */
export type Quotas = HashMap.HashMap<string, Window>

/** What an account has left. */
export interface Quota {
  readonly limit: number
  readonly remaining: number
  readonly window: string
  /** Whether the request that asks is within the limit. */
  readonly admitted: boolean
}

/** Nobody has used any. */
export const none: Quotas = HashMap.empty()

const rates = {
  regular: { limit: 15, length: 1000, window: "1s" },
  lowTraffic: { limit: 1, length: 60_000, window: "60s" }
}

/** An account makes a POST. No quota where there is no limit. */
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
