import * as Effect from "effect/Effect"
import { type Frail, newerThan, type TestMint } from "./Kit.js"

/** Begins to renew, and loses the right while the mint is under way. */
export const loseRight = ({ lapse, store }: Frail, version: number, { arrived, mint }: TestMint) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.fork(store.renew(newerThan(version), mint))
    yield* arrived
    yield* lapse
    return fiber
  })
