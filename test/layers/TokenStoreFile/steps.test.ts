/** The atomic steps of the file store, on a real disk. */
import { it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import { keyOf } from "../../support/encryption.js"
import { connectIn, temporaryFolder } from "../../support/fileStore.js"
import { commands, followsModel } from "../../support/storeModel.js"

it.scopedLive("the file store follows the model of a store, step by step", () =>
  Effect.gen(function* () {
    const root = yield* temporaryFolder
    const encrypted = yield* SessionCodec.encrypted([keyOf("a")])
    for (const codec of [SessionCodec.plain, encrypted]) {
      const connect = connectIn(root, { codec })
      yield* Effect.promise(() =>
        fc.assert(
          fc.asyncProperty(commands(40), (all) =>
            Effect.runPromise(followsModel(connect, all, { timeGoesBack: true }))
          ),
          { numRuns: 15 }
        )
      )
    }
  })
)
