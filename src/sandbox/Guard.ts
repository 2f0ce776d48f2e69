/**
 * Keeps web pages away from what only the sandbox's user may do. A browser tells the page's own origin with every
 * request that can change something, and a page that was given this machine's address under a name of its own (DNS
 * rebinding) tells that name as `Host`.
 *
 * @since 0.1.0
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Option from "effect/Option"
import * as Envelope from "./Envelope.js"

/** Addresses that stand for every address of the machine. */
export const anyAddress: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

const loopback: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"])

const isAddress = (hostname: string): boolean => /^[\d.]+$|^\[/.test(hostname)

const parsed = (url: string): URL | undefined => (URL.canParse(url) ? new URL(url) : undefined)

/** The address that somebody typed to get here: none where the request does not say, as it always does in a browser. */
const isOwn = (claimed: URL, url: string, host: string): boolean => {
  const own = new URL(url)
  if (anyAddress.has(host)) return isAddress(claimed.hostname) || claimed.hostname === "localhost"
  return loopback.has(own.hostname)
    ? loopback.has(claimed.hostname) && claimed.port === own.port
    : claimed.host === own.host
}

const forbidden = (error: string): HttpServerResponse.HttpServerResponse =>
  Envelope.refusal(403, { code: "403", description: "Forbidden", error })

/** The 403 of a request whose `Host` is not the sandbox's own. */
export const foreignHost = (
  { headers }: HttpServerRequest.HttpServerRequest,
  url: string,
  host: string
): Option.Option<HttpServerResponse.HttpServerResponse> => {
  const header = headers["host"]
  if (header === undefined) return Option.none()
  const claimed = parsed(`http://${header}`)
  return claimed !== undefined && isOwn(claimed, url, host)
    ? Option.none()
    : Option.some(forbidden("Host: is not this sandbox's own"))
}

/** The 403 of a request that another page makes, or that has a foreign `Host`. */
export const foreignPage = (
  request: HttpServerRequest.HttpServerRequest,
  url: string,
  host: string
): Option.Option<HttpServerResponse.HttpServerResponse> =>
  Option.orElse(foreignHost(request, url, host), () => {
    const { origin, host: header, "sec-fetch-site": site = "none" } = request.headers
    const claimed = header === undefined ? new URL(url).host : parsed(`http://${header}`)?.host
    const foreign = origin !== undefined && parsed(origin)?.host !== claimed
    return foreign || (site !== "none" && site !== "same-origin")
      ? Option.some(forbidden("Origin: is not this sandbox's own"))
      : Option.none()
  })
