import { serve } from "@hono/node-server"
import { Hono } from "hono"
import { createNomba, isNombaError } from "nomba-auth/promise"

const nomba = createNomba()

const app = new Hono()
  .get("/balance", async () => Response.json(await nomba.request("/v1/accounts/balance")))
  .onError((error, c) => {
    if (!isNombaError(error) || error._tag !== "Unavailable") throw error
    return c.json({ message: "Nomba is not available. Try again." }, 503)
  })

const host = process.env["HOST"] ?? "localhost"
const port = Number(process.env["PORT"] ?? 3000)
const server = serve({ fetch: app.fetch, hostname: host, port }, () =>
  console.log(`Listening on http://${host}:${port}`)
)

process.once("SIGTERM", () => {
  server.close(() => void nomba.close())
})
