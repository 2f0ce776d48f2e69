import { it } from "vitest"
import { checkModel } from "./TokenCache.model.js"

it("the cache of a client whose sessions only persons start keeps its promises, too", { timeout: 180_000 }, () =>
  checkModel({ sequences: 500, isPublic: true })
)
