/** The requests that the arguments of `nomba.fetch` and `nomba.request` stand for. */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpMethod from "@effect/platform/HttpMethod"
import { isReplayable } from "../layers/http/OutgoingRequest.js"
import { InvalidRequest } from "./errors.js"
import { type NombaRequestOptions, unknownOptions } from "./options.js"

/** A request, the signal that ends it, and what else `fetch` is told. */
export interface Prepared {
  readonly request: HttpClientRequest.HttpClientRequest
  readonly signal: AbortSignal | undefined
  readonly init: RequestInit
}

/** Throws `InvalidRequest`. A signal of another realm, such as one of jsdom, is no instance of this `AbortSignal`. */
const checkSignal = (signal: AbortSignal | null | undefined): void => {
  if (signal !== undefined && signal !== null && typeof signal.throwIfAborted !== "function") {
    throw notSent("the signal must be an AbortSignal, such as AbortSignal.timeout(5_000)")
  }
}

interface Signalled {
  readonly signal?: AbortSignal | undefined
}

/** Throws `InvalidRequest` for options that the call does not know, and for a wrong signal. */
export const checkOptions = (call: string, options: Signalled | null | undefined, known: object): void => {
  for (const { message } of unknownOptions(call, options, known)) throw notSent(message)
  checkSignal(options?.signal)
}

/** The body of a `Request` is read into memory, so that it can be sent again after a 401. */
export const prepare = async (input: string | URL | Request, init?: RequestInit): Promise<Prepared> => {
  if (init !== undefined && typeof init !== "object") throw notSent("the options of fetch must be an object")
  const { body, headers, method, signal, ...rest } = init ?? {}
  checkSignal(signal)
  const given = input instanceof Request ? input : undefined
  const ending = signal ?? given?.signal
  checkRest(rest, method ?? given?.method)
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
  const method = String(given).toUpperCase()
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
const checkRest = (init: RequestInit, method: string | undefined): void => {
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
  const { body, headers, method, query, signal } = options
  return {
    request: make(
      method ?? (body === undefined ? "GET" : "POST"),
      withQuery(String(path), query ?? {}),
      headers,
      body === undefined ? HttpBody.empty : jsonBody(body)
    ),
    signal,
    init: {}
  }
}

const withQuery = (path: string, query: NonNullable<NombaRequestOptions["query"]>): string => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null)
  if (kindOf(query) !== "Object" || given.some(([, value]) => !isText.test(typeof value))) {
    throw notSent("query must be an object whose values are strings, numbers or booleans")
  }
  return given.length === 0
    ? path
    : `${path}${path.includes("?") ? "&" : "?"}${new URLSearchParams(given as Array<[string, string]>)}`
}

/** What `String` makes the text of that one means. */
const isText = /^(?:string|number|boolean|bigint)$/

/** `Map`, `Error`, `Object`: the kind of a value, also of one from another realm. */
const kindOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1)

const jsonBody = (body: unknown): HttpBody.HttpBody => {
  if (ArrayBuffer.isView(body)) throw notJson(kindOf(body))
  let text: string | undefined
  try {
    text = JSON.stringify(body, (_key, value) => {
      if (!isJson(value)) throw notJson(typeof value === "number" ? String(value) : kindOf(value))
      return value
    })
  } catch (error) {
    if (error instanceof InvalidRequest) throw error
  }
  if (text === undefined) throw notSent("the body is circular, or its toJSON failed")
  return HttpBody.raw(text, { contentType: "application/json" })
}

/** JSON would leave out other values, or make them `{}` or `null`. */
const isJson = (value: unknown): boolean => {
  switch (typeof value) {
    case "object":
      return (
        value === null ||
        Array.isArray(value) ||
        (kindOf(value) === "Object" && (isPlain(value) || Object.keys(value).length > 0))
      )
    case "number":
      return Number.isFinite(value)
    default:
      return /^(?:string|boolean|undefined)$/.test(typeof value)
  }
}

const isPlain = (value: object): boolean => {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || Object.getPrototypeOf(prototype) === null
}

const notJson = (kind: string): InvalidRequest =>
  notSent(
    `JSON cannot carry ${kind === "Object" ? "an object without members of its own" : kind} in the body; nomba.fetch sends other bodies`
  )

export const notSent = (problem: string, what = "Request not sent"): InvalidRequest =>
  new InvalidRequest(`${what}: ${problem}.`, { operation: "request", errors: [problem] })
