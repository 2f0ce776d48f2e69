/** The one Nomba that a fleet talks to: the sandbox, and a resource that takes POSTs, behind a socket that counts. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { HttpBody, HttpClientRequest } from "@effect/platform"
import type { HttpMethod } from "@effect/platform/HttpMethod"
import { Effect, Option, Redacted, Runtime, type Scope } from "effect"
import { Sandbox } from "../../src/sandbox/Sandbox.js"
import type { SandboxService } from "../../src/sandbox/SandboxService.js"

export interface Upstream {
  readonly url: string
  readonly sandbox: SandboxService
  /** The access token that is alive. */
  readonly live: Effect.Effect<string | undefined>
  /** Issues and refreshes that arrived, whatever came of them. */
  readonly tokenCalls: Effect.Effect<number>
  /** Requests for a resource that came with the token that is alive. */
  readonly answered: () => number
  /** Those that came with a dead token; `expired` of them with one that had died of age. */
  readonly rejected: () => number
  readonly expired: () => number
  /** POSTs that were carried out twice under one idempotency key. */
  readonly repeated: () => number
  /** The tokens that a request was tried with, by its id. */
  readonly attempts: (id: string) => ReadonlyArray<string>
  /** Whether so many processes have been answered, and the last time each with this token. */
  readonly areAnsweredWith: (token: string | undefined, processes: number) => boolean
}

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

export const makeUpstream = (accessLifetime: number): Effect.Effect<Upstream, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sandbox = yield* Effect.orDie(Sandbox.make({ accessLifetime }))
    const run = Runtime.runPromise(yield* Effect.runtime<never>())
    const counts = { answered: 0, rejected: 0, expired: 0, repeated: 0 }
    const attempts = new Map<string, Array<string>>()
    const carriedOut = new Set<string>()
    const answeredWith = new Map<string, string>()

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
      const isTokenCall = url.startsWith("/v1/auth/")
      const { headers, status, text } = await run(
        isTokenCall
          ? ask(method as HttpMethod, url, request.headers, body)
          : ask("GET", "/v1/accounts/balance", request.headers, "")
      )
      if (!isTokenCall) note(request, status)
      response.writeHead(status, { ...headers }).end(text)
    }

    const note = ({ headers, method }: IncomingMessage, status: number): void => {
      const bearer = String(headers.authorization).slice("Bearer ".length)
      const id = String(headers["x-request-id"])
      attempts.set(id, [...(attempts.get(id) ?? []), bearer])
      if (status === 401) {
        counts.rejected += 1
        if (expiryOf(bearer) <= Date.now()) counts.expired += 1
        return
      }
      counts.answered += 1
      answeredWith.set(id.split("-")[0] ?? "", bearer)
      if (method === "POST") {
        const key = String(headers["idempotency-key"])
        if (carriedOut.has(key)) counts.repeated += 1
        carriedOut.add(key)
      }
    }

    const server = createServer((request, response) => {
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
      sandbox,
      live: Effect.map(sandbox.session(), (session) =>
        Option.getOrUndefined(Option.map(session, (_) => Redacted.value(_.accessToken)))
      ),
      tokenCalls: Effect.map(sandbox.counts, ({ issue, refresh }) => issue.requests + refresh.requests),
      answered: () => counts.answered,
      rejected: () => counts.rejected,
      expired: () => counts.expired,
      repeated: () => counts.repeated,
      attempts: (id) => attempts.get(id) ?? [],
      areAnsweredWith: (token, processes) =>
        answeredWith.size === processes && [...answeredWith.values()].every((_) => _ === token)
    }
  })
