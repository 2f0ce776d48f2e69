/** The requests that the arguments of `nomba.fetch` and `nomba.request` stand for. */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpMethod from "@effect/platform/HttpMethod"
import { InvalidRequest } from "./errors.js"
import type { NombaRequestOptions } from "./options.js"

/** A request, the signal that ends it, and what else `fetch` is told. */
export interface Prepared {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly signal: AbortSignal | undefined
  readonly init: RequestInit
}

/** The body of a `Request` is read into memory, so that it can be sent again after a 401. */
export const prepare = async (input: string | URL | Request, init: RequestInit = {}): Promise<Prepared> => {
  const { body, headers, method, signal, ...rest } = init
  const given = input instanceof Request ? input : undefined
  const sent = body ?? (given?.body ? await given.arrayBuffer() : undefined)
  return {
    request: make(
      method ?? given?.method ?? "GET",
      given === undefined ? String(input) : given.url,
      headers ?? given?.headers,
      sent === undefined ? HttpBody.empty : HttpBody.raw(sent)
    ),
    signal: signal ?? given?.signal,
    init: rest
  }
}

const make = (method: string, url: string, headers: HeadersInit | undefined, body: HttpBody.HttpBody) => {
  const request = HttpClientRequest.make(method.toUpperCase() as HttpMethod.HttpMethod)(url)
  const withBody = body._tag === "Empty" ? request : HttpClientRequest.setBody(request, body)
  return headers === undefined ? withBody : HttpClientRequest.setHeaders(withBody, new Headers(headers))
}

export const fromOptions = (path: string | URL, options: NombaRequestOptions): Prepared => {
  const { body, headers, method, query = {}, signal } = options
  return {
    request: make(
      method ?? (body === undefined ? "GET" : "POST"),
      withQuery(String(path), query),
      headers,
      body === undefined ? HttpBody.empty : jsonBody(body)
    ),
    signal,
    init: {}
  }
}

const withQuery = (path: string, query: NonNullable<NombaRequestOptions["query"]>): string => {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [[name, String(value)]]
  )
  return given.length === 0 ? path : `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams(given)}`
}

const jsonBody = (body: unknown): HttpBody.HttpBody => {
  const text = toJson(body)
  if (text !== undefined) return HttpBody.text(text, "application/json")
  throw new InvalidRequest("Request not sent: the body is not JSON.", {
    operation: "request",
    errors: ["the body is not JSON"]
  })
}

/** Undefined for a function, a circular object, a bigint. */
const toJson = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
