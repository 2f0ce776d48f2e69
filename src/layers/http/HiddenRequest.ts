/**
 * Requests that print as method and URL. The platform's requests print their headers and JSON bodies, and the fiber of a
 * request in flight holds the request, so `inspect(fiber)` would print the bearer.
 */
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { NodeInspectSymbol } from "effect/Inspectable"

type Request = HttpClientRequest.HttpClientRequest

function toJSON(this: Request): unknown {
  return { _id: "@effect/platform/HttpClientRequest", method: this.method, url: this.url }
}

const methods: PropertyDescriptorMap = {
  toJSON: { value: toJSON },
  toString: {
    value(this: Request) {
      return `${this.method} ${this.url}`
    }
  },
  [NodeInspectSymbol]: { value: toJSON }
}

const Proto: object = Object.create(Object.getPrototypeOf(HttpClientRequest.get("")), methods)

/** The request with other parts, hidden. A copy that the platform makes of it is not. */
export const make = (request: Request, parts: Partial<Pick<Request, "method" | "url" | "headers">> = {}): Request => {
  const self = Object.create(Proto)
  self.method = parts.method ?? request.method
  self.url = parts.url ?? request.url
  self.urlParams = request.urlParams
  self.hash = request.hash
  self.headers = parts.headers ?? request.headers
  self.body = request.body
  return self
}

/** Hides a copy where it is. */
export const hide = (request: Request): void => {
  if (Object.getPrototypeOf(request) !== Proto) Object.defineProperties(request, methods)
}
