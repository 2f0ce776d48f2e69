/** Stand-ins for a company's network, on this machine: TLS in front of the sandbox, and a proxy. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer, request, type Server } from "node:http"
import * as Https from "node:https"
import { type AddressInfo, connect, type Socket } from "node:net"
import { fileURLToPath } from "node:url"

const certificates = fileURLToPath(new URL("../../../test/fixtures/tls/", import.meta.url))

export interface Listening extends AsyncDisposable {
  readonly port: number
}

/** The certificate of `localhost`, and of `api.example`, a name that only the proxy knows. */
export const certificateOf = (host: "localhost" | "api.example"): string =>
  `${certificates}${host === "localhost" ? "certificate" : "anotherHost"}.pem`

const listen = async (server: Server | Https.Server): Promise<Listening> => {
  const sockets = new Set<Socket>()
  server.on("connection", (socket: Socket) => {
    sockets.add(socket)
    socket.on("error", () => {}).once("close", () => sockets.delete(socket))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
    }
  }
}

/** Passes what comes over TLS on to a server. */
export const tlsBefore = (url: string, host: "localhost" | "api.example"): Promise<Listening> =>
  listen(
    Https.createServer(
      { cert: readFileSync(certificateOf(host)), key: readFileSync(`${certificates}key.pem`) },
      (incoming, outgoing) => {
        const { headers, method, url: path } = incoming
        const passed = request(new URL(path ?? "/", url), { method, headers: { ...headers, host: new URL(url).host } })
        passed.on("response", (response) => {
          outgoing.writeHead(response.statusCode ?? 502, response.headers)
          response.pipe(outgoing)
        })
        incoming.pipe(passed)
      }
    )
  )

export interface Proxy extends Listening {
  /** The places to which it was asked to connect. */
  readonly asked: ReadonlyArray<string>
}

/** Answers `CONNECT`, whatever the place, with a connection to the port. */
export const connectProxy = async (port: number): Promise<Proxy> => {
  const asked: Array<string> = []
  const server = createServer((_, response) => response.writeHead(405).end())
  server.on("connect", ({ url }, client: Socket, head) => {
    asked.push(url ?? "")
    const target = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n")
      target.write(head)
      client.pipe(target).pipe(client)
    })
    target.on("error", () => client.destroy())
    client.on("error", () => target.destroy()).once("close", () => target.destroy())
  })
  return { ...(await listen(server)), asked }
}
