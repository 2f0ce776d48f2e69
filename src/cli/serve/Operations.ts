/**
 * The second listener: `/-/live`, `/-/ready` and `/-/metrics`, for probes and Prometheus. It shows no secret and asks for no key.
 */
import * as Http from "node:http"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Runtime from "effect/Runtime"
import type * as Scope from "effect/Scope"
import { TokenCache } from "../../services/TokenCache.js"
import * as Admission from "./Admission.js"
import { type ListenError, listen, portOf } from "./Listener.js"
import type { Proxy } from "./Proxy.js"

export interface Options {
  readonly host: string
  readonly port: number
  readonly allowedHosts?: ReadonlyArray<string> | undefined
}

interface Answer {
  readonly status: number
  readonly type?: string
  readonly body: string
}

const json = (status: number, content: object): Answer => ({ status, body: `${JSON.stringify(content)}\n` })

/** Listens until the scope closes. Returns its URL. `proxyOf` is undefined as long as the proxy does not listen. */
export const start = (
  options: Options,
  proxyOf: () => Proxy | undefined
): Effect.Effect<string, ListenError, Scope.Scope | TokenCache> =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const runFork = Runtime.runFork(yield* Effect.runtime<never>())
    const secondsLeft = Effect.map(
      cache.peek,
      Option.map(({ remaining }) => Duration.toSeconds(remaining))
    )

    const ready = (): Answer => {
      const left = Option.getOrUndefined(Effect.runSync(secondsLeft))
      // Otherwise a proxy without callers would stay unready after its session has expired, and get none for that.
      const isClosing = proxyOf()?.isClosing() !== false
      if (left === undefined && !isClosing) runFork(Effect.ignore(cache.get))
      if (left === undefined) return json(503, { ready: false, reason: "there is no live session" })
      const until = new Date(Date.now() + left * 1_000).toISOString()
      return isClosing ? json(503, { ready: false, reason: "not listening" }) : json(200, { ready: true, until })
    }

    const answers: Readonly<Record<string, () => Answer>> = {
      "/-/live": () => json(200, { live: true }),
      "/-/ready": ready,
      "/-/metrics": () => ({
        status: 200,
        type: "text/plain; version=0.0.4; charset=utf-8",
        body: proxyOf()?.metrics.text() ?? ""
      })
    }

    let isOwnHost: ((header: string) => boolean) | undefined
    const answer = ({ headers, method = "", url = "" }: Http.IncomingMessage): Answer => {
      isOwnHost ??= Admission.makeHostCheck({
        ...options,
        port: portOf(server, options.port),
        allowedHosts: options.allowedHosts ?? []
      })
      const refusal = Admission.refusePage(headers, isOwnHost)
      if (refusal !== undefined)
        return json(refusal.status, { code: String(refusal.status), description: refusal.description })
      if (method !== "GET" && method !== "HEAD") return json(405, { code: "405", description: "Only GET is offered." })
      const found = Object.hasOwn(answers, url) ? answers[url] : undefined
      return found?.() ?? json(404, { code: "404", description: `There is ${Object.keys(answers).join(", ")}.` })
    }

    const server = Http.createServer(
      { insecureHTTPParser: false, headersTimeout: 5_000, requestTimeout: 5_000, connectionsCheckingInterval: 1_000 },
      (request, response) => {
        const { body, status, type = "application/json" } = answer(request)
        response.on("error", () => {})
        response.writeHead(status, {
          "content-type": type,
          "content-length": Buffer.byteLength(body),
          "cache-control": "no-store",
          // What a request sends beside its headers is not read.
          connection: "close"
        })
        response.end(request.method === "HEAD" ? undefined : body)
      }
    )
    server.maxConnections = 64
    return yield* Effect.acquireRelease(listen(server, options, "--ops-port"), () =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    )
  })
