/** What the proxy and the library count, in the text format of Prometheus (version 0.0.4). */
import * as Metric from "effect/Metric"
import type * as MetricLabel from "effect/MetricLabel"
import * as MetricState from "effect/MetricState"
import * as Telemetry from "../../layers/telemetry.js"

/** One request that has ended. */
export interface Handled {
  /** The name of the key; `-` without one. */
  readonly key: string
  readonly method: string
  /** Normalised and without a query; `-` if the request was refused before the path was read. */
  readonly path: string
  /** 499 if the caller has gone before the end of the response, and 502 if Nomba's broke off. */
  readonly status: number
  readonly isReplayed: boolean
  readonly millis: number
}

/** Seconds. */
const BUCKETS = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]

export class Metrics {
  readonly #requests = new Map<string, number>()
  /** Each request in the first bucket that it fits into; the text format counts it in all that follow, too. */
  readonly #buckets = BUCKETS.map(() => 0)
  #count = 0
  #seconds = 0
  inFlight = 0

  record({ key, method, millis, status }: Handled): void {
    add(this.#requests, `key="${key}",method="${method}",status="${status}"`)
    const seconds = millis / 1_000
    const bucket = BUCKETS.findIndex((limit) => seconds <= limit)
    if (bucket >= 0) this.#buckets[bucket] = (this.#buckets[bucket] ?? 0) + 1
    this.#count += 1
    this.#seconds += seconds
  }

  text(): string {
    const family = (what: string, ...rest: [type: string, help: string, lines: ReadonlyArray<string>]) =>
      familyOf(`nomba_auth_proxy_${what}`, ...rest)
    let within = 0
    const labelled = (counts: ReadonlyMap<string, number>) => [...counts].map(([label, count]) => `{${label}} ${count}`)
    return [
      ...family("requests_total", "counter", "Requests by key, method and status.", labelled(this.#requests)),
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
      ...ofLibrary(),
      ""
    ].join("\n")
  }
}

const familyOf = (name: string, type: string, help: string, lines: ReadonlyArray<string>): ReadonlyArray<string> => [
  `# HELP ${name} ${help}`,
  `# TYPE ${name} ${type}`,
  ...lines.map((line) => `${name}${line}`)
]

/** The metrics of the library, by the names that an OpenTelemetry collector gives them. */
const ofLibrary = (): ReadonlyArray<string> => {
  const pairs = Metric.unsafeSnapshot()
  return Object.values(Telemetry.definitions).flatMap(({ description, kind, name, unit }) => {
    const base = name.replaceAll(".", "_") + (unit === "s" ? "_seconds" : "")
    const lines = pairs
      .filter(({ metricKey }) => metricKey.name === name)
      .flatMap(({ metricKey, metricState }) => linesOf(metricKey.tags, metricState))
    return familyOf(kind === "counter" ? `${base}_total` : base, kind, description, lines)
  })
}

/** The samples of one series, without the name. */
const linesOf = (
  tags: ReadonlyArray<MetricLabel.MetricLabel>,
  state: MetricState.MetricState.Untyped
): ReadonlyArray<string> => {
  const own = tags.filter(({ key }) => key !== "unit").map(({ key, value }) => `${key.replaceAll(".", "_")}="${value}"`)
  const labels = (...more: ReadonlyArray<string>): string => {
    const all = [...own, ...more]
    return all.length === 0 ? "" : `{${all.join(",")}}`
  }
  if (MetricState.isCounterState(state)) return [`${labels()} ${state.count}`]
  if (MetricState.isGaugeState(state)) return [`${labels()} ${state.value}`]
  if (!MetricState.isHistogramState(state)) return []
  return [
    ...Array.from(state.buckets, ([limit, count]) => {
      const le = Number.isFinite(limit) ? String(limit) : "+Inf"
      return `_bucket${labels(`le="${le}"`)} ${count}`
    }),
    `_sum${labels()} ${state.sum}`,
    `_count${labels()} ${state.count}`
  ]
}

const add = (counts: Map<string, number>, label: string): void => void counts.set(label, (counts.get(label) ?? 0) + 1)
