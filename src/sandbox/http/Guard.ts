/**
 * Keeps web pages away from what only the sandbox's user may do. A browser tells the page's own origin with every
 * request that can change something, and a page that was given this machine's address under a name of its own (DNS
 * rebinding) tells that name as `Host`.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Option from "effect/Option"
import * as Hostname from "../config/Hostname.js"
import type { Settings } from "../config/Options.js"
import * as Envelope from "./Envelope.js"

/** What the sandbox goes by. */
type Names = Pick<Settings, "host" | "allowedHosts">

const parsed = (url: string): URL | undefined => (URL.canParse(url) ? new URL(url) : undefined)

/** Whether what somebody typed to get here is one of the sandbox's own names. */
const isOwn = ({ hostname, port }: URL, url: string, { allowedHosts, host }: Names): boolean => {
  if (allowedHosts.has(hostname)) return true
  if (Hostname.anyAddress.has(host)) return Hostname.isAddress(hostname) || hostname === "localhost"
  const own = new URL(url)
  if (port !== own.port) return false
  if (Hostname.isLoopback(own.hostname) && Hostname.isLoopback(hostname)) return true
  return hostname === own.hostname || hostname === Hostname.normalised(host)
}

const forbidden = (error: string): HttpServerResponse.HttpServerResponse =>
  Envelope.refusal(403, { code: "403", description: "Forbidden", error })

/** The 403 of a request whose `Host` is not the sandbox's own. No browser sends a request without one. */
export const foreignHost = (
  { headers }: HttpServerRequest.HttpServerRequest,
  url: string,
  names: Names
): Option.Option<HttpServerResponse.HttpServerResponse> => {
  const header = headers["host"]
  if (header === undefined) return Option.none()
  const claimed = parsed(`http://${header}`)
  return claimed !== undefined && isOwn(claimed, url, names)
    ? Option.none()
    : Option.some(forbidden("Host: is not this sandbox's own, and not among allowedHosts"))
}

/** The 403 of a request that another page makes, or that has a foreign `Host`. */
export const foreignPage = (
  request: HttpServerRequest.HttpServerRequest,
  url: string,
  names: Names
): Option.Option<HttpServerResponse.HttpServerResponse> =>
  Option.orElse(foreignHost(request, url, names), () => {
    const { origin, host: header, "sec-fetch-site": site = "none" } = request.headers
    const claimed = header === undefined ? new URL(url).host : parsed(`http://${header}`)?.host
    const foreign = origin !== undefined && parsed(origin)?.host !== claimed
    return foreign || (site !== "none" && site !== "same-origin")
      ? Option.some(forbidden("Origin: is not this sandbox's own"))
      : Option.none()
  })
