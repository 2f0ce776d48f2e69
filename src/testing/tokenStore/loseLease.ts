import * as Effect from "effect/Effect"
import type { RenewOptions } from "../../services/TokenStore.js"
import { type Frail, newerThan, renew, type TestObtain } from "./harness.js"

/** Starts a renewal that loses its lease while it is under way. */
export const loseLease = (
  { lapse, store }: Frail,
  version: number,
  { arrived, obtain }: TestObtain,
  options: Partial<RenewOptions> = {}
) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(renew(store, newerThan(version), obtain, options))
    yield* arrived
    yield* lapse
    return fiber
  })
