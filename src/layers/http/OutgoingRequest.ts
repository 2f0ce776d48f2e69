/**
 * Requests as they leave: where they may go, and what they carry.
 */
import * as Headers from "@effect/platform/Headers"
import type * as HttpBody from "@effect/platform/HttpBody"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Either from "effect/Either"
import * as Hash from "effect/Hash"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { InvalidRequest, UnexpectedResponse } from "../../schemas/AuthError.js"
import { isHeaderSafe } from "../../schemas/SafeText.js"
import type { TokenUse } from "../../services/TokenCache.js"
import { hidden } from "./GuardedClient.js"

type Request = HttpClientRequest.HttpClientRequest

/**
 * Where a request may go: the configured base URL, and nowhere else. Makes the function from the URL that a caller gave to the
 * absolute one that is requested. A path begins with one slash and is taken below the base's own path; an absolute URL must
 * lie there already. Whatever `URL` would read as another host or as a way out of the base's path is refused, in every spelling.
 */
export const destination = (baseUrl: string): ((given: string) => Either.Either<string, InvalidRequest>) => {
  const { origin, pathname } = new URL(baseUrl)
  const prefix = pathname.replace(/\/$/, "")
  const base = origin + prefix

  const isBelowBase = (url: URL): boolean =>
    url.origin === origin && url.username === "" && url.password === "" && `${url.pathname}/`.startsWith(`${prefix}/`)

  const resolve = (given: string): Option.Option<URL> =>
    given.startsWith("/")
      ? Option.flatMap(
          Option.filter(parse(given, origin), (alone) => alone.origin === origin),
          () => parse(prefix + given, origin)
        )
      : parse(given)

  return (given) => {
    const path = given.startsWith(`${base}/`) ? given.slice(base.length) : given
    if (isPlain.test(path)) return Either.right(base + path)
    return Option.match(resolve(given), {
      onNone: () => refuse(base, isAbsolute.test(given) || given.startsWith("/") ? LEAVES : NO_SLASH),
      onSome: (url) => (isBelowBase(url) && isBelowBase(unescaped(url)) ? Either.right(url.href) : refuse(base, LEAVES))
    })
  }
}

/** A path, perhaps with a query, that `URL` leaves as it is: no dot segment, no escape, nothing that it rewrites. */
const isPlain = /^(?:\/[\w~-][\w.~:@!$&()*+,;=-]*)+\/?(?:\?[\w.~:@!$&()*+,;=/?-]*)?$/

const parse = Option.liftThrowable((url: string, base?: string): URL => new URL(url, base))

/** The URL as a server reads it that decodes escaped slashes. */
const unescaped = (url: URL): URL => new URL(url.origin + url.pathname.replace(/%2f|%5c/gi, "/"))

const isAbsolute = /^[a-z][a-z\d+.-]*:/i

const LEAVES = "its URL leaves the configured base URL"
const NO_SLASH = "its path does not begin with a slash"

const refuse = (base: string, problem: string): Either.Either<never, InvalidRequest> =>
  Either.left(
    new InvalidRequest({
      operation: "request",
      errors: [problem],
      hint: `Begin the path with one slash, or give an absolute URL below ${base}/.`
    })
  )

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

export const isInMemory = (body: unknown): boolean =>
  typeof body === "string" ||
  body instanceof ArrayBuffer ||
  ArrayBuffer.isView(body) ||
  body instanceof URLSearchParams ||
  body instanceof Blob ||
  body instanceof FormData

/**
 * The headers without the length of a body in memory, where every client states it. The `fetch` of Node joins the two to
 * "9, 9", which undici refuses from 7.26 on. `FetchHttpClient` leaves the length to `fetch` only since @effect/platform 0.96.2.
 * With other methods `node:http` states none: a server would take the body for the next request.
 */
const withoutLength = ({ body, headers, method }: Request): Headers.Headers =>
  headers["content-length"] !== undefined && /^(?:POST|PUT|PATCH)$/.test(method) && isReplayable(body)
    ? Headers.remove(headers, "content-length")
    : headers

const nameOf = (method: string, path: string, accountId: string | undefined): string =>
  `${method} ${path}${accountId === undefined ? "" : ` accountId ${accountId}`}`.slice(0, 300)

/**
 * A route as the token cache knows it: the method and the path, with `*` in place of each segment that looks like an id, and
 * the account id if the request brings its own. Requests that differ by ids only share a route.
 */
