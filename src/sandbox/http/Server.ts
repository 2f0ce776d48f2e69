/** The sandbox on a socket of this machine. */
import { createServer, type IncomingMessage } from "node:http"
import { createServer as createTlsServer } from "node:https"
import type { Socket } from "node:net"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Hostname from "../config/Hostname.js"
import type { Settings } from "../config/Options.js"
import { SandboxError } from "../config/SandboxError.js"
import { type ConnectionReset, firstHalf, type SandboxApp } from "./SandboxApp.js"

type Listening = Pick<Settings, "host" | "port" | "tls">

const urlOf = (hostname: string, port: number, { tls }: Listening): string => {
  const host = Hostname.anyAddress.has(hostname) ? "127.0.0.1" : Hostname.bracketed(hostname)
  return new URL(`${tls === undefined ? "http" : "https"}://${host}:${port}`).origin
}

const listenError = (cause: unknown, { host, port }: Listening): SandboxError => {
  const code = Predicate.hasProperty(cause, "code") ? String(cause.code) : "unknown"
  const sentences: Readonly<Record<string, string>> = {
    EADDRINUSE: `Port ${port} is already in use on ${host}`,
    EACCES: `No permission to listen on port ${port}`,
    EADDRNOTAVAIL: `${host} is not an address of this machine`,
    ENOTFOUND: `${host} cannot be resolved`
  }
  const issue = `${sentences[code] ?? `Cannot listen on ${host}:${port}`} (${code})`
  return new SandboxError({ reason: "Listen", issues: [issue] })
}

/** A client that disconnects in the middle of a request is not a failure of this process. */
const ignoreConnectionError = (): void => {}

/** RFC 9112 section 3.2.2: the target names the host, and the `Host` header does not count. */
const useOriginForm = (request: IncomingMessage): void => {
  const [, host, target = ""] = /^https?:\/\/([^/?#]*)(.*)$/is.exec(request.url ?? "") ?? []
  if (host === undefined) return
  request.url = target.startsWith("/") ? target : `/${target}`
  request.headers.host = host
}

/** Destroys the socket, which interrupts this fiber. */
const resetConnection = ({ truncated }: ConnectionReset) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) => {
    const response = NodeHttpServerRequest.toServerResponse(request)
    Option.match(truncated, {
      onNone: () => response.destroy(),
      onSome: (answer) => {
        response.writeHead(answer.status, { ...answer.headers, "content-length": answer.body.contentLength ?? 0 })
        response.write(firstHalf(answer), () => response.destroy())
      }
    })
    return Effect.never
  })

/** Node's 5 s end a connection just as a client uses it that a debugger or a busy machine has stopped: the call fails. */
const KEEP_ALIVE = 65_000

const create = ({ tls }: Listening): Effect.Effect<ReturnType<typeof createServer>, SandboxError> =>
  tls === undefined
    ? Effect.sync(() => createServer({ keepAliveTimeout: KEEP_ALIVE }))
    : Effect.try({
        try: () => createTlsServer({ keepAliveTimeout: KEEP_ALIVE, cert: tls.cert, key: Redacted.value(tls.key) }),
        catch: () => new SandboxError({ reason: "Options", issues: ["tls: must be a certificate and its key, in PEM"] })
      })

/**
 * Ends every connection. Node's `closeAllConnections` does not know those of a TLS server that have not finished the
 * handshake, and `close` would wait for them.
 */
const endConnections = (node: ReturnType<typeof createServer>): (() => void) => {
  const sockets = new Set<Socket>()
  let isClosing = false
  node.on("connection", (socket: Socket) => {
    if (isClosing) socket.destroy()
    else sockets.add(socket.once("close", () => sockets.delete(socket)))
  })
  return () => {
    isClosing = true
    for (const socket of sockets) socket.destroy()
  }
}

/** Listens until the scope closes, which also closes open connections. Requests are not logged or traced. Returns the URL. */
export const serve = (app: SandboxApp, options: Listening): Effect.Effect<string, SandboxError, Scope.Scope> =>
  Effect.gen(function* () {
    const node = yield* create(options)
    const disconnect = endConnections(node)
    const server = yield* NodeHttpServer.make(() => node, { host: options.host, port: options.port }).pipe(
      Effect.mapError(({ cause }) => listenError(cause, options))
    )
    yield* Effect.addFinalizer(() => Effect.sync(disconnect))
    yield* Effect.catchTag(app, "ConnectionReset", resetConnection).pipe(
      Effect.interruptible,
      HttpServer.serveEffect(),
      HttpMiddleware.withTracerDisabledWhenEffect(() => true),
      Effect.provideService(HttpServer.HttpServer, server)
    )
    // Platform takes every upgrade request, and leaves its socket without an error handler when it answers it. Without
    // this listener Node treats an upgrade that is not offered as a plain request (RFC 9110 section 7.8).
    node.removeAllListeners("upgrade")
    node.prependListener("request", (request, response) => {
      useOriginForm(request)
      request.on("error", ignoreConnectionError)
      response.on("error", ignoreConnectionError)
    })
    return server.address._tag === "TcpAddress" ? urlOf(server.address.hostname, server.address.port, options) : ""
  })
