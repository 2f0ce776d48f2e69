/** The reverse proxy: from a caller's request to Nomba's response. */
import { chmodSync, lstatSync, unlinkSync } from "node:fs"
import * as Http from "node:http"
import { connect, type Socket } from "node:net"
import * as Cause from "effect/Cause"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as Snapshot from "../../layers/cache/Snapshot.js"
import { destination, VERSION } from "../../layers/http/OutgoingRequest.js"
import * as Recovery from "../../layers/http/Recovery.js"
import * as Hostname from "../../sandbox/config/Hostname.js"
import type { AuthError } from "../../schemas/AuthError.js"
import { NombaConfig, type NombaConfigService } from "../../services/NombaConfig.js"
import { TokenCache, type TokenCacheService } from "../../services/TokenCache.js"
import * as Admission from "./Admission.js"
import * as Headers from "./Headers.js"
import * as Keys from "./Keys.js"
import { MaskedBody } from "./Masking.js"
import { type Handled, Metrics } from "./Metrics.js"
import * as Upload from "./Upload.js"
import * as Upstream from "./Upstream.js"

/** Where the proxy listens: a port of an address, or a Unix socket of mode 0660. */
export type Place =
  | { readonly host: string; readonly port: number; readonly allowedHosts?: ReadonlyArray<string> | undefined }
  | { readonly socket: string }

export interface Options {
  readonly place: Place
  /** `none` lets every caller in, and is for a Unix socket, whose file says who may connect. */
  readonly keys: ReadonlyArray<Keys.Key> | "none"
  /** What all keys may do. Default: everything but token operations. */
  readonly rules?: ReadonlyArray<Admission.Rule> | undefined
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

/** A proxy that listens. */
export interface Proxy {
  /** The URL for callers. On a Unix socket any host name will do. */
  readonly url: string
  readonly metrics: Metrics
  /** Whether the proxy is closing and takes no new connections. */
  readonly isClosing: () => boolean
}

/** The proxy cannot listen. The message says where and why. */
export class ListenError extends Data.TaggedError("ListenError")<{ readonly message: string }> {}

/**
 * Listens until the scope closes: then it takes no new connections and waits for the requests in flight, at most 25 seconds.
 */
export const start = (options: Options): Effect.Effect<Proxy, ListenError, Scope.Scope | NombaConfig | TokenCache> =>
  Effect.gen(function* () {
    const config = yield* NombaConfig
    const cache = yield* TokenCache
    const upstream = yield* Upstream.make(config, cache)
    const metrics = new Metrics()
    const runtime = yield* Effect.runtime<never>()
    const state = { isClosing: false }
    const limits = { ...defaultLimits, ...options.limits }
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
    const handle = handlerOf({ cache, config, metrics, options, runtime, server, state, upstream })
    server.on("request", handle)
    // Without this listener Node asks for the body before the key was checked.
    server.on("checkContinue", handle)
    server.on("connect", (_, socket: Socket) => refuseRaw(socket, 405, "CONNECT is not offered"))
    server.on("clientError", (error: NodeJS.ErrnoException, socket: Socket) => {
      const [status, problem] = rawRefusals[error.code ?? ""] ?? [400, "the request is not valid HTTP"]
      refuseRaw(socket, status, problem)
    })
    const url = yield* Effect.acquireRelease(listen(server, options.place), () =>
      Effect.suspend(() => {
        state.isClosing = true
        return drain(server, limits.drain)
      })
    )
    yield* Effect.forkScoped(
      Stream.runForEach(cache.changes, (event) => Effect.sync(() => metrics.session(event))).pipe(Effect.interruptible)
    )
    return { url, metrics, isClosing: () => state.isClosing }
  })

const rawRefusals: Readonly<Record<string, readonly [number, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "the request did not arrive in time"],
  HPE_HEADER_OVERFLOW: [431, `the headers are larger than ${MAX_HEADER_SIZE / 1_024} KiB`]
}

