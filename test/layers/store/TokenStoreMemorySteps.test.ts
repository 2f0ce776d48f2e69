/** The atomic steps of the memory store. */
import { it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import { runs } from "../../support/quick.js"
import { commands, followsModel } from "../../support/storeModel.js"

it("the memory store follows the model of a store, step by step", () =>
  fc.assert(
    fc.property(commands(80), (all) =>
      Effect.runSync(followsModel(TokenStoreMemory.connect, all, { timeGoesBack: false }))
    ),
    runs(200)
  ))
