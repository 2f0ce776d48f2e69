/**
 * Where Nomba is.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import { isBlockedPort } from "../http/blockedPort.js"

/**
 * @since 0.1.0
 * @category models
 */
export type Environment = "sandbox" | "production"

/**
 * Nomba's own hosts.
 *
 * @since 0.1.0
 */
export const hosts: Readonly<Record<Environment, string>> = {
  production: "https://api.nomba.com",
  sandbox: "https://sandbox.nomba.com"
}

/**
 * @since 0.1.0
 */
export const isEnvironment = (value: string): value is Environment => Object.hasOwn(hosts, value)

/**
 * The origin and path of a base URL, without the slashes and the `/v1` that many write behind it; or what is wrong with
 * it, without quoting it: it may hold a password.
 *
 * @since 0.1.0
 */
export const normalise = (value: string): Either.Either<string, string> => {
  if (!URL.canParse(value)) return Either.left("is not an absolute URL")
  const url = new URL(value)
  if (url.protocol !== "https:" && url.protocol !== "http:") return Either.left("does not begin with https://")
  if (url.port !== "" && isBlockedPort(Number(url.port)))
    return Either.left(`uses port ${url.port}, which fetch refuses`)
  if (url.username !== "" || url.password !== "") return Either.left("has a user name or password in it")
  if (/[?#]/.test(value)) return Either.left("has a query or a fragment")
  if (url.protocol === "http:" && !isLoopback(url.hostname))
    return Either.left("is plain http, which only a loopback address may be")
  return Either.right(url.origin + url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "").replace(/\/+$/, ""))
}

/**
 * Whether a host is this machine, so that what is sent to it in clear leaves nobody's hands.
 *
 * @since 0.1.0
 */
export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname)
