/** Sends requests to Nomba with `node:http`, and reads what their responses say about the token. */
import * as Http from "node:http"
import * as Https from "node:https"
import { type Duplex, pipeline, type Readable, type Transform } from "node:stream"
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Snapshot from "../../layers/cache/Snapshot.js"
import * as BaseUrl from "../../layers/config/BaseUrl.js"
import { isRedirect } from "../../layers/http/GuardedClient.js"
import * as IncomingResponse from "../../layers/http/IncomingResponse.js"
import * as NetworkFailure from "../../layers/http/NetworkFailure.js"
import { SentRequest } from "../../layers/http/OutgoingRequest.js"
import * as Recovery from "../../layers/http/Recovery.js"
import { Unavailable, UnexpectedResponse } from "../../schemas/AuthError.js"
import { isHeaderSafe } from "../../schemas/SafeText.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import type { TokenCacheService } from "../../services/TokenCache.js"
import type { Gone } from "./Exchange.js"
import { Mask } from "./Masking.js"
import type { Upload } from "./Upload.js"

/** A request without its token. */
export interface UpstreamRequest {
  readonly method: string
  /** The absolute URL below the base URL. */
  readonly url: string
  /** If the caller brings it. */
  readonly accountId: string | undefined
  /** Names and values in turn. */
  readonly headers: Array<string>
  readonly upload: Upload
  /** Ends the request, also in the middle of its response. */
  readonly gone: Gone
}

/** A request as it was sent, and the response whose body was not read, or only its beginning. */
export interface Attempt extends Recovery.Attempt {
  readonly request: Http.ClientRequest
  readonly response: Http.IncomingMessage
  /** Decoded. */
  readonly body: Readable
  readonly start: ReadonlyArray<Buffer>
  readonly mask: Mask
}

export interface Upstream {
  /** Host and port, as the `Host` header names them. */
  readonly authority: string
  /** Rejects with `Unavailable` or `UnexpectedResponse`. */
  readonly send: (outgoing: UpstreamRequest, token: Redacted.Redacted<string>, isReplay: boolean) => Promise<Attempt>
}

/** As Node's `fetch`: shorter than any server keeps an idle connection, so that few requests meet one that was closed. */
const IDLE_LIMIT = 4_000

/** As Node's `fetch`. */
const CONNECT_LIMIT = 10_000

/** Like `NombaClient`, which looks for an expired bearer in short bodies and waits no longer for them. */
const PEEK_TIME = 1_000

