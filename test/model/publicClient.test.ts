import { it } from "vitest"
import { checkModel } from "./TokenCache.model.js"

it("TokenCache of a public client keeps its promises under any sequence of commands", { timeout: 180_000 }, () =>
  checkModel({ sequences: 80, isPublic: true })
)
