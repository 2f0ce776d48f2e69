/** The Nomba that a fleet talks to: the sandbox, and a resource that accepts POSTs, behind a socket that counts. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { HttpBody, HttpClientRequest } from "@effect/platform"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import { DateTime, Effect, Option, Redacted, Runtime, type Scope } from "effect"
import { Sandbox } from "../../src/sandbox/Sandbox.js"
import { bearerOf, makeLedger } from "./Ledger.js"
import type { Upstream } from "./Stage.js"

/** What Nomba answers to every issue and refresh; `silent`: it accepts the request and never answers. */
export type TokenFailure = { readonly status: number; readonly retryAfter?: number } | "silent"

export interface RealUpstream extends Upstream {
  readonly url: string
  /** From now on issues and refreshes fail in this way; without a failure they work again. */
  readonly failTokenRequests: (failure?: TokenFailure) => Effect.Effect<void>
}

const isTokenRequest = (url: string): boolean => /^\/v1\/auth\/token\/(issue|refresh)/.test(url)

const read = async (request: IncomingMessage): Promise<string> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

const passed = ["authorization", "accountid", "content-type"]

const expiryOf = (bearer: string): number => {
  const payload = bearer.split(".")[1] ?? ""
  const { exp } = JSON.parse(Buffer.from(payload, "base64url").toString() || "{}") as { readonly exp?: number }
  return (exp ?? 0) * 1000
}

export const makeUpstream = (accessLifetime: number): Effect.Effect<RealUpstream, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sandbox = yield* Effect.orDie(Sandbox.make({ accessLifetime }))
    const run = Runtime.runPromise(yield* Effect.runtime<never>())
    const { note, ...ledger } = makeLedger()
    let failure: TokenFailure | undefined
    let failedTokenRequests = 0

    /** Whether the request was answered here, or never will be. */
    const fails = (url: string, response: ServerResponse): boolean => {
      if (failure === undefined || !isTokenRequest(url)) return false
      failedTokenRequests += 1
      if (failure === "silent") return true
      const { retryAfter, status } = failure
      response.writeHead(status, {
        "content-type": "application/json",
        ...(retryAfter === undefined ? {} : { "retry-after": String(retryAfter) })
      })
      response.end(JSON.stringify({ code: String(status), description: "Try again later" }))
      return true
    }

    const ask = (method: HttpMethod, path: string, headers: IncomingMessage["headers"], body: string) =>
      HttpClientRequest.make(method)(`${sandbox.url}${path}`, {
        headers: Object.fromEntries(passed.flatMap((name) => (headers[name] ? [[name, String(headers[name])]] : []))),
        body: body === "" ? HttpBody.empty : HttpBody.text(body, String(headers["content-type"]))
      }).pipe(
        (request) => sandbox.client.execute(request),
        Effect.flatMap(({ headers, status, text }) => Effect.map(text, (text) => ({ headers, status, text }))),
        Effect.scoped
      )

    const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const body = await read(request)
      const { method = "GET", url = "/" } = request
      if (fails(url, response)) return
      const isTokenCall = url.startsWith("/v1/auth/")
      const { headers, status, text } = await run(
        isTokenCall
          ? ask(method as HttpMethod, url, request.headers, body)
          : ask("GET", "/v1/accounts/balance", request.headers, "")
      )
      if (!isTokenCall) {
        note({
          headers: request.headers,
          method,
          status,
          expiresAt: expiryOf(bearerOf(request.headers)),
          now: Date.now()
        })
      }
      response.writeHead(status, { ...headers }).end(text)
    }

    // Node's 5 s end a connection just as a process uses it that was paused for longer.
    const server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
      answer(request, response).catch(() => response.destroy())
    })
    yield* Effect.async<void>((resume) => void server.listen(0, "127.0.0.1", () => resume(Effect.void)))
    yield* Effect.addFinalizer(() =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
    )

    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      ...ledger,
      liveToken: Effect.map(sandbox.session(), (session) =>
        Option.getOrUndefined(Option.map(session, (_) => Redacted.value(_.accessToken)))
      ),
      issuedAt: Effect.map(sandbox.session(), (session) =>
        Option.match(session, { onNone: () => 0, onSome: (_) => DateTime.toEpochMillis(_.issuedAt) })
      ),
      failTokenRequests: (next) =>
        Effect.sync(() => {
          failure = next
        }),
      tokenCalls: Effect.map(
        sandbox.counts,
        ({ issue, refresh }) => issue.requests + refresh.requests + failedTokenRequests
      ),
      counts: Effect.map(sandbox.counts, ({ issued, refresh, refreshed, revoked }) => ({
        issued,
        refreshed,
        revoked,
        refused: refresh.refused
      })),
      loginElsewhere: Effect.orDie(Effect.asVoid(sandbox.steal())),
      delayNext: (call, millis) => Effect.orDie(sandbox.fault(call, { latency: millis }))
    }
  })