export const make = (
  config: NombaConfigService,
  cache: TokenCacheService
): Effect.Effect<Upstream, never, Scope.Scope> =>
  Effect.map(connect(config), ({ agent, request }) => {
    const host = BaseUrl.hostOf(config)
    const { host: authority, hostname, origin, port, protocol } = new URL(config.baseUrl)
    const address = hostname.replace(/^\[|\]$/g, "")
    const confirm = Snapshot.of(cache)?.confirm ?? ((...args) => Effect.runSync(cache.confirm(...args)))
    let last: { readonly token: Redacted.Redacted<string>; readonly mask: Mask } | undefined

    const maskOf = (token: Redacted.Redacted<string>): Mask => {
      if (last?.token !== token) last = { token, mask: new Mask(token) }
      return last.mask
    }

    const open = (
      outgoing: UpstreamRequest,
      bearer: string,
      isFresh: boolean
    ): Promise<readonly [Http.ClientRequest, Http.IncomingMessage]> =>
      new Promise((resolve, reject) => {
        const { gone, headers, method, upload, url } = outgoing
        const sent = request({
          protocol,
          hostname: address,
          port,
          method,
          path: url.slice(origin.length),
          headers: headers.concat("authorization", `Bearer ${bearer}`),
          agent: isFresh ? false : agent
        })
        let isAnswered = false
        const fail = (error: unknown): void => {
          if (isAnswered) return
          isAnswered = true
          // An idle connection that the server has just closed. Nothing but a GET or HEAD may be sent twice unasked.
          const isStale = !isFresh && sent.reusedSocket && upload.isEmpty && (method === "GET" || method === "HEAD")
          if (isStale) resolve(open(outgoing, bearer, true))
          else reject(error instanceof Unavailable ? error : NetworkFailure.fromCause("request", host, error))
        }
        sent.on("socket", (socket) => {
          if (!socket.connecting) return
          const timer = setTimeout(() => {
            fail(new Unavailable({ ...host, operation: "request", reason: "Timeout", processed: "no" }))
            sent.destroy()
          }, CONNECT_LIMIT)
          const clear = (): void => clearTimeout(timer)
          socket.once(protocol === "https:" ? "secureConnect" : "connect", clear).once("close", clear)
        })
        sent.on("error", fail)
        // Neither a response nor an error: after an unexpected 101, for example.
        sent.on("close", () => fail(undefined))
        sent.on("response", (response) => {
          isAnswered = true
          // While a renewal runs, the response may break, and it has no other listener.
          response.on("error", () => {})
          resolve([sent, response])
        })
        gone.onGone(() => sent.destroy())
        upload.sendTo(sent)
      })

    const send: Upstream["send"] = async (outgoing, token, isReplay) => {
      const { method, upload, url } = outgoing
      const bearer = Redacted.value(token)
      if (!isHeaderSafe(bearer)) {
        const issues = ["access token: has characters that a header cannot carry"]
        throw new UnexpectedResponse({ operation: "request", reason: "NoUsableToken", issues })
      }
      const named = {
        method,
        headers: { accountid: outgoing.accountId },
        get body() {
          return upload.body
        }
      }
      const use = new SentRequest(named, url, Date.now(), isReplay)
      const [request, response] = await open(outgoing, bearer, false)
      const status = response.statusCode ?? 0
      if (isRedirect(status)) {
        free(request, response)
        throw new UnexpectedResponse({ operation: "request", reason: "Redirect", status })
      }
      const body = decoded(response, method)
      if (body === undefined) {
        request.destroy()
        throw unreadable(status, "content-encoding: is none that this proxy can decode")
      }
      const mask = maskOf(token)
      if (status === 401) return { token, sent: use, request, response, body, mask, start: [], isRejected: true }
      if (status < 400) confirm(token, use)
      if (body !== response && !(await isDecoded(body))) {
        throw unreadable(status, "body: is not what its content-encoding says")
      }
      if (status < 400) {
        return { token, sent: use, request, response, body, mask, start: [], isRejected: false }
      }
      const { isWhole, start } = await peek(response, body)
      const text = isWhole ? Option.some(Buffer.concat(start).toString()) : Option.none()
      const isRejected = Recovery.isExpiredBearer(text)
      if (!isRejected && Recovery.provesToken(status)) confirm(token, use)
      return { token, sent: use, request, response, body, mask, start, isRejected }
    }

    return { authority, send }
  })

/** Lets go of a response that is not read. A short one is read to its end, so that its connection can be used again. */
export const discard = ({ request, response }: Pick<Attempt, "request" | "response">): void => free(request, response)

const free = (request: Http.ClientRequest, response: Http.IncomingMessage): void => {
  const length = Number(response.headers["content-length"] ?? Number.POSITIVE_INFINITY)
  if (length > IncomingResponse.PEEK_LIMIT || !request.writableFinished) {
    request.destroy()
    return
  }
  const timer = setTimeout(() => request.destroy(), PEEK_TIME)
  response.once("close", () => clearTimeout(timer))
  response.resume()
}

interface Connection {
  readonly agent: Http.Agent
  readonly request: (options: Https.RequestOptions) => Http.ClientRequest
}

/** Remembers since when a connection is idle. A time-out of the agent would set a timer for each request. */
const idleSince = new WeakMap<Duplex, number>()