export const routeOf = (method: string, pathname: string, accountId: string | undefined): string =>
  nameOf(
    method,
    pathname.replace(/[^/]+/g, (segment) => (isIdLike(segment) ? "*" : segment)),
    accountId
  )

/** The parts of a request that name its route and its resource. The proxy's requests have them too. */
interface Named {
  readonly method: string
  readonly headers: { readonly [name: string]: string | undefined }
  readonly urlParams?: UrlParams.UrlParams
  readonly body?: HttpBody.HttpBody
}

/** The text of a body in memory; empty for streams, forms and blobs. */
const textOf = (body: HttpBody.HttpBody | undefined): string => {
  const content = body?._tag === "Uint8Array" || body?._tag === "Raw" ? body.body : undefined
  if (typeof content === "string" || content instanceof URLSearchParams) return String(content)
  return content instanceof ArrayBuffer || ArrayBuffer.isView(content) ? new TextDecoder().decode(content) : ""
}

/** A request as the token cache knows it. The route is made only when it is asked for: the hot path never does. */
export class SentRequest implements TokenUse {
  readonly sentAt: number
  readonly isReplay: boolean
  readonly #request: Named
  readonly #url: string

  constructor(request: Named, url: string, sentAt: number, isReplay: boolean) {
    this.sentAt = sentAt
    this.isReplay = isReplay
    this.#request = request
    this.#url = url
  }

  get route(): string {
    return routeOf(this.#request.method, new URL(this.#url).pathname, this.#request.headers["accountid"])
  }

  /** With a digest of the query and the body: Nomba may refuse one account that is named there, and accept the others. */
  get resource(): string {
    const { body, headers, method, urlParams = [] } = this.#request
    const { pathname, search } = new URL(this.#url)
    const content = Hash.string(`${search} ${UrlParams.toString(urlParams)} ${textOf(body)}`)
    return `${nameOf(method, pathname, headers["accountid"])} ${content}`
  }
}

/** Has a digit and is not a version, is escaped or long, or mixes cases like a random text. */
const isIdLike = (segment: string): boolean =>
  !/^v\d{1,2}$/.test(segment) && (/[\d%@:]/.test(segment) || segment.length > 40 || /(?:[a-z][A-Z].*){3}/.test(segment))

/** Sets the absolute URL, the token and the account id. */
export type Authorize = (
  request: Request,
  url: string,
  token: Redacted.Redacted<string>
) => Either.Either<Request, UnexpectedResponse>

/**
 * An account id and a `User-Agent` that the request brings itself stay. The headers of one token are kept for the next
 * request, which is likely to carry the same token.
 */
export const authorization = (accountId: Option.Option<string>): Authorize => {
  const account = Option.match(accountId, { onNone: () => ({}), onSome: (accountid) => ({ accountid }) })
  const prepare = (token: Redacted.Redacted<string>) =>
    Either.map(bearer(token), (authorization) => ({
      authorization,
      all: Headers.fromInput({ ...userAgent, ...account, authorization })
    }))
  let last: { readonly token: unknown; readonly prepared: ReturnType<typeof prepare> } | undefined
  return (request, url, token) => {
    if (last?.token !== token) last = { token, prepared: prepare(token) }
    return Either.map(last.prepared, ({ all, authorization }) => {
      if (request.headers === Headers.empty) return hidden(request, { url, headers: all })
      const headers = Headers.set(Headers.merge(all, withoutLength(request)), "authorization", authorization)
      return hidden(request, { url, headers })
    })
  }
}

const bearer = (token: Redacted.Redacted<string>): Either.Either<string, UnexpectedResponse> => {
  const value = Redacted.value(token)
  return isHeaderSafe(value)
    ? Either.right(`Bearer ${value}`)
    : Either.left(
        new UnexpectedResponse({
          operation: "request",
          reason: "NoUsableToken",
          issues: ["access token: has characters that a header cannot carry"]
        })
      )
}

/** The version in package.json; a test compares the two. */
export const VERSION = "0.1.0"

/**
 * The header that names this library to Nomba. A browser sends one of its own: to send another, it would first ask the server
 * (CORS preflight).
 */
export const userAgent: { readonly "user-agent"?: string } =
  "document" in globalThis || "WorkerGlobalScope" in globalThis ? {} : { "user-agent": `nomba-auth/${VERSION}` }
