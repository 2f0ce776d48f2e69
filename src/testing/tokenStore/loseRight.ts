import * as Effect from "effect/Effect"
import { type Frail, newerThan, renew, type TestObtain } from "./harness.js"

/** Begins to renew, and loses the lease while the renewal is under way. */
export const loseRight = ({ lapse, store }: Frail, version: number, { arrived, obtain }: TestObtain) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(renew(store, newerThan(version), obtain))
    yield* arrived
    yield* lapse
    return fiber
  })
