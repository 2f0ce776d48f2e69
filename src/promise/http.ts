/** The requests that the arguments of `nomba.fetch` and `nomba.request` stand for. */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpMethod from "@effect/platform/HttpMethod"
import { isInMemory, isReplayable } from "../layers/http/OutgoingRequest.js"
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
  const ending = signal ?? given?.signal
  checkOptions(rest, method ?? given?.method)
  if (body ? body instanceof ReadableStream && body.locked : given?.bodyUsed || given?.body?.locked) {
    throw notSent("the body was already read")
  }
  const sent = body ?? (given?.body ? await abortable(given.arrayBuffer(), ending) : undefined)
  return {
    request: make(
      method ?? given?.method ?? "GET",
      given === undefined ? String(input) : given.url,
      headers ?? given?.headers,
      sent === undefined ? HttpBody.empty : HttpBody.raw(sent)
    ),
    signal: ending,
    init: rest
  }
}

/** The promise, or the reason of the signal if it is aborted first. */
export const abortable = <A>(promise: Promise<A>, signal: AbortSignal | undefined | null): Promise<A> =>
  !signal
    ? promise
    : new Promise((resolve, reject) => {
        const onAbort = (): void => reject(signal.reason)
        if (signal.aborted) onAbort()
        signal.addEventListener("abort", onAbort, { once: true })
        promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort))
      })

/** Throws `InvalidRequest` for what `fetch` would refuse with an error that looks like one of the network. */
const make = (given: string, url: string, headers: HeadersInit | undefined, body: HttpBody.HttpBody) => {
  const method = given.toUpperCase()
  if (!isMethod.test(method)) throw notSent("fetch does not send this method")
  if (body._tag !== "Empty" && (method === "GET" || method === "HEAD")) throw notSent(`${method} cannot have a body`)
  const request = HttpClientRequest.make(method as HttpMethod.HttpMethod)(url)
  const withBody = body._tag === "Empty" ? request : HttpClientRequest.setBody(request, body)
  if (headers === undefined) return withBody
  const own = headersOf(headers)
  // `fetch` states the length itself, and undici refuses the two together.
  if (isReplayable(body)) own.delete("content-length")
  return HttpClientRequest.setHeaders(withBody, own)
}

const headersOf = (headers: HeadersInit): Headers => {
  try {
    return new Headers(headers)
  } catch {
    throw notSent("a header is not valid")
  }
}

/** `fetch` would reject as if the network had failed. Few calls have such options, so that this costs the others nothing. */
const checkOptions = (init: RequestInit, method: string | undefined): void => {
  if (Object.keys(init).length === 0) return
  try {
    new Request("https://host.invalid", { ...init, ...(method === undefined ? {} : { method }) })
  } catch {
    throw notSent("fetch does not take these options")
  }
}

/** A token of RFC 9110 section 5.6.2 that `fetch` does not forbid. */
const isMethod = /^(?!(?:CONNECT|TRACE|TRACK)$)[\w!#$%&'*+.^`|~-]+$/

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
  const text = isBodyOfFetch(body) ? undefined : toJson(body)
  if (text !== undefined) return HttpBody.raw(text, { contentType: "application/json" })
  throw notSent("the body is not JSON; nomba.fetch sends other bodies")
}

/** JSON would be `{}`, or the numbers of the bytes. */
const isBodyOfFetch = (body: unknown): boolean =>
  typeof body === "object" && (isInMemory(body) || body instanceof ReadableStream)

export const notSent = (problem: string): InvalidRequest =>
  new InvalidRequest(`Request not sent: ${problem}.`, { operation: "request", errors: [problem] })

/** Undefined for a function, a circular object, a bigint. */
const toJson = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
