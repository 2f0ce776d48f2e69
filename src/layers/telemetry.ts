/**
 * The metrics of the library, and the names that spans and metrics share. `docs/observability.md` describes each of them.
 * Nothing here is touched when a token is served from memory.
 */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Metric from "effect/Metric"
import * as MetricBoundaries from "effect/MetricBoundaries"
import * as MetricKey from "effect/MetricKey"
import * as MetricLabel from "effect/MetricLabel"
import * as MetricState from "effect/MetricState"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Tracer from "effect/Tracer"
import type { AuthError } from "../schemas/AuthError.js"
import { oncePerProcess } from "./processMemory.js"

export const OPERATION = "nomba.operation"
export const OUTCOME = "nomba.outcome"
export const ATTEMPTS = "nomba.attempts"
export const TRIGGER = "nomba.renewal.trigger"
export const RESULT = "nomba.renewal.result"
export const CAUSE = "nomba.cause"
export const REPLAY_TOKEN = "nomba.replay.token"
export const LEASE_EVENT = "nomba.lease.event"
export const STORE = "nomba.store"
export const STORE_STEP = "nomba.store.step"
/** OpenTelemetry's name. */
export const ERROR_TYPE = "error.type"

/** Why a renewal began: there was no session, its expiry is near, Nomba rejected its token, or its lifetime was over. */
export type Trigger = "cold" | "ahead" | "rejected" | "expired"
export type Result = "issued" | "refreshed" | "adopted" | "failed"
/** Why a session ended before its time. */
export type EarlyEnd = "another_program" | "account_or_route"

const triggers: ReadonlyArray<Trigger> = ["cold", "ahead", "rejected", "expired"]
const results: ReadonlyArray<Result> = ["issued", "refreshed", "adopted", "failed"]
const earlyEnds: ReadonlyArray<EarlyEnd> = ["another_program", "account_or_route"]
const replayTokens = ["renewed", "adopted", "same"] as const
const backoffs = ["renewal_failed", "session_contested"] as const

interface Definition {
  readonly kind: "counter" | "gauge" | "histogram"
  readonly name: string
  /** UCUM, or an annotation in braces. */
  readonly unit: string
  readonly description: string
}

export const definitions = {
  tokenRequests: {
    kind: "counter",
    name: "nomba.auth.token.requests",
    unit: "{request}",
    description: "Token requests that were sent to Nomba, repetitions included."
  },
  renewals: {
    kind: "counter",
    name: "nomba.auth.renewals",
    unit: "{renewal}",
    description: "Renewals of the session that ended."
  },
  earlyEnds: {
    kind: "counter",
    name: "nomba.auth.session.early_ends",
    unit: "{session}",
    description: "Sessions whose token Nomba rejected before its lifetime was over."
  },
  replays: {
    kind: "counter",
    name: "nomba.auth.replays",
    unit: "{request}",
    description: "Requests that were sent again after Nomba rejected their token."
  },
  leases: {
    kind: "counter",
    name: "nomba.auth.leases",
    unit: "{lease}",
    description: "Leases of the token store that were taken, and those that were lost before their work was done."
  },
  storeErrors: {
    kind: "counter",
    name: "nomba.auth.store.errors",
    unit: "{error}",
    description: "Steps of the token store that failed."
  },
  wait: {
    kind: "histogram",
    name: "nomba.auth.token.wait",
    unit: "s",
    description: "How long callers waited for a renewal. Callers that are served from memory do not count."
  },
  remaining: {
    kind: "gauge",
    name: "nomba.auth.session.remaining",
    unit: "s",
    description: "What is left of the session's lifetime; 0 without a session that can be used."
  },
  backoff: {
    kind: "gauge",
    name: "nomba.auth.backoff",
    unit: "s",
    description: "How long token requests are still held back; 0 if they are not."
  }
} as const satisfies Record<string, Definition>

type Labels = Readonly<Record<string, string>>

const toLabels = (labels: Labels): ReadonlyArray<MetricLabel.MetricLabel> =>
  Object.entries(labels).map(([key, value]) => MetricLabel.make(key, value))

/**
 * Effect has no units. Its exporters take that of OpenTelemetry from a label. The labels are part of the key: those of
 * `Metric.tagged` are joined again at each update.
 */
const labelsOf = ({ unit }: Definition, labels: Labels): ReadonlyArray<MetricLabel.MetricLabel> =>
  toLabels({ unit, ...labels })