/** To what the HTTP parser did not take for a request. */
const refuseRaw = (socket: Socket, status: number, problem: string): void => {
  if (!socket.writable || socket.bytesWritten > 0) return void socket.destroy()
  const body = envelope({ status, tag: "InvalidRequest", description: `Not passed on: ${problem}.` })
  socket.on("error", () => {})
  socket.end(
    `HTTP/1.1 ${status} ${Http.STATUS_CODES[status]}\r\n${Object.entries(headersOf("InvalidRequest", body))
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("")}connection: close\r\n\r\n${body}`,
    () => socket.destroy()
  )
}

interface Parts {
  readonly cache: TokenCacheService
  readonly config: NombaConfigService
  readonly metrics: Metrics
  readonly options: Options
  readonly runtime: Runtime.Runtime<never>
  readonly server: Http.Server
  readonly state: { readonly isClosing: boolean }
  readonly upstream: Upstream.Upstream
}

type Handler = (request: Http.IncomingMessage, response: Http.ServerResponse) => void

/** What a caller's request is while it is handled. */
interface Exchange {
  readonly caller: Http.IncomingMessage
  readonly response: Http.ServerResponse
  readonly upload: Upload.Upload
  readonly gone: Upstream.Gone
  key: string
  path: string
  isReplayed: boolean
}

/** The response could not be had. */
class Failed extends Error {
  readonly error: AuthError
  constructor(error: AuthError) {
    super(error._tag)
    this.error = error
  }
}

