/**
 * Where a cache keeps its state.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import * as PubSub from "effect/PubSub"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { Session } from "../../schemas/Session.js"
import * as State from "./State.js"

/** One step: the state before it and after. */
export interface Change {
  readonly before: State.State
  readonly after: State.State
}

export interface Cell {
  /** The state, without a step of the fiber: the hot path reads it. */
  readonly current: () => State.State
  /** The cache's own clock, in milliseconds. */
  readonly now: () => number
  readonly update: (step: (state: State.State, now: number) => State.State) => Effect.Effect<Change>
  /** The held session, now and at each change that a listener has time for, the last one always. Ends with the scope. */
  readonly changes: Stream.Stream<Option.Option<Session>>
}

const sessionOf = (state: State.State): Option.Option<Session> => Option.fromNullable(state.held?.session)

/** Counts time with the clock of the fiber that makes it. */
export const make: Effect.Effect<Cell, never, Scope.Scope> = Effect.gen(function* () {
  const clock = yield* Effect.clock
  const ref = yield* Ref.make(State.initial)
  const changed = yield* Effect.acquireRelease(PubSub.sliding<void>(1), PubSub.shutdown)
  const now = () => clock.unsafeCurrentTimeMillis()
  let snapshot = State.initial
  return {
    now,
    current: () => snapshot,
    update: (step) =>
      Ref.modify(ref, (before) => {
        snapshot = step(before, now())
        return [{ before, after: snapshot }, snapshot] as const
      }).pipe(
        Effect.tap(({ after, before }) =>
          Effect.unless(PubSub.publish(changed, undefined), () => after.held?.session === before.held?.session)
        ),
        Effect.uninterruptible
      ),
    changes: Stream.unwrapScoped(
      Effect.map(PubSub.subscribe(changed), (queue) =>
        Stream.concat(Stream.succeed(undefined), Stream.fromQueue(queue)).pipe(Stream.map(() => sessionOf(snapshot)))
      )
    ).pipe(Stream.changesWith<Option.Option<Session>>(Equal.equals))
  }
})
