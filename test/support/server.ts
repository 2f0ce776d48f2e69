/** Servers on real sockets, for what a scripted client cannot show: redirects, connections, bytes. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import * as Net from "node:net"
import { Deferred, Effect, type Scope } from "effect"

export interface StandIn {
  readonly url: string
  readonly port: number
  /** The requests so far, as `METHOD /path`. */
  readonly seen: ReadonlyArray<string>
  /** Done when the first connection is closed. */
  readonly closed: Effect.Effect<void>
}

const listen = (server: Net.Server, seen: ReadonlyArray<string>): Effect.Effect<StandIn, never, Scope.Scope> =>
  Effect.gen(function* () {
    const closed = yield* Deferred.make<void>()
    const sockets = new Set<Net.Socket>()
    server.on("connection", (socket: Net.Socket) => {
      sockets.add(socket)
      socket.on("error", () => {})
      socket.once("close", () => {
        sockets.delete(socket)
        Deferred.unsafeDone(closed, Effect.void)
      })
    })
    yield* Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
    yield* Effect.addFinalizer(() =>
      Effect.async<void>((resume) => {
        for (const socket of sockets) socket.destroy()
        server.close(() => resume(Effect.void))
      })
    )
    const address = server.address()
    const port = typeof address === "object" && address !== null ? address.port : 0
    return { url: `http://127.0.0.1:${port}`, port, seen, closed: Deferred.await(closed) }
  })

export const serve = (
  handle: (request: IncomingMessage, response: ServerResponse, body: string) => void
): Effect.Effect<StandIn, never, Scope.Scope> =>
  Effect.suspend(() => {
    const seen: Array<string> = []
    const server = createServer((request, response) => {
      seen.push(`${request.method} ${request.url}`)
      const parts: Array<Buffer> = []
      request.on("data", (part: Buffer) => parts.push(part))
      request.on("end", () => handle(request, response, Buffer.concat(parts).toString()))
    })
    return listen(server, seen)
  })

/** A server that treats each connection as it likes. */
export const serveTcp = (handle: (socket: Net.Socket) => void): Effect.Effect<StandIn, never, Scope.Scope> =>
  Effect.suspend(() => listen(Net.createServer(handle), []))

/** A closed port. */
export const closedPort: Effect.Effect<number> = Effect.scoped(
  Effect.map(
    serveTcp(() => {}),
    ({ port }) => port
  )
)
