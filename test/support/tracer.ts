/** The default tracer, and the spans that it made. */
import { Effect, Tracer } from "effect"

export interface RecordedSpan extends Tracer.Span {
  readonly events: ReadonlyArray<readonly [name: string, startTime: bigint, attributes: Record<string, unknown>]>
}

export const recordSpans = <A, E, R>(
  effect: Effect.Effect<A, E, R>
): Effect.Effect<readonly [A, ReadonlyArray<RecordedSpan>], E, R> =>
  Effect.flatMap(Effect.tracer, (tracer) => {
    const spans: Array<RecordedSpan> = []
    const recording = Tracer.make({
      context: tracer.context,
      span: (...args) => {
        const span = tracer.span(...args) as RecordedSpan
        spans.push(span)
        return span
      }
    })
    return Effect.map(Effect.withTracer(effect, recording), (result) => [result, spans] as const)
  })
