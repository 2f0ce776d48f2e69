/**
 * Which requests the proxy lets in: from programs of this machine and not from web pages, with a path that everybody reads in
 * the same way, and allowed by the rules.
 */
import * as Either from "effect/Either"
import * as Hostname from "../../sandbox/config/Hostname.js"

/** Why a request is not passed on. `tag` is the value of the header `x-nomba-auth`. */
export interface Refusal {
  readonly status: number
  readonly tag: "InvalidRequest" | "InvalidKey" | "NotAllowed" | "ForeignPage" | "Closing"
  readonly description: string
}

/** Where a listener can be reached. */
export interface Listening {
  readonly host: string
  readonly port: number
  /** Further names, such as a container's, with any port. */
  readonly allowedHosts: ReadonlyArray<string>
}

/**
 * Whether a `Host` is one of the listener's own names. A web page that reaches this machine under a name of its own (DNS
 * rebinding) sends that name. Without a listener, which is a Unix socket that no page can reach, every name will do.
 */
export const makeHostCheck = (listening: Listening | undefined): ((header: string) => boolean) => {
  if (listening === undefined) return () => true
  const { allowedHosts, host, port } = listening
  const named = new Set(allowedHosts.map((name) => Hostname.normalised(name)))
  const isOwn = (header: string): boolean => {
    if (!/^[\w.:[\]-]+$/.test(header) || !URL.canParse(`http://${header}`)) return false
    const claimed = new URL(`http://${header}`)
    const { hostname } = claimed
    if (named.has(hostname)) return true
    if (Hostname.anyAddress.has(host)) return Hostname.isAddress(hostname) || hostname === "localhost"
    if (Number(claimed.port || 80) !== port) return false
    if (Hostname.isLoopback(host) && Hostname.isLoopback(hostname)) return true
    return hostname === Hostname.normalised(host)
  }
  let known: string | undefined
  return (header) => {
    if (header === known) return true
    const own = isOwn(header)
    if (own) known = header
    return own
  }
}

interface PageHeaders {
  readonly host?: string | undefined
  readonly origin?: string | undefined
  readonly "sec-fetch-site"?: string | string[] | undefined
}

/** Refuses a foreign `Host`, and what a browser sends on behalf of a page. There are no pages on this listener. */
export const refusePage = (
  { host = "", origin, "sec-fetch-site": site }: PageHeaders,
  isOwnHost: (header: string) => boolean
): Refusal | undefined => {
  if (!isOwnHost(host)) return foreign("Host is not a name of this proxy: add it with --allow-host if it is.")
  if (origin !== undefined && origin !== `http://${host}`) return foreign("Web pages may not use this proxy (Origin).")
  if (site !== undefined && site !== "same-origin" && site !== "none") {
    return foreign("Web pages may not use this proxy (Sec-Fetch-Site).")
  }
  return undefined
}

const foreign = (description: string): Refusal => ({ status: 403, tag: "ForeignPage", description })

const badPath = (problem: string): Either.Either<never, Refusal> =>
  Either.left({ status: 400, tag: "InvalidRequest", description: `The path ${problem}.` })

/** The path as it is checked and sent, and the query with its question mark. */
export interface Target {
  readonly path: string
  readonly query: string
}

/** A path without an escape, which is its own normal form if it has no dot segment. */
const isPlain = /^(?:\/[\w~-][\w.~!$&'()*+,=:@-]*)+\/?$/

const segments = /^(?:\/(?:[\w.~!$&'()*+,=:@-]|%[\dA-F]{2})*)+$/

/** What a server may take for a separator after decoding: `/ \ ; ? # %` and control characters. */
const ambiguous = /%(?:2F|5C|3B|3F|23|25|[01][\dA-F]|7F)/

/**
 * The normal form of a request target: unreserved characters are decoded, other escapes are upper case (RFC 3986 section
 * 6.2.2). Refused is whatever two servers may read in two ways: absolute URLs, dot segments, empty segments, backslashes,
 * path parameters (`;`), escaped separators, double escapes and invalid UTF-8, in every spelling.
 */
export const normalise = (target: string): Either.Either<Target, Refusal> => {
  if (!target.startsWith("/")) return badPath("must begin with a slash: absolute URLs are not passed on")
  const mark = target.indexOf("?")
  const given = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? "" : target.slice(mark)
  if (query.includes("#") || given.includes("#")) return badPath("must not have a fragment")
  if (isPlain.test(given)) return Either.right({ path: given, query })
  const path = given.replace(/%[\da-f]{2}/gi, (escape) => {
    const letter = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return /[\w.~-]/.test(letter) ? letter : escape.toUpperCase()
  })
  if (ambiguous.test(path)) return badPath("has an escaped separator or control character")
  if (!segments.test(path)) return badPath("has a character that has to be percent-encoded")
  if (path.includes("//")) return badPath("has an empty segment")
  if (/\/\.\.?(?:\/|$)/.test(path)) return badPath("has a dot segment")
  return isUtf8(path) ? Either.right({ path, query }) : badPath("is not UTF-8")
}

const isUtf8 = (path: string): boolean => {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/**
 * The token operations, which the proxy does itself: a caller's own would end the session of all others, and their responses
 * are tokens.
 */
export const isTokenOperation = (path: string): boolean => /^\/(?:v\d+\/)?auth(?:\/|$)/i.test(path)

/** Methods of Nomba's API. TRACE echoes credentials, and OPTIONS and CONNECT have no meaning here. */
export const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])

/** What `--allow` permits. */
export interface Rule {
  readonly text: string
  readonly allows: (method: string, path: string) => boolean
}

/**
 * Reads a rule such as `GET /v1/accounts/**`, otherwise says what is wrong with it. Methods are separated by commas, or `*`;
 * GET includes HEAD. In the path `*` is one segment, and `**` at the end is any number of segments, none included.
 */
export const parseRule = (text: string): Either.Either<Rule, string> => {
  const [, methods = "", pattern = ""] = /^\s*(\S+)\s+(\S+)\s*$/.exec(text) ?? []
  const known = methods.split(",")
  const wrong = known.find((method) => method !== "*" && !METHODS.has(method))
  if (pattern === "" || wrong !== undefined) {
    return Either.left(
      `must be METHOD /path, such as "GET /v1/accounts/**", with methods of ${[...METHODS].join(", ")}`
    )
  }
  const normal = normalise(pattern)
  if (Either.isLeft(normal)) return Either.left(normal.left.description)
  if (normal.right.query !== "") return Either.left("cannot check a query: end the path before the ?")
  const parts = normal.right.path.split("/").slice(1)
  const isOpen = parts.at(-1) === "**"
  const fixed = isOpen ? parts.slice(0, -1) : parts
  if (fixed.some((part) => part.includes("*") && part !== "*")) {
    return Either.left("may have * in place of a whole segment, and ** as the last one only")
  }
  return Either.right({
    text: `${methods} ${normal.right.path}`,
    allows: (method, path) => {
      if (!known.includes("*") && !known.includes(method) && !(method === "HEAD" && known.includes("GET"))) return false
      const given = path.split("/").slice(1)
      if (isOpen ? given.length < fixed.length : given.length !== fixed.length) return false
      return fixed.every((part, index) => (part === "*" ? given[index] !== "" : part === given[index]))
    }
  })
}

/** Whether a list of rules permits a request; no list permits all. */
export const permits = (rules: ReadonlyArray<Rule> | undefined, method: string, path: string): boolean =>
  rules === undefined || rules.some(({ allows }) => allows(method, path))
