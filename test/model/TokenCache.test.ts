import { it } from "vitest"
import { checkModel } from "./TokenCache.model.js"

it("TokenCache keeps its promises under any sequence of commands", { timeout: 180_000 }, () =>
  checkModel({ sequences: 250 })
)
