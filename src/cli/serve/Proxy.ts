/** The reverse proxy: from a caller's request to Nomba's response. */
import * as Http from "node:http"
import type { Socket } from "node:net"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { NombaConfig } from "../../services/NombaConfig.js"
import { TokenCache } from "../../services/TokenCache.js"
import * as Admission from "./Admission.js"
import { type Exchange, Gone } from "./Exchange.js"
import * as Forward from "./Forward.js"
import { drain, type ListenError, type ListenTarget, listen, portOf } from "./Listener.js"
import { type Handled, Metrics } from "./Metrics.js"
import * as OwnResponse from "./OwnResponse.js"
import * as Upload from "./Upload.js"
import * as Upstream from "./Upstream.js"

export interface Options extends Admission.Options {
  readonly place: ListenTarget
  readonly onHandled?: ((handled: Handled) => void) | undefined
  /** In milliseconds. Default: 10 s for the headers, 5 minutes for a whole request, 25 s to finish when the scope closes. */
  readonly limits?: Partial<Limits> | undefined
}

interface Limits {
  readonly headers: number
  readonly request: number
  readonly drain: number
}

const defaultLimits: Limits = { headers: 10_000, request: 300_000, drain: 25_000 }

/** More connections at once are closed: each takes memory before it has shown a key. */
const MAX_CONNECTIONS = 2_048

const MAX_HEADER_SIZE = 16 * 1_024

export interface Proxy {
  /** The URL for callers. On a Unix socket any host name will do. */
  readonly url: string
  readonly metrics: Metrics
  /** Whether the proxy is closing and takes no new connections. */
  readonly isClosing: () => boolean
}

/**
 * Listens until the scope closes: then it takes no new connections and waits for the requests in flight, at most 25 seconds.
 */
export const start = (options: Options): Effect.Effect<Proxy, ListenError, Scope.Scope | NombaConfig | TokenCache> =>
  Effect.gen(function* () {
    const { onHandled, place } = options
    const config = yield* NombaConfig
    const cache = yield* TokenCache
    const upstream = yield* Upstream.make(config, cache)
    const metrics = new Metrics()
    const limits = { ...defaultLimits, ...options.limits }
    const connections: Connections = new Map()
    const server = makeServer(limits)
    let isClosing = false
    const closing = (): boolean => isClosing
    const isLast = (exchange: Exchange): boolean =>
      isClosing && connections.get(exchange.caller.socket)?.at(-1) === exchange
    // Node's own `closeIdleConnections` leaves those that have not sent a whole request yet.
    const closeIdle = (): void => {
      for (const [socket, exchanges] of connections) if (exchanges.length === 0) socket.destroy()
    }
    const ended = (handled: Handled): void => {
      // A connection that was busy when the proxy began to close is idle now.
      if (isClosing) setImmediate(closeIdle)
      metrics.record(handled)
      onHandled?.(handled)
    }
    const { end, handle } = handler(
      Admission.make(options, config.baseUrl, hostCheckOf(place, server)),
      Forward.make(config, cache, upstream, yield* Effect.runtime<never>()),
      metrics,
      ended,
      isLast,
      connections
    )
    server.on("connection", (socket) => {
      const exchanges: Array<Exchange> = []
      connections.set(socket, exchanges)
      socket.on("close", () => {
        // A response that waits for the one before it does not tell that its connection has gone.
        for (const exchange of [...exchanges]) end(exchange)
        connections.delete(socket)
      })
    })
    const refuse = refuser(connections, ended)
    server.on("connect", ({ method = "-" }, socket: Socket) => refuse(socket, 405, "CONNECT is not offered", method))
    server.on("clientError", ({ code = "" }: NodeJS.ErrnoException, socket: Socket) =>
      refuse(socket, ...(rawRefusals[code] ?? NOT_HTTP))
    )
    server.on("request", handle)
    // Without these listeners Node asks for the body before the key was checked, or answers itself.
    server.on("checkContinue", handle)
    server.on("checkExpectation", handle)
    const url = yield* Effect.acquireRelease(listen(server, place, "--port"), () =>
      Effect.suspend(() => {
        isClosing = true
        return drain(server, closeIdle, limits.drain)
      })
    )
    return { url, metrics, isClosing: closing }
  })

/**
 * The open connections and the requests of each that are being handled: the next may come before the response. Not one `Set`
 * of all requests: each time V8 makes a new table for it, the old one keeps its keys and the new table alive until the old
 * generation is collected, and with them a quarter of what all requests allocate.
 */
type Connections = Map<Socket, Array<Exchange>>

