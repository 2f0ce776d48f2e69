/** The proxy of `nomba-auth serve` on a real socket, between a test and a server that the test scripts. */
import { once } from "node:events"
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from "node:http"
import * as Net from "node:net"
import { buffer } from "node:stream/consumers"
import { Effect, Layer, Option, Redacted, type Scope } from "effect"
import * as Keys from "../../src/cli/serve/Keys.js"
import type * as Listener from "../../src/cli/serve/Listener.js"
import type { Handled } from "../../src/cli/serve/Metrics.js"
import * as Proxy from "../../src/cli/serve/Proxy.js"
import { layerConfig } from "./config.js"
import { type ScriptedCache, scriptedCache } from "./tokenCache.js"

export const KEY = "the-key-of-the-tests"

/** A request as the server got it. */
export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingHttpHeaders
  readonly rawHeaders: ReadonlyArray<string>
}

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  /** `x-nomba-auth`. */
  readonly tag: string | undefined
}

export interface Ask {
  readonly method?: string
  readonly headers?: Record<string, string | ReadonlyArray<string>>
  readonly body?: string | Buffer
}

export interface Proxied {
  readonly url: string
  readonly port: number
  readonly received: ReadonlyArray<Received>
  readonly handled: ReadonlyArray<Handled>
  readonly proxy: Proxy.Proxy
  readonly cache: ScriptedCache
  /** A request with the key, unless it brings headers of its own. */
  readonly ask: (path: string, ask?: Ask) => Effect.Effect<Answer>
  /** Sends bytes as they are, and returns all that comes back until the connection closes. */
  readonly talk: (bytes: string, keepOpen?: boolean) => Effect.Effect<string>
  /** A connection of one's own. */
  readonly connect: Effect.Effect<Net.Socket, never, Scope.Scope>
}

export interface Setup extends Partial<Omit<Proxy.Options, "place">> {
  readonly cache?: ScriptedCache
  readonly accountId?: string
  readonly place?: Listener.ListenTarget
  /** Appended to the server's origin. */
  readonly base?: string
  /** In place of the scripted server. */
  readonly baseUrl?: string
}

export type Handle = (request: IncomingMessage, response: ServerResponse) => void

/** A server that answers as soon as it has a request's headers. */
export const scriptedServer = (handle: Handle): Effect.Effect<string, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const server = createServer(handle)
      server.on("clientError", (_, socket) => socket.destroy())
      server.listen(0, "127.0.0.1")
      await once(server, "listening")
      return server
    }),
    (server) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  ).pipe(Effect.map((server) => `http://127.0.0.1:${(server.address() as Net.AddressInfo).port}`))

/** Answers 200 after it has read the request. */
export const accept: Handle = (request, response) => {
  request.resume()
  request.on("end", () => response.end('{"code":"00"}'))
}

/** A proxy before a server that is handled as given. */
export const proxied = (
  handle: Handle = accept,
  {
    accountId,
    base = "",
    baseUrl,
    cache = scriptedCache(),
    place = { host: "127.0.0.1", port: 0 },
    ...options
  }: Setup = {}
): Effect.Effect<Proxied, Listener.ListenError, Scope.Scope> =>
  Effect.gen(function* () {
    const received: Array<Received> = []
    const handled: Array<Handled> = []
    const origin = yield* scriptedServer((request, response) => {
      const { headers, method = "", rawHeaders, url = "" } = request
      received.push({ method, url, headers, rawHeaders })
      handle(request, response)
    })
    const proxy = yield* Proxy.start({
      place,
      keys: [Keys.make("test", Redacted.make(KEY))],
      onHandled: (one) => void handled.push(one),
      ...options
    }).pipe(
      Effect.provide(
        Layer.merge(
          cache.layer,
          layerConfig({ baseUrl: baseUrl ?? origin + base, accountId: Option.fromNullable(accountId) })
        )
      )
    )
    const port = Number(new URL(proxy.url).port)
    const connect = Effect.acquireRelease(
      Effect.promise(async () => {
        const socket = Net.connect(port, "127.0.0.1")
        socket.on("error", () => {})
        await once(socket, "connect")
        return socket
      }),
      (socket) => Effect.sync(() => socket.destroy())
    )
    return {
      url: proxy.url,
      port,
      received,
      handled,
      proxy,
      cache,
      connect,
      ask: (path, how) => Effect.promise(() => askOnce(port, path, how)),
      talk: (bytes, keepOpen = false) =>
        Effect.scoped(
          Effect.flatMap(connect, (socket) =>
            Effect.promise(async () => {
              const answer = buffer(socket).catch(() => Buffer.alloc(0))
              if (keepOpen) socket.write(bytes, "latin1")
              else socket.end(bytes, "latin1")
              return (await answer).toString("latin1")
            })
          )
        )
    }
  })

const askOnce = async (
  port: number,
  path: string,
  { body, headers = {}, method = "GET" }: Ask = {}
): Promise<Answer> => {
  const sent = request({
    host: "127.0.0.1",
    port,
    path,
    method,
    headers: { "x-nomba-key": KEY, ...headers },
    agent: false
  })
  sent.end(body)
  const [response] = (await once(sent, "response")) as [IncomingMessage]
  const content = (await buffer(response)).toString()
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: content,
    tag: response.headers["x-nomba-auth"] as string | undefined
  }
}
