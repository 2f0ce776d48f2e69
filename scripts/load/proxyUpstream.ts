/** The process behind the proxies: answers a token request and everything else at once. */
import { createServer } from "node:http"

const grant = JSON.stringify({
  code: "00",
  description: "Success",
  data: {
    access_token: `eyJhbGciOiJIUzI1NiJ9.${"eyJzdWIiOiJtZXJjaGFudEBleGFtcGxlLmNvbSJ9".repeat(8)}.${"3Tq1Yb0hQ7m-kWmE2s9uV_x6nLzR4cJpA8dHfGoKyI5"}`,
    refresh_token: "refresh",
    token_type: "Bearer",
    expires_in: 86_400
  }
})
const balance = JSON.stringify({
  code: "00",
  description: "Success",
  data: { amount: "250000.00", currency: "NGN", timeCreated: "2026-11-27T07:33:46.714Z" }
})

const server = createServer((request, response) => {
  const body = request.url === "/v1/auth/token/issue" ? grant : balance
  request.resume()
  request.on("end", () => {
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length })
    response.end(body)
  })
})
server.keepAliveTimeout = 60_000
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" ? address?.port : ""}\n`)
})
