/** Which requests the proxy lets in: from programs of this machine and not from web pages, with a key and allowed by the rules. */
import type { IncomingMessage } from "node:http"
import * as Either from "effect/Either"
import * as Hostname from "../../sandbox/config/Hostname.js"
import type { Exchange } from "./Exchange.js"
import * as Keys from "./Keys.js"
import type { Refusal } from "./OwnResponse.js"
import * as Rules from "./Rules.js"

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

/** What the parser takes and another server may read in another way. */
const refuseMalformed = ({ headers, httpVersion, rawHeaders, url = "" }: IncomingMessage): Refusal | undefined => {
  const encoding = headers["transfer-encoding"]
  if (!url.startsWith("/")) return malformed("the path must begin with a slash: absolute URLs are not passed on")
  if (hostsIn(rawHeaders) !== 1) return malformed("there must be one Host header")
  if (encoding !== undefined && (encoding.toLowerCase() !== "chunked" || httpVersion === "1.0")) {
    return malformed("Transfer-Encoding must be chunked")
  }
  return undefined
}

const hostsIn = (rawHeaders: ReadonlyArray<string>): number => {
  let count = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ""
    if (name.length === 4 && /^host$/i.test(name)) count += 1
  }
  return count
}

const malformed = (problem: string): Refusal => ({
  status: 400,
  tag: "InvalidRequest",
  description: `Not passed on: ${problem}.`
})

const invalidKey: Refusal = {
  status: 401,
  tag: "InvalidKey",
  description: "The key of this proxy is missing or wrong: send it as x-nomba-key, or as Authorization: Bearer KEY."
}

const notAMethod: Refusal = {
  status: 405,
  tag: "InvalidRequest",
  description: `The method must be one of ${[...Rules.METHODS].join(", ")}.`
}

const tokenOperation: Refusal = {
  status: 403,
  tag: "NotAllowed",
  description: "This proxy obtains the token itself: remove the token request from your program."
}

const notAllowed = (method: string, path: string): Refusal => ({
  status: 403,
  tag: "NotAllowed",
  description: `No rule of --allow or of this key permits ${method} ${path.slice(0, 200)}.`
})

const leavesBaseUrl: Refusal = {
  status: 400,
  tag: "InvalidRequest",
  description: "The path leaves the configured base URL."
}

export interface Options {
  /** `none` lets every caller in, and is for a Unix socket, whose file says who may connect. */
  readonly keys: ReadonlyArray<Keys.Key> | "none"
  /** What all keys may do. Default: everything but token operations. */
  readonly rules?: ReadonlyArray<Rules.Rule> | undefined
}

/** A request that may be sent. */
export interface Admitted {
  /** The absolute URL below the base URL. */
  readonly url: string
}

/** Checks a request, and notes its key and its path as soon as they are known. */
export const make = (
  { keys, rules }: Options,
  baseUrl: string,
  isOwnHost: (header: string) => boolean
): ((exchange: Exchange) => Refusal | Admitted) => {
  const resolve = resolver(baseUrl)
  return (exchange) => {
    const { caller } = exchange
    const { headers, method = "" } = caller
    const refusal = refuseMalformed(caller) ?? refusePage(headers, isOwnHost)
    if (refusal !== undefined) return refusal
    const key = keys === "none" ? undefined : Keys.find(keys, headers)
    if (keys !== "none" && key === undefined) return invalidKey
    exchange.key = key?.name ?? "-"
    if (!Rules.METHODS.has(method)) return notAMethod
    const target = Rules.normalise(caller.url ?? "")
    if (Either.isLeft(target)) return target.left
    const { path } = target.right
    exchange.path = path
    if (Rules.isTokenOperation(path)) return tokenOperation
    if (!Rules.permits(rules, method, path) || !Rules.permits(key?.rules, method, path)) return notAllowed(method, path)
    const url = resolve(target.right)
    return url === undefined ? leavesBaseUrl : { url }
  }
}

/** A query that `URL` leaves as it is. */
const isPlainQuery = /^(?:\?[\w.~:@!$&()*+,;=/?%-]*)?$/

/** Makes the absolute URL. What was checked is what is sent: the same path below the base URL, otherwise nothing. */
const resolver = (baseUrl: string): ((target: Rules.Target) => string | undefined) => {
  const { origin, pathname } = new URL(baseUrl)
  const prefix = pathname.replace(/\/$/, "")
  const base = origin + prefix
  return ({ path, query }) => {
    if (isPlainQuery.test(query)) return base + path + query
    const url = new URL(base + path + query)
    return url.origin === origin && url.pathname === prefix + path ? url.href : undefined
  }
}