type Counter = {
  [K in keyof typeof definitions]: (typeof definitions)[K]["kind"] extends "counter" ? K : never
}[keyof typeof definitions]

const tagged = (name: Counter, labels: Labels): Metric.Metric.Counter<number> => {
  const definition = definitions[name]
  const key = MetricKey.counter(definition.name, { description: definition.description, incremental: true })
  return Metric.fromMetricKey(MetricKey.taggedWithLabels(key, labelsOf(definition, labels)))
}

const waits = Metric.fromMetricKey(
  MetricKey.taggedWithLabels(
    MetricKey.histogram(
      definitions.wait.name,
      MetricBoundaries.fromIterable([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]),
      definitions.wait.description
    ),
    labelsOf(definitions.wait, {})
  )
)

const count = (name: Counter, labels: Labels): Effect.Effect<void> => Metric.increment(tagged(name, labels))

/** A rate is computed from two values of a series, so the first event would be missed without a zero before it. */
const startAtZero = (name: Counter, all: ReadonlyArray<Labels>): Effect.Effect<void> =>
  Effect.forEach(all, (labels) => Metric.value(tagged(name, labels)), { discard: true })

const started = new WeakMap<ReadonlyArray<MetricLabel.MetricLabel>, Set<string>>()

/** Starts something once for the labels of the fiber, because a layer may be built for each request. */
const once = (what: string, start: Effect.Effect<void>): Effect.Effect<void> =>
  Effect.flatMap(Effect.metricLabels, (own) => {
    const done = started.get(own) ?? new Set()
    started.set(own, done)
    if (done.has(what)) return Effect.void
    done.add(what)
    return start
  })

export const countTokenRequest = (operation: string, outcome: Labels): Effect.Effect<void> =>
  count("tokenRequests", { [OPERATION]: operation, ...outcome })

export const countRenewal = (trigger: Trigger, result: Result): Effect.Effect<void> =>
  count("renewals", { [TRIGGER]: trigger, [RESULT]: result })

/** Without an effect, because a token is confirmed without one. */
export const unsafeCountEarlyEnd = (cause: EarlyEnd, own: ReadonlyArray<MetricLabel.MetricLabel>): void =>
  tagged("earlyEnds", { [CAUSE]: cause }).unsafeUpdate(1, own)

export const countReplay = (token: (typeof replayTokens)[number]): Effect.Effect<void> =>
  count("replays", { [REPLAY_TOKEN]: token })

export const countLease = (store: string, event: "taken" | "lost"): Effect.Effect<void> =>
  count("leases", { [STORE]: store, [LEASE_EVENT]: event })

export const countStoreError = (store: string, step: string, error: AuthError): Effect.Effect<void> =>
  count("storeErrors", { [STORE]: store, [STORE_STEP]: step, [ERROR_TYPE]: errorType(error) })

/** Starts the counters of a store at zero, those of its usual failure too. */
export const startStore = (store: string, steps: ReadonlyArray<string>): Effect.Effect<void> =>
  once(
    `store ${store}`,
    Effect.zipRight(
      startAtZero("leases", [
        { [STORE]: store, [LEASE_EVENT]: "taken" },
        { [STORE]: store, [LEASE_EVENT]: "lost" }
      ]),
      startAtZero(
        "storeErrors",
        steps.map((step) => ({ [STORE]: store, [STORE_STEP]: step, [ERROR_TYPE]: "Store" }))
      )
    )
  )

export const recordWait = (millis: number): Effect.Effect<void> => Metric.update(waits, millis / 1_000)

/** The same for a caller without a fiber. */
export const unsafeRecordWait = (millis: number, labels: ReadonlyArray<MetricLabel.MetricLabel>): void =>
  waits.unsafeUpdate(millis / 1_000, labels)

/** The kind of an error, without the object it failed on. */
export const errorType = (error: AuthError): string => ("reason" in error ? error.reason : error._tag)

/** How an operation ended: `ok` or the tag of its error, and the kind of the error. */
export const outcomeOf = (exit: Exit.Exit<unknown, AuthError>): Labels =>
  Exit.match(exit, {
    onSuccess: () => ({ [OUTCOME]: "ok" }),
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onSome: (error) => ({ [OUTCOME]: error._tag, [ERROR_TYPE]: errorType(error) }),
        onNone: () => ({ [OUTCOME]: Cause.isInterrupted(cause) ? "interrupted" : "defect" })
      })
  })

