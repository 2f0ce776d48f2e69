/** What `nomba-auth serve` is compared with: the least that a reverse proxy over node:http can be. */
import { Agent, createServer, request } from "node:http"

const target = Number(process.argv[2])
const agent = new Agent({ keepAlive: true })

const server = createServer((incoming, outgoing) => {
  const sent = request(
    { host: "127.0.0.1", port: target, method: incoming.method, path: incoming.url, headers: incoming.headers, agent },
    (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(outgoing)
    }
  )
  sent.on("error", () => outgoing.destroy())
  incoming.pipe(sent)
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  process.stdout.write(`${typeof address === "object" ? address?.port : ""}\n`)
})
