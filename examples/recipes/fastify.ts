import fastify from "fastify"
import { createNomba, isNombaError, type Nomba } from "nomba-auth/promise"

declare module "fastify" {
  interface FastifyInstance {
    readonly nomba: Nomba
  }
}

// At the default of 72 seconds, one idle connection of a client can delay the end of the process by as much.
const app = fastify({ keepAliveTimeout: 5_000 })
app.decorate("nomba", createNomba())
app.addHook("onClose", () => app.nomba.close())

app.get("/balance", () => app.nomba.request("/v1/accounts/balance"))

app.setErrorHandler((error, _request, reply) => {
  if (!isNombaError(error) || error._tag !== "Unavailable") throw error
  return reply.status(503).send({ message: "Nomba is not available. Try again." })
})

const host = process.env["HOST"] ?? "localhost"
const port = Number(process.env["PORT"] ?? 3000)
await app.listen({ host, port })
console.log(`Listening on http://${host}:${port}`)

process.once("SIGTERM", () => void app.close())
