/** As much of Lambda's runtime as the recipe needs: it answers one event after the other. */
import { handler } from "../lambda.js"

process.on("message", async () => {
  const answer = await handler({} as never, {} as never, () => {})
  process.send?.(answer)
})
process.send?.("ready")
