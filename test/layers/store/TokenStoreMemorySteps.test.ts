/** The atomic steps of the memory store. */
import { it } from "@effect/vitest"
import { Effect, FastCheck as fc } from "effect"
import * as TokenStoreMemory from "../../../src/layers/TokenStoreMemory.js"
import { commands, followsModel } from "../../support/storeModel.js"

it("the steps of the memory store are those of the model", () =>
  fc.assert(
    fc.property(commands(80), (all) => Effect.runSync(followsModel(TokenStoreMemory.connect, all))),
    { numRuns: 200 }
  ))
