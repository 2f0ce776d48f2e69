/** From the standard `fetch` to the platform's request, and from its response to a standard `Response`. */
import * as HttpBody from "@effect/platform/HttpBody"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import type * as HttpMethod from "@effect/platform/HttpMethod"
import * as Stream from "effect/Stream"
import { InvalidRequest } from "./errors.js"
import { fromError } from "./failure.js"
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
      new Headers(headers ?? given?.headers),
      bodyOf(sent)
    ),
    signal: signal ?? given?.signal,
    init: rest
  }
}

const make = (method: string, url: string, headers: Headers, body: HttpBody.HttpBody) => {
  const request = HttpClientRequest.make(method.toUpperCase() as HttpMethod.HttpMethod)(url)
  return HttpClientRequest.setHeaders(HttpClientRequest.setBody(request, body), headers)
}

/** `fetch` itself names the type of each. A stream can be sent once, so it is not replayed after a 401. */
const bodyOf = (body: BodyInit | ArrayBuffer | undefined): HttpBody.HttpBody => {
  if (body === undefined) return HttpBody.empty
  return body instanceof ReadableStream
    ? HttpBody.stream(
        Stream.fromReadableStream<Uint8Array, unknown>(
          () => body,
          (error) => error
        )
      )
    : HttpBody.raw(body)
}

export const fromOptions = (path: string | URL, options: NombaRequestOptions): Prepared => {
  const { body, headers, method, query = {}, signal } = options
  return {
    request: make(
      method ?? (body === undefined ? "GET" : "POST"),
      withQuery(String(path), query),
      new Headers(headers),
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

/** A status with which `Response` takes no body. */
const isBodiless = (status: number): boolean => status === 204 || status === 205 || status === 304

/** The body is read as the caller reads it. The signal ends it, as it ends the body of the standard `fetch`. */
export const toResponse = (
  response: HttpClientResponse.HttpClientResponse,
  method: string,
  signal: AbortSignal | undefined
): Response => {
  const { headers, status } = response
  const body = isBodiless(status) || method === "HEAD" ? null : bodyStream(response, signal)
  return new Response(body, { status, headers: { ...headers } })
}

const bodyStream = (
  response: HttpClientResponse.HttpClientResponse,
  signal: AbortSignal | undefined
): ReadableStream<Uint8Array<ArrayBuffer>> => {
  const content = response.stream.pipe(
    Stream.catchAll((error) => (error.reason === "EmptyBody" ? Stream.empty : Stream.fail(fromError(error)))),
    Stream.toReadableStream
  ) as ReadableStream<Uint8Array<ArrayBuffer>>
  if (signal === undefined) return content
  const reader = content.getReader()
  let onAbort = (): void => {}
  const forget = (): void => signal.removeEventListener("abort", onAbort)
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    start: (controller) => {
      onAbort = () => {
        controller.error(signal.reason)
        void reader.cancel()
      }
      if (signal.aborted) onAbort()
      else signal.addEventListener("abort", onAbort, { once: true })
    },
    pull: async (controller) => {
      try {
        const { done, value } = await reader.read()
        if (signal.aborted) return
        if (!done) return controller.enqueue(value)
        forget()
        controller.close()
      } catch (error) {
        forget()
        throw error
      }
    },
    cancel: (reason) => {
      forget()
      return reader.cancel(reason)
    }
  })
}