const handlerOf = (parts: Parts): Handler => {
  const { cache, config, metrics, options, runtime, server, state, upstream } = parts
  let hostCheck: ReturnType<typeof Admission.makeHostCheck> | undefined
  const isOwnHost = (header: string): boolean => {
    hostCheck ??= Admission.makeHostCheck(listeningOf(options.place, server))
    return hostCheck(header)
  }
  const resolve = destination(config.baseUrl)
  const prefix = new URL(config.baseUrl).pathname.replace(/\/$/, "")
  const base = new URL(config.baseUrl).origin + prefix
  const runFork = Runtime.runFork(runtime)
  const snapshot = Snapshot.of(cache)
  const heldBytes: Upload.HeldBytes = { left: Upload.TOTAL_LIMIT }
  const added: Headers.Added = {
    authority: upstream.authority,
    accountId: Option.getOrUndefined(config.accountId),
    userAgent: `nomba-auth/${VERSION}`
  }

  /** Ends the wait when the caller has gone. A renewal goes on for the other callers. */
  const run = <A>(effect: Effect.Effect<A, AuthError>, gone: Upstream.Gone): Promise<A> =>
    new Promise((succeed, fail) => {
      const fiber = runFork(effect)
      gone.onGone(() => fiber.unsafeInterruptAsFork(FiberId.none))
      fiber.addObserver((exit) => {
        if (Exit.isSuccess(exit)) succeed(exit.value)
        else
          fail(
            Option.match(Cause.failureOption(exit.cause), {
              onNone: () => Cause.squash(exit.cause),
              onSome: (error) => new Failed(error)
            })
          )
      })
    })

  const send = (
    exchange: Exchange,
    outgoing: Upstream.Outgoing,
    token: Redacted.Redacted<string>,
    isReplay: boolean
  ): Promise<Upstream.Attempt> => {
    exchange.isReplayed ||= isReplay
    return upstream.send(outgoing, token, isReplay)
  }

  const admit = (exchange: Exchange): Admission.Refusal | Upstream.Outgoing => {
    const { caller, gone, upload } = exchange
    const { headers, method = "" } = caller
    const malformed = refuseMalformed(caller)
    if (malformed !== undefined) return malformed
    const page = Admission.refusePage(headers, isOwnHost)
    if (page !== undefined) return page
    const key = options.keys === "none" ? undefined : Keys.find(options.keys, headers)
    if (options.keys !== "none" && key === undefined) return invalidKey
    exchange.key = key?.name ?? "-"
    if (!Admission.METHODS.has(method)) return notAMethod
    const target = Admission.normalise(caller.url ?? "")
    if (Either.isLeft(target)) return target.left
    const { path, query } = target.right
    exchange.path = path
    if (Admission.isTokenOperation(path)) return tokenOperation
    if (!Admission.permits(options.rules, method, path) || !Admission.permits(key?.rules, method, path)) {
      return notAllowed(method, path)
    }
    const url = resolve(path + query)
    // What was checked is what is sent: the same path below the base URL.
    if (Either.isLeft(url)) return leavesBaseUrl
    if (url.right !== base + path + query && new URL(url.right).pathname !== prefix + path) return leavesBaseUrl
    const { accountid } = headers
    const accountId = added.accountId === undefined && typeof accountid === "string" ? accountid : undefined
    return { method, url: url.right, accountId, headers: Headers.upstreamHeaders(caller, added), upload, gone }
  }

  const forward = async (exchange: Exchange, outgoing: Upstream.Outgoing): Promise<void> => {
    const { caller, gone, response, upload } = exchange
    const { method } = outgoing
    const token = snapshot?.fresh() ?? (await run(cache.get, gone))
    if (gone.isGone) return
    if (/^100-continue$/i.test(caller.headers.expect ?? "")) response.writeContinue()
    let attempt = await send(exchange, outgoing, token, false)
    let why: string | undefined
    if (attempt.isRejected) {
      const rejected = attempt
      const mayReplay = ({ response }: Upstream.Attempt): boolean =>
        upload.isReplayable && Recovery.mayReplay(method, response.statusCode ?? 0)
      attempt = await run(
        Recovery.recover<Upstream.Attempt, AuthError>(cache, rejected, {
          mayReplay,
          send: (token) =>
            Effect.tryPromise({
              try: () => send(exchange, outgoing, token, true),
              catch: (error) => error as AuthError
            }),
          discard: (attempt) => Effect.sync(() => Upstream.discard(attempt))
        }),
        gone
      )
      if (attempt.isRejected) why = whyNotReplayed(attempt, upload, method)
    }
    if (!gone.isGone) pass(exchange, outgoing, attempt, why)
  }

  const pass = (
    exchange: Exchange,
    { method }: Upstream.Outgoing,
    attempt: Upstream.Attempt,
    why: string | undefined
  ) => {
    const { response, upload } = exchange
    const { body, mask, request, response: answer, start } = attempt
    const headers = Headers.downstreamHeaders(answer, mask)
    const stated = answer.headers["content-length"]
    const isBodyAsSent = body === answer
    if (stated !== undefined && isBodyAsSent) headers.push("content-length", stated)
    if (why !== undefined) headers.push("x-nomba-auth", "NotReplayed", "x-nomba-auth-detail", why)
    if (!upload.isComplete || state.isClosing) headers.push("connection", "close")
    upload.release()
    response.writeHead(answer.statusCode ?? 502, headers)
    if (Upstream.hasNoBody(answer, method)) {
      answer.resume()
      response.end()
      return
    }
    const masked = new MaskedBody(
      mask,
      isBodyAsSent && stated !== undefined ? Number(stated) : Number.POSITIVE_INFINITY
    )
    const write = (chunk: Buffer): void => {
      const shown = masked.push(chunk)
      if (shown.length === 0 || response.write(shown)) return
      body.pause()
      response.once("drain", () => body.resume())
    }
    const end = (): void => {
      // Nomba has answered before it read everything: nothing more is sent there.
      if (!request.writableFinished) {
        upload.stop()
        request.destroy()
      }
      response.end(masked.end())
    }
    for (const chunk of start) write(chunk)
    if (body.readableEnded) return end()
    if (body.destroyed) return void response.destroy()
    body.on("data", write).on("end", end)
    // A response that breaks off must not look like a whole one.
    body.on("close", () => {
      if (!body.readableEnded) response.destroy()
    })
    body.resume()
  }

  return (caller, response) => {
    const startedAt = performance.now()
    const exchange: Exchange = {
      caller,
      response,
      upload: new Upload.Upload(caller, heldBytes),
      gone: new Upstream.Gone(),
      key: "-",
      path: "-",
      isReplayed: false
    }
    metrics.inFlight += 1
    caller.on("error", () => {})
    response.on("error", () => {})
    response.on("close", () => {
      exchange.upload.stop()
      if (!response.writableFinished) exchange.gone.go()
      metrics.inFlight -= 1
      const handled: Handled = {
        key: exchange.key,
        method: caller.method ?? "-",
        path: exchange.path,
        status: response.headersSent ? response.statusCode : 499,
        isReplayed: exchange.isReplayed,
        millis: performance.now() - startedAt
      }
      // A connection that was busy when the proxy began to close is idle now.
      if (state.isClosing) setImmediate(() => server.closeIdleConnections())
      metrics.record(handled)
      options.onHandled?.(handled)
    })
    try {
      const admitted = admit(exchange)
      if ("tag" in admitted) refuse(exchange, admitted)
      else forward(exchange, admitted).catch((error: unknown) => fail(exchange, error))
    } catch (error) {
      // An exception here would end the process, and so the requests of all other callers.
      fail(exchange, error)
    }
  }
}