const makeServer = (limits: Limits): Http.Server => {
  const server = Http.createServer({
    insecureHTTPParser: false,
    maxHeaderSize: MAX_HEADER_SIZE,
    headersTimeout: limits.headers,
    requestTimeout: limits.request,
    connectionsCheckingInterval: Math.min(1_000, limits.headers),
    keepAliveTimeout: 65_000,
    keepAlive: true,
    // Checked with all other headers, so that this refusal looks like the others.
    requireHostHeader: false
  })
  server.maxConnections = MAX_CONNECTIONS
  return server
}

const NOT_HTTP = [400, "the request is not valid HTTP"] as const

const rawRefusals: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not arrive in time"],
  HPE_HEADER_OVERFLOW: [431, `the headers are larger than ${MAX_HEADER_SIZE / 1_024} KiB`]
}

/** Answers what is not a request, and no request yet. */
const refuser =
  (connections: Connections, onEnd: (handled: Handled) => void) =>
  (socket: Socket, status: number, problem: string, method = "-"): void => {
    const exchanges = connections.get(socket) ?? []
    // The problem is in what follows a whole request, such as the rest of a body with too small a Content-Length. That request
    // may have been processed, so it gets its own response, which is the last of its connection.
    const passedOn = exchanges.filter(({ caller }) => caller.complete)
    for (const { response } of passedOn) response.shouldKeepAlive = false
    if (passedOn.length > 0) return
    // The connection has failed, or its problem has been answered.
    if (!socket.writable) return void socket.destroy()
    if (exchanges.length === 0) onEnd({ key: "-", method, path: "-", status, isReplayed: false, millis: 0 })
    // A body that ends too early is that of a caller that has gone.
    else if (!socket.readableEnded) for (const exchange of exchanges) exchange.statusIfCut = status
    OwnResponse.refuseRaw(socket, status, problem)
  }

/** The port is known only after the server listens, which is before the first request. */
const hostCheckOf = (place: ListenTarget, server: Http.Server): ((header: string) => boolean) => {
  let check: ((header: string) => boolean) | undefined
  return (header) => {
    check ??= Admission.makeHostCheck(
      "socket" in place
        ? undefined
        : { host: place.host, port: portOf(server, place.port), allowedHosts: place.allowedHosts ?? [] }
    )
    return check(header)
  }
}

const ignore = (): void => {}

/** What is done with one request, and what when it has ended. */
const handler = (
  admit: ReturnType<typeof Admission.make>,
  forward: Forward.Forward,
  metrics: Metrics,
  onEnd: (handled: Handled) => void,
  isLast: (exchange: Exchange) => boolean,
  connections: Connections
) => {
  const heldBytes: Upload.HeldBytes = { left: Upload.TOTAL_LIMIT }
  const end = (exchange: Exchange): void => {
    const { caller, gone, isReplayed, key, path, response, startedAt, statusIfCut, upload } = exchange
    const ofConnection = connections.get(caller.socket) ?? []
    const at = ofConnection.indexOf(exchange)
    if (at < 0) return
    ofConnection.splice(at, 1)
    upload.stop()
    if (!response.writableFinished) gone.go()
    metrics.inFlight -= 1
    onEnd({
      key,
      method: caller.method ?? "-",
      path,
      status: response.writableFinished ? response.statusCode : statusIfCut,
      isReplayed,
      millis: performance.now() - startedAt
    })
  }
  const handle = (caller: Http.IncomingMessage, response: Http.ServerResponse): void => {
    const { socket } = caller
    const ofConnection = connections.get(socket) ?? []
    // The connection ends with the response before (RFC 9112 section 9.6).
    if (!socket.writable || ofConnection.at(-1)?.response.shouldKeepAlive === false) return
    // Node ends a connection of HTTP/1.0 if the response states no length.
    if (caller.httpVersion === "1.0") response.shouldKeepAlive = false
    const exchange: Exchange = {
      caller,
      response,
      upload: new Upload.Upload(caller, heldBytes),
      gone: new Gone(),
      startedAt: performance.now(),
      key: "-",
      path: "-",
      isReplayed: false,
      statusIfCut: 499
    }
    metrics.inFlight += 1
    ofConnection.push(exchange)
    caller.on("error", ignore)
    response.on("error", ignore)
    response.on("close", () => end(exchange))
    try {
      const admitted = admit(exchange)
      if ("tag" in admitted) OwnResponse.refuse(exchange, admitted)
      else forward(exchange, admitted, isLast).catch((error: unknown) => OwnResponse.fail(exchange, error))
    } catch (error) {
      // An exception here would end the process, and so the requests of all other callers.
      OwnResponse.fail(exchange, error)
    }
  }
  return { end, handle }
}
