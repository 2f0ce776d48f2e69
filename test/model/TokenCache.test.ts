import { it } from "vitest"
import { checkModel } from "./TokenCache.model.js"

it("whatever happens in whatever order, the cache keeps its promises", { timeout: 180_000 }, () =>
  checkModel({ sequences: 2_000 })
)
