import { type HttpClient, HttpClientRequest } from "@effect/platform"
import { assert } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Sandbox } from "nomba-auth/sandbox"

export const secretOf = Redacted.value(Sandbox.defaultClient.clientSecret)

export const credentials = {
  grant_type: "client_credentials",
  client_id: Sandbox.defaultClient.clientId,
  client_secret: secretOf
}

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly text: string
  /** The body as JSON; `undefined` where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came
  readonly json: any
}

// biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came
const parse = (text: string): any => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Sends a request as it is, and gives everything that comes back. */
export const send = (
  client: HttpClient.HttpClient,
  url: string,
  method: "GET" | "POST" | "PUT" | "DELETE" | "PATCH" | "HEAD" | "OPTIONS",
  options: { readonly headers?: Record<string, string>; readonly body?: string; readonly contentType?: string } = {}
) =>
  Effect.gen(function* () {
    const request = HttpClientRequest.make(method)(url, { headers: options.headers ?? {} })
    const response = yield* client.execute(
      options.body === undefined
        ? request
        : HttpClientRequest.bodyText(request, options.body, options.contentType ?? "application/json")
    )
    const text = yield* response.text
    const answer: Answer = { status: response.status, headers: response.headers, text, json: parse(text) }
    return answer
  })

/** Posts JSON to the sandbox of the context. */
export const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  Effect.flatMap(Sandbox, ({ client, url }) =>
    send(client, `${url}${path}`, "POST", { headers, body: typeof body === "string" ? body : JSON.stringify(body) })
  )

export const issue = (body: unknown = credentials, headers?: Record<string, string>) =>
  post("/v1/auth/token/issue", body, headers)

export const refresh = (refreshToken: unknown, headers?: Record<string, string>) =>
  post("/v1/auth/token/refresh", { grant_type: "refresh_token", refresh_token: refreshToken }, headers)

export const bearer = (token: string): Record<string, string> => ({ authorization: `Bearer ${token}` })

export const revoke = (token: string, body: unknown = { token }, headers: Record<string, string> = bearer(token)) =>
  post("/v1/auth/token/revoke", body, headers)

export const balance = (headers: Record<string, string>) =>
  Effect.flatMap(Sandbox, ({ client, url }) => send(client, `${url}/v1/accounts/balance`, "GET", { headers }))

/** Issues, and gives both tokens. */
export const login = Effect.map(issue(), ({ json }) => ({
  access: String(json.data.access_token),
  refresh: String(json.data.refresh_token)
}))

/** That an answer is a failure in the documented envelope, and nothing besides. */
export const assertRefused = (answer: Answer, status: number, ...errors: ReadonlyArray<string>): void => {
  assert.strictEqual(answer.status, status, answer.text)
  assert.sameMembers(Object.keys(answer.json), ["code", "description", "errors"])
  assert.strictEqual(answer.json.code, String(status))
  assert.isString(answer.json.description)
  if (errors.length > 0) assert.sameMembers(answer.json.errors, [...errors])
}
