/** An `HttpClient` that answers from a script, and what it was sent. */
import { HttpClient, HttpClientError, type HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Effect, Layer } from "effect"

/** A request, as the fake saw it. */
export interface Sent {
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** The body's text; empty where there is none. */
  readonly body: string
  /** The body's JSON; throws where it is something else. */
  readonly json: () => unknown
  readonly request: HttpClientRequest.HttpClientRequest
}

/** What the fake does with one request. Make latency with `Effect.delay`, so that it is the test's clock that passes. */
export type Answer = Response | Effect.Effect<Response, HttpClientError.HttpClientError>

export interface Fake {
  readonly client: HttpClient.HttpClient
  readonly layer: Layer.Layer<HttpClient.HttpClient>
  /** The requests so far, in order. */
  readonly sent: ReadonlyArray<Sent>
}

/** A client that answers the nth request (from 1) with what `respond` says. */
export const fake = (respond: (sent: Sent, n: number) => Answer): Fake => {
  const sent: Array<Sent> = []
  const client = HttpClient.make((request) =>
    Effect.suspend(() => {
      const seen = toSent(request)
      const answer = respond(seen, sent.push(seen))
      return Effect.map(Effect.isEffect(answer) ? answer : Effect.succeed(answer), (response) =>
        HttpClientResponse.fromWeb(request, response)
      )
    })
  )
  return { client, sent, layer: Layer.succeed(HttpClient.HttpClient, client) }
}

/** A client that gives the answers in order; it dies of a request too many. */
export const script = (...answers: ReadonlyArray<(sent: Sent) => Answer>): Fake =>
  fake((sent, n) => answers[n - 1]?.(sent) ?? Effect.dieMessage(`request ${n} of ${answers.length}`))

/** An answer with a JSON body. */
export const json = (status: number, body: unknown, headers: Record<string, string> = {}): Response =>
  new Response(JSON.stringify(body), { status, headers: { "content-type": "application/json", ...headers } })

/** An answer whose body is given as it is. */
export const text = (status: number, body: string | null, headers: Record<string, string> = {}): Response =>
  new Response(body, { status, headers })

/** A request that got no answer, for the given cause. */
export const unreachable = ({ request }: Sent, cause: unknown): Effect.Effect<never, HttpClientError.RequestError> =>
  Effect.fail(new HttpClientError.RequestError({ request, reason: "Transport", cause }))

const toSent = (request: HttpClientRequest.HttpClientRequest): Sent => {
  const body = request.body._tag === "Uint8Array" ? new TextDecoder().decode(request.body.body) : ""
  return {
    method: request.method,
    url: request.url,
    headers: { ...request.headers },
    body,
    json: () => JSON.parse(body),
    request
  }
}
