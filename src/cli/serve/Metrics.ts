/** What the proxy counts, in the text format of Prometheus (version 0.0.4). */
import type { SessionEvent } from "../../services/TokenCache.js"

/** One request that has ended. */
export interface Handled {
  /** The name of the key; `-` without one. */
  readonly key: string
  readonly method: string
  /** Normalised and without a query; `-` if the request was refused before the path was read. */
  readonly path: string
  /** 499 if the caller has gone before the response. */
  readonly status: number
  readonly isReplayed: boolean
  readonly millis: number
}

/** Seconds. */
const BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export class Metrics {
  readonly #requests = new Map<string, number>()
  readonly #renewals = new Map<string, number>()
  /** Each request in the first bucket that it fits into; the text format counts it in all that follow, too. */
  readonly #buckets = BUCKETS.map(() => 0)
  #count = 0
  #seconds = 0
  #replayed = 0
  inFlight = 0

  record({ isReplayed, key, method, millis, status }: Handled): void {
    add(this.#requests, `key="${key}",method="${method}",status="${status}"`)
    const seconds = millis / 1_000
    const bucket = BUCKETS.findIndex((limit) => seconds <= limit)
    if (bucket >= 0) this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#count += 1
    this.#seconds += seconds
    if (isReplayed) this.#replayed += 1
  }

  session(event: SessionEvent): void {
    if (event._tag !== "Current" && event._tag !== "Missed") add(this.#renewals, `event="${event._tag}"`)
  }

  /** `expiresIn`: the seconds that the live session has left. */
  text(expiresIn: number | undefined): string {
    const name = (what: string): string => `nomba_auth_proxy_${what}`
    const family = (what: string, type: string, help: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => [
      `# HELP ${name(what)} ${help}`,
      `# TYPE ${name(what)} ${type}`,
      ...lines.map((line) => `${name(what)}${line}`)
    ]
    let within = 0
    const labelled = (counts: ReadonlyMap<string, number>) => [...counts].map(([label, count]) => `{${label}} ${count}`)
    return [
      ...family("requests_total", "counter", "Requests by key, method and status.", labelled(this.#requests)),
      ...family("replayed_total", "counter", "Requests that were sent again after a 401.", [` ${this.#replayed}`]),
      ...family("in_flight", "gauge", "Requests that are being handled.", [` ${this.inFlight}`]),
      ...family("request_seconds", "histogram", "Time from the request to the end of its response.", [
        ...BUCKETS.map((limit, index) => {
          within += this.#buckets[index] ?? 0
          return `_bucket{le="${limit}"} ${within}`
        }),
        `_bucket{le="+Inf"} ${this.#count}`,
        `_sum ${this.#seconds}`,
        `_count ${this.#count}`
      ]),
      ...family("session_events_total", "counter", "What happened to the session.", labelled(this.#renewals)),
      ...family("session_expires_seconds", "gauge", "Seconds until the session expires; 0 without one.", [
        ` ${expiresIn ?? 0}`
      ]),
      ""
    ].join("\n")
  }
}

const add = (counts: Map<string, number>, label: string): void => void counts.set(label, (counts.get(label) ?? 0) + 1)
