import express from "express"
import { createNomba, isNombaError } from "nomba-auth/promise"

const nomba = createNomba()
const app = express()

app.get("/balance", async (_request, response) => {
  response.json(await nomba.request("/v1/accounts/balance"))
})

// Ready as soon as it listens: `peek` looks at the memory only, so a health check never logs in.
app.get("/health", (_request, response) => {
  const session = nomba.peek()
  response.json({ ready: true, hasToken: session !== undefined, expiresInMs: session?.remainingMs })
})

// Express would answer with the status in the error, which Nomba meant for you: a 401, for instance.
app.use(((error, _request, response, next) => {
  if (!isNombaError(error)) return next(error)
  console.error(error)
  if (error._tag === "Unavailable") {
    response.set("retry-after", String(Math.ceil((error.retryAfterMs ?? 1_000) / 1_000)))
    response.status(503).json({ message: "Nomba is not available. Try again." })
  } else {
    response.status(502).json({ message: "Nomba did not accept the request." })
  }
}) satisfies express.ErrorRequestHandler)

const host = process.env["HOST"] ?? "localhost"
const port = Number(process.env["PORT"] ?? 3000)
const server = app.listen(port, host, () => console.log(`Listening on http://${host}:${port}`))

// First the requests end that are being answered, then the client.
process.once("SIGTERM", () => {
  server.close(() => void nomba.close())
})
