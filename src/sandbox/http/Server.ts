/** The sandbox on a socket of this machine. */
import { createServer } from "node:http"
import * as HttpMiddleware from "@effect/platform/HttpMiddleware"
import * as HttpServer from "@effect/platform/HttpServer"
import * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import type * as Scope from "effect/Scope"
import * as Hostname from "../config/Hostname.js"
import { SandboxError } from "../config/SandboxError.js"
import { type ConnectionReset, firstHalf, type SandboxApp } from "./SandboxApp.js"

const urlOf = (hostname: string, port: number): string =>
  `http://${Hostname.anyAddress.has(hostname) ? "127.0.0.1" : Hostname.bracketed(hostname)}:${port}`

const codeOf = (cause: unknown): string => (Predicate.hasProperty(cause, "code") ? String(cause.code) : "unknown")

/** A client that goes away in the middle of a request is no failure of this process. */
const ignoreConnectionError = (): void => {}

/** A dropped connection: the socket is destroyed, after half of an answer or none, which interrupts this fiber. */
const hangUp = ({ truncated }: ConnectionReset) =>
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

/**
 * Listens until the scope closes, which cuts the connections that are still open. No request is logged or traced.
 * Gives the URL.
 */
export const serve = (
  app: SandboxApp,
  options: { readonly host: string; readonly port: number }
): Effect.Effect<string, SandboxError, Scope.Scope> =>
  Effect.gen(function* () {
    const node = createServer()
    const server = yield* NodeHttpServer.make(() => node, options).pipe(
      Effect.mapError(({ cause }) => {
        const issues = [`${options.host}:${options.port} cannot be listened on (${codeOf(cause)})`]
        return new SandboxError({ reason: "Listen", issues })
      })
    )
    yield* Effect.addFinalizer(() => Effect.sync(() => node.closeAllConnections()))
    yield* Effect.catchTag(app, "ConnectionReset", hangUp).pipe(
      Effect.interruptible,
      HttpServer.serveEffect(),
      HttpMiddleware.withTracerDisabledWhenEffect(() => true),
      Effect.provideService(HttpServer.HttpServer, server)
    )
    // Platform takes every upgrade request, and leaves its socket without an error handler when it answers it. Without
    // this listener Node treats an upgrade that is not offered as a plain request (RFC 9110 section 7.8).
    node.removeAllListeners("upgrade")
    node.prependListener("request", (request, response) => {
      request.on("error", ignoreConnectionError)
      response.on("error", ignoreConnectionError)
    })
    return server.address._tag === "TcpAddress" ? urlOf(server.address.hostname, server.address.port) : ""
  })