const listeningOf = (place: Place, server: Http.Server): Admission.Listening | undefined => {
  if ("socket" in place) return undefined
  const address = server.address()
  const port = typeof address === "object" && address !== null ? address.port : place.port
  return { host: place.host, port, allowedHosts: place.allowedHosts ?? [] }
}

/** What the parser takes and another server may read in another way. */
const refuseMalformed = ({ headers, httpVersion, rawHeaders, url = "" }: Http.IncomingMessage) => {
  const hosts = rawHeaders.filter((name, index) => index % 2 === 0 && name.length === 4 && /^host$/i.test(name))
  const encoding = headers["transfer-encoding"]
  if (!url.startsWith("/")) return malformed("the path must begin with a slash: absolute URLs are not passed on")
  if (hosts.length !== 1) return malformed("there must be one Host header")
  if (encoding !== undefined && (encoding.toLowerCase() !== "chunked" || httpVersion === "1.0")) {
    return malformed("Transfer-Encoding must be chunked")
  }
  return undefined
}

const malformed = (problem: string): Admission.Refusal => ({
  status: 400,
  tag: "InvalidRequest",
  description: `Not passed on: ${problem}.`
})

const invalidKey: Admission.Refusal = {
  status: 401,
  tag: "InvalidKey",
  description: "The key of this proxy is missing or wrong: send it as x-nomba-key, or as Authorization: Bearer KEY."
}

const notAMethod: Admission.Refusal = {
  status: 405,
  tag: "InvalidRequest",
  description: `The method must be one of ${[...Admission.METHODS].join(", ")}.`
}

const tokenOperation: Admission.Refusal = {
  status: 403,
  tag: "NotAllowed",
  description: "This proxy obtains the token itself: remove the token request from your program."
}

const notAllowed = (method: string, path: string): Admission.Refusal => ({
  status: 403,
  tag: "NotAllowed",
  description: `No rule of --allow or of this key permits ${method} ${path.slice(0, 200)}.`
})

const leavesBaseUrl: Admission.Refusal = {
  status: 400,
  tag: "InvalidRequest",
  description: "The path leaves the configured base URL."
}

/** Why a rejected request was not sent again, or not once more. */
const whyNotReplayed = ({ response }: Upstream.Attempt, upload: Upload.Upload, method: string): string => {
  if (!upload.isReplayable) return "the body is larger than 1 MiB and was not held: send the request again"
  if (!Recovery.mayReplay(method, response.statusCode ?? 0)) {
    return "after a 5xx only GET and HEAD are sent again, because the request may have been processed"
  }
  return "Nomba also rejected a renewed token: check the account id and whether it may call this path"
}

/** Nomba's envelope (ErrorResponse of its OpenAPI document). */
const envelope = ({ description, status }: Pick<Admission.Refusal, "status" | "description"> | Admission.Refusal) =>
  JSON.stringify({ code: String(status), description })

const headersOf = (tag: string, body: string): Readonly<Record<string, string | number>> => ({
  "content-type": "application/json",
  "content-length": Buffer.byteLength(body),
  "cache-control": "no-store",
  "x-nomba-auth": tag
})