const closeIdle = ({ freeSockets }: Http.Agent): void => {
  const limit = Date.now() - IDLE_LIMIT
  for (const sockets of Object.values(freeSockets)) {
    for (const socket of sockets ?? []) if ((idleSince.get(socket) ?? 0) < limit) socket.destroy()
  }
}

const connect = ({ baseUrl }: NombaConfigService): Effect.Effect<Connection, never, Scope.Scope> => {
  const isTls = new URL(baseUrl).protocol === "https:"
  const acquire = Effect.sync(() => {
    const agent = isTls ? new Https.Agent({ keepAlive: true }) : new Http.Agent({ keepAlive: true })
    const keepSocketAlive = agent.keepSocketAlive.bind(agent)
    agent.keepSocketAlive = (socket) => {
      idleSince.set(socket, Date.now())
      return keepSocketAlive(socket)
    }
    return { agent, sweep: setInterval(closeIdle, IDLE_LIMIT / 4, agent).unref() }
  })
  return Effect.acquireRelease(acquire, ({ agent, sweep }) =>
    Effect.sync(() => {
      clearInterval(sweep)
      agent.destroy()
    })
  ).pipe(Effect.map(({ agent }) => ({ agent, request: isTls ? Https.request : Http.request })))
}

const decoders: Readonly<Record<string, () => Transform>> = {
  gzip: createGunzip,
  "x-gzip": createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress
}

/** The body without its encoding, in which the token could not be found. Undefined if the encoding is not known. */
const decoded = (response: Http.IncomingMessage, method: string): Readable | undefined => {
  const encoding = (response.headers["content-encoding"] ?? "identity").trim().toLowerCase()
  if (encoding === "identity" || encoding === "" || hasNoBody(response, method)) return response
  if (response.headers["content-length"] === "0") return response
  const decoder = Object.hasOwn(decoders, encoding) ? decoders[encoding] : undefined
  return decoder === undefined ? undefined : pipeline(response, decoder(), () => {}).on("error", () => {})
}

/** Whether the body begins as its encoding says. Waits for its beginning. */
const isDecoded = (body: Readable): Promise<boolean> =>
  new Promise((resolve) => {
    body.once("readable", () => resolve(true)).once("close", () => resolve(false))
  })

const unreadable = (status: number, issue: string): UnexpectedResponse =>
  new UnexpectedResponse({ operation: "request", reason: "SchemaMismatch", status, issues: [issue] })

/** RFC 9110 section 6.4.1. */
export const hasNoBody = ({ statusCode }: Http.IncomingMessage, method: string): boolean =>
  method === "HEAD" || statusCode === 204 || statusCode === 304

/** Reads at most 64 KiB for at most a second. What was read comes back; the rest is still in the body. */
const peek = (
  { headers }: Http.IncomingMessage,
  body: Readable
): Promise<{ readonly start: ReadonlyArray<Buffer>; readonly isWhole: boolean }> => {
  if (Number(headers["content-length"] ?? 0) > IncomingResponse.PEEK_LIMIT)
    return Promise.resolve({ start: [], isWhole: false })
  return new Promise((resolve) => {
    const start: Array<Buffer> = []
    let size = 0
    const stop = (isWhole: boolean): void => {
      clearTimeout(timer)
      body.off("data", keep).off("end", end).off("close", cutOff).off("error", cutOff)
      if (!isWhole) body.pause()
      resolve({ start, isWhole })
    }
    const keep = (chunk: Buffer): void => {
      start.push(chunk)
      size += chunk.length
      if (size > IncomingResponse.PEEK_LIMIT) stop(false)
    }
    const end = (): void => stop(true)
    const cutOff = (): void => stop(false)
    const timer = setTimeout(cutOff, PEEK_TIME)
    body.on("data", keep).on("end", end).on("close", cutOff).on("error", cutOff)
  })
}