/** The label of a failure, for a span; none for a success and an interruption. */
export const failureOf = (exit: Exit.Exit<unknown, AuthError>): Labels =>
  Exit.match(exit, {
    onSuccess: () => ({}),
    onFailure: (cause) =>
      Option.match(Cause.failureOption(cause), {
        onSome: (error) => ({ [ERROR_TYPE]: errorType(error) }),
        onNone: () => ({})
      })
  })

/** What the gauges show of one token cache. Milliseconds. */
export interface CacheGauges {
  /** Undefined without a session that can be used. */
  readonly remaining: () => number | undefined
  readonly failureBackoff: () => number
  readonly rejectionBackoff: () => number
}

type Read = (cache: CacheGauges) => number | undefined

interface Gauge {
  readonly definition: Definition
  readonly labels: Labels
  readonly read: Read
  /** Which of the values of several caches is shown. */
  readonly pick: (...values: ReadonlyArray<number>) => number
}

const gauges: ReadonlyArray<Gauge> = [
  { definition: definitions.remaining, labels: {}, read: (cache) => cache.remaining(), pick: Math.min },
  {
    definition: definitions.backoff,
    labels: { [CAUSE]: backoffs[0] },
    read: (cache) => cache.failureBackoff(),
    pick: Math.max
  },
  {
    definition: definitions.backoff,
    labels: { [CAUSE]: backoffs[1] },
    read: (cache) => cache.rejectionBackoff(),
    pick: Math.max
  }
]

/** The caches of each gauge, by the hook that the registry keeps for its labels. */
const observed = oncePerProcess("telemetry/caches", () => new WeakMap<object, Set<CacheGauges>>())

/**
 * Adds a cache to one gauge. A value that is set when something changes would be wrong at the next scrape, because time
 * passes, and a timer would keep the process alive. So the value is computed when it is read.
 */
const observeIn = (
  { definition, labels, pick, read }: Gauge,
  own: ReadonlyArray<MetricLabel.MetricLabel>,
  cache: CacheGauges
): (() => void) => {
  const key = MetricKey.gauge(definition.name, { description: definition.description })
  const hook = Metric.globalMetricRegistry.getGauge(
    MetricKey.taggedWithLabels(key, [...labelsOf(definition, labels), ...own])
  )
  const caches = observed.get(hook) ?? new Set()
  observed.set(hook, caches)
  caches.add(cache)
  const value = (): number => {
    const values = [...caches].flatMap((cache) => read(cache) ?? [])
    return values.length === 0 ? 0 : pick(...values) / 1_000
  }
  Object.assign(hook, { get: () => MetricState.gauge(value()) })
  return () => void caches.delete(cache)
}

const startCache = once(
  "cache",
  Effect.all(
    [
      startAtZero(
        "earlyEnds",
        earlyEnds.map((cause) => ({ [CAUSE]: cause }))
      ),
      startAtZero(
        "replays",
        replayTokens.map((token) => ({ [REPLAY_TOKEN]: token }))
      ),
      startAtZero(
        "renewals",
        triggers.flatMap((trigger) => results.map((result) => ({ [TRIGGER]: trigger, [RESULT]: result })))
      )
    ],
    { discard: true }
  )
)

/** Shows a cache in the gauges until the scope closes, and starts the counters of a cache at zero. */
export const observe = (cache: CacheGauges): Effect.Effect<void, never, Scope.Scope> =>
  Effect.gen(function* () {
    yield* startCache
    const own = yield* Effect.metricLabels
    yield* Effect.acquireRelease(
      Effect.sync(() => gauges.map((gauge) => observeIn(gauge, own, cache))),
      (leave) =>
        Effect.sync(() => {
          for (const remove of leave) remove()
        })
    )
  })

/** The caller's span, unless it is not recorded. */
export const spanOf = (context: Context.Context<never>): Tracer.AnySpan | undefined => {
  const span = Option.getOrUndefined(Context.getOption(context, Tracer.ParentSpan))
  return span === undefined || Context.get(span.context, Tracer.DisablePropagation) ? undefined : span
}

export const linkTo = (span: Tracer.AnySpan): Tracer.SpanLink => ({ _tag: "SpanLink", span, attributes: {} })

/** What the span of a request says that the request does not. */
export class RequestFacts extends Context.Reference<RequestFacts>()("nomba-auth/RequestFacts", {
  defaultValue: (): { readonly resendCount?: number; readonly template?: string } => ({})
}) {}
