/** The metrics of one test: Effect keeps them for the whole process, so they carry a label of their own. */
import { Effect, Metric, MetricState } from "effect"

export interface OwnMetrics {
  /** Runs a program, and builds what it builds, with the label. */
  readonly labelled: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
  /** The values that are not zero, by what follows `nomba.auth.` in the name and the values of the labels. */
  readonly values: () => Readonly<Record<string, number>>
  /** Every label and name as text. */
  readonly texts: () => ReadonlyArray<string>
}

let tests = 0

export const makeMetrics = (): OwnMetrics => {
  const own = `${tests++}`
  const ours = () =>
    Metric.unsafeSnapshot().filter(
      ({ metricKey }) =>
        metricKey.name.startsWith("nomba.") && metricKey.tags.some(({ key, value }) => key === "test" && value === own)
    )
  return {
    labelled: (effect) => Effect.tagMetrics(effect, "test", own),
    values: () =>
      Object.fromEntries(
        ours()
          .map(({ metricKey: { name, tags }, metricState }) => {
            const labels = tags.filter(({ key }) => key !== "unit" && key !== "test").map(({ value }) => value)
            return [[name.replace("nomba.auth.", ""), ...labels].join(" "), valueOf(metricState)] as const
          })
          .filter(([, value]) => value !== 0)
      ),
    texts: () => ours().map(({ metricKey }) => JSON.stringify([metricKey.name, metricKey.description, metricKey.tags]))
  }
}

const valueOf = (state: MetricState.MetricState.Untyped): number => {
  if (MetricState.isCounterState(state)) return Number(state.count)
  if (MetricState.isGaugeState(state)) return Number(state.value)
  return MetricState.isHistogramState(state) ? state.count : Number.NaN
}
