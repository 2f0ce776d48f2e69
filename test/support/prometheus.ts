/** How an OpenTelemetry collector names metrics for Prometheus, and which names the dashboard asks for. */
import { readFileSync } from "node:fs"
import { root } from "./pages.js"

export interface Described {
  readonly name: string
  readonly unit: string
  readonly kind: "counter" | "gauge" | "histogram"
}

const units: Readonly<Record<string, string>> = { s: "_seconds", ms: "_milliseconds", By: "_bytes" }

/** https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#otlp-metric-points-to-prometheus */
export const prometheusNames = ({ kind, name, unit }: Described): ReadonlyArray<string> => {
  const base =
    name.replace(/[^a-zA-Z0-9_:]/g, "_") + (unit === "1" && kind === "gauge" ? "_ratio" : (units[unit] ?? ""))
  switch (kind) {
    case "counter":
      return [`${base}_total`]
    case "gauge":
      return [base]
    case "histogram":
      return [`${base}_bucket`, `${base}_count`, `${base}_sum`]
  }
}

interface Target {
  readonly expr: string
}

interface Panel {
  readonly title: string
  readonly targets: ReadonlyArray<Target>
}

export const panels = (): ReadonlyArray<Panel> => JSON.parse(readFileSync(`${root}docs/grafana.json`, "utf8")).panels

/** The names and labels in an expression: `name{label="value"}`. */
export interface Selector {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export const selectorsOf = (expr: string): ReadonlyArray<Selector> =>
  Array.from(expr.matchAll(/\b(nomba_auth_\w+)\{([^}]*)\}/g), ([, name = "", labels = ""]) => ({
    name,
    labels: Object.fromEntries(
      Array.from(labels.matchAll(/(\w+)="([^"]*)"/g), ([, label = "", value = ""]) => [label, value] as const)
    )
  }))

/** The labels that an expression groups by. */
export const groupsOf = (expr: string): ReadonlyArray<string> =>
  Array.from(expr.matchAll(/\bby \(([^)]*)\)/g), ([, names = ""]) => names.split(", ")).flat()