const answer = (
  { caller, response, upload }: Exchange,
  status: number,
  tag: string,
  description: string,
  more: Readonly<Record<string, string | number>> = {}
): void => {
  if (response.headersSent || response.destroyed) return void response.destroy()
  upload.stop()
  const body = envelope({ status, description })
  // The rest of the request is not read, and what followed one that is malformed may be part of it.
  const closing = upload.isComplete && status !== 400 ? {} : { connection: "close" }
  response.writeHead(status, { ...headersOf(tag, body), ...more, ...closing })
  response.end(caller.method === "HEAD" ? undefined : body)
}

const refuse = (exchange: Exchange, { description, status, tag }: Admission.Refusal): void =>
  answer(exchange, status, tag, description, status === 401 ? { "www-authenticate": 'Bearer realm="nomba-auth"' } : {})

const fail = (exchange: Exchange, failure: unknown): void => {
  const error = failure instanceof Failed ? failure.error : failure
  if (exchange.gone.isGone) {
    exchange.response.destroy()
    return
  }
  if (!isAuthError(error)) {
    answer(exchange, 500, "Unexpected", "The proxy failed unexpectedly.")
    return
  }
  const { retryAfter } = error
  const wait = retryAfter === undefined ? {} : { "retry-after": Math.ceil(Duration.toSeconds(retryAfter)) }
  answer(exchange, statusOf(error), error._tag, error.message, wait)
}

const isAuthError = (error: unknown): error is AuthError =>
  error instanceof Error && "_tag" in error && "operation" in error

/** Never 401: the caller's key is good, and a program that logs in again after a 401 would not help. */
const statusOf = (error: AuthError): number => {
  if (error._tag !== "Unavailable") return 502
  if (error.reason === "RateLimited") return 429
  // This request did not reach Nomba or its response was lost, in contrast to a token that cannot be had for now.
  const isLost = error.operation === "request" && (error.reason === "Network" || error.reason === "Timeout")
  return isLost ? 502 : 503
}

export const listen = (server: Http.Server, place: Place): Effect.Effect<string, ListenError> =>
  Effect.gen(function* () {
    if ("socket" in place) yield* removeStaleSocket(place.socket)
    yield* Effect.async<void, ListenError>((resume) => {
      const onError = (error: NodeJS.ErrnoException): void =>
        resume(new ListenError({ message: problemOf(error, place) }))
      server.once("error", onError)
      const listening = (): void => {
        server.off("error", onError)
        server.on("error", () => {})
        resume(Effect.void)
      }
      if ("socket" in place) {
        // The socket is bound within this call, so it never has other rights.
        const umask = process.umask(0o117)
        server.listen(place.socket, listening)
        process.umask(umask)
      } else {
        server.listen(place.port, place.host, listening)
      }
    })
    if ("socket" in place) {
      chmodSync(place.socket, 0o660)
      return "http://localhost"
    }
    const address = server.address()
    const { port } = typeof address === "object" && address !== null ? address : place
    const host = Hostname.anyAddress.has(place.host) ? "127.0.0.1" : Hostname.bracketed(place.host)
    return `http://${host}:${port}`
  })

const problemOf = ({ code }: NodeJS.ErrnoException, place: Place): string => {
  if ("socket" in place) return `Cannot listen on ${place.socket}: ${code}.`
  if (code === "EADDRINUSE")
    return `Port ${place.port} is already in use on ${place.host}: use --port 0 for a free port.`
  return `Cannot listen on ${place.host}:${place.port}: ${code}.`
}

/** A socket that a killed process has left behind. One that answers is in use. */
const removeStaleSocket = (path: string): Effect.Effect<void, ListenError> =>
  Effect.async((resume) => {
    const found = Option.getOrUndefined(Option.liftThrowable(lstatSync)(path))
    if (found === undefined) return resume(Effect.void)
    if (!found.isSocket())
      return resume(new ListenError({ message: `${path} exists and is not a socket: choose another path.` }))
    const probe = connect(path)
    probe.once("connect", () => {
      probe.destroy()
      resume(new ListenError({ message: `${path} is in use by another process.` }))
    })
    probe.once("error", () => {
      Option.liftThrowable(unlinkSync)(path)
      resume(Effect.void)
    })
  })

const drain = (server: Http.Server, limit: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const timer = setTimeout(() => server.closeAllConnections(), limit)
    server.close(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
    server.closeIdleConnections()
  })
