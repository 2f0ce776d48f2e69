/**
 * Keeps other web pages away from the control API and the pages. A browser sends the origin of a page with each request that
 * can change something. A page that reaches this machine under a name of its own (DNS rebinding) sends that name as `Host`.
 */
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import type * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Option from "effect/Option"
import * as Hostname from "../config/Hostname.js"
import type { Settings } from "../config/Options.js"
import * as Envelope from "./Envelope.js"

type Names = Pick<Settings, "host" | "allowedHosts">

const parsed = (url: string): URL | undefined => (URL.canParse(url) ? new URL(url) : undefined)

/** A `Host` or an `Origin` with the scheme of the sandbox, so that a default port is left out in both. */
const withSchemeOf = (url: string, host: string): URL | undefined => parsed(`${new URL(url).protocol}//${host}`)

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

/** A 403 for a `Host` that is not the sandbox's own. Browsers always send one. */
export const foreignHost = (
  { headers }: HttpServerRequest.HttpServerRequest,
  url: string,
  names: Names
): Option.Option<HttpServerResponse.HttpServerResponse> => {
  const header = headers["host"]
  if (header === undefined) return Option.none()
  const claimed = withSchemeOf(url, header)
  return claimed !== undefined && isOwn(claimed, url, names)
    ? Option.none()
    : Option.some(forbidden("Host: is not this sandbox's own, and not among allowedHosts"))
}

/** A 403 for a request of another page, or with a foreign `Host`. */
export const foreignPage = (
  request: HttpServerRequest.HttpServerRequest,
  url: string,
  names: Names
): Option.Option<HttpServerResponse.HttpServerResponse> =>
  Option.orElse(foreignHost(request, url, names), () => {
    const { origin, host: header, "sec-fetch-site": site = "none" } = request.headers
    const claimed = header === undefined ? new URL(url).host : withSchemeOf(url, header)?.host
    const foreign = origin !== undefined && parsed(origin)?.host !== claimed
    return foreign || (site !== "none" && site !== "same-origin")
      ? Option.some(forbidden("Origin: is not this sandbox's own"))
      : Option.none()
  })
