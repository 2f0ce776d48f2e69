/**
 * What is read from a caller's request before it is sent.
 */
import * as Headers from "@effect/platform/Headers"
import type * as HttpBody from "@effect/platform/HttpBody"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Either from "effect/Either"
import { InvalidRequest } from "../../schemas/AuthError.js"
import type { TokenUse } from "../../services/TokenCache.js"

type Request = HttpClientRequest.HttpClientRequest

/** Fails for a header that a client would refuse to send without saying which. */
export const checkHeaders = (request: Request): Either.Either<Request, InvalidRequest> => {
  if (request.headers === Headers.empty) return Either.right(request)
  const errors = Object.entries(request.headers)
    .filter(([, value]) => !isFieldValue.test(value))
    .map(([name]) => `header ${name}: has characters that a header cannot carry`)
  return errors.length === 0 ? Either.right(request) : Either.left(new InvalidRequest({ operation: "request", errors }))
}

/** RFC 9110 section 5.5, read as Latin-1. */
const isFieldValue = /^[\t\x20-\x7e\x80-\xff]*$/

/** A body that is in memory can be sent again. A stream, in whatever form, is gone once it was sent. */
export const isReplayable = (body: HttpBody.HttpBody): boolean => {
  switch (body._tag) {
    case "Empty":
    case "Uint8Array":
    case "FormData":
      return true
    case "Raw":
      return isInMemory(body.body)
    case "Stream":
      return false
  }
}

const isInMemory = (body: unknown): boolean =>
  typeof body === "string" ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof URLSearchParams ||
  body instanceof Blob ||
  body instanceof FormData

/**
 * A route as the token cache knows it: the method and the path, with `*` in place of each segment that looks like an id, and
 * the account id if the request brings its own. Requests that differ by ids only share a route.
 */
export const routeOf = (method: string, pathname: string, accountId: string | undefined): string => {
  const path = pathname.replace(/[^/]+/g, (segment) => (isIdLike(segment) ? "*" : segment))
  return `${method} ${path}${accountId === undefined ? "" : ` accountId ${accountId}`}`.slice(0, 300)
}

/** A request as the token cache knows it. The route is made only when it is asked for: the hot path never does. */
export class SentRequest implements TokenUse {
  readonly sentAt: number
  readonly isReplay: boolean
  readonly #request: Request
  readonly #url: string

  constructor(request: Request, url: string, sentAt: number, isReplay: boolean) {
    this.sentAt = sentAt
    this.isReplay = isReplay
    this.#request = request
    this.#url = url
  }

  get route(): string {
    return routeOf(this.#request.method, new URL(this.#url).pathname, this.#request.headers["accountid"])
  }
}

/** Has a digit and is not a version, is escaped or long, or mixes cases like a random text. */
const isIdLike = (segment: string): boolean =>
  !/^v\d{1,2}$/.test(segment) && (/[\d%@:]/.test(segment) || segment.length > 40 || /(?:[a-z][A-Z].*){3}/.test(segment))
