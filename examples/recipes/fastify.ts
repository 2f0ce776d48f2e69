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

// Fastify would answer with the status and the message in the error, which Nomba meant for you: a 401, for instance.
app.setErrorHandler((error, _request, reply) => {
  if (!isNombaError(error)) throw error
  console.error(error)
  return error._tag === "Unavailable"
    ? reply.status(503).send({ message: "Nomba is not available. Try again." })
    : reply.status(502).send({ message: "Nomba did not accept the request." })
})

const host = process.env["HOST"] ?? "localhost"
const port = Number(process.env["PORT"] ?? 3000)
await app.listen({ host, port })
console.log(`Listening on http://${host}:${port}`)

process.once("SIGTERM", () => void app.close())
