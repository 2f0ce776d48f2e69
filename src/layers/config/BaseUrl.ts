/** The base URL of Nomba's API. */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { isBlockedPort } from "../http/blockedPort.js"
import * as Setting from "./Setting.js"

export type Environment = "sandbox" | "production"

export const hosts: Readonly<Record<Environment, string>> = {
  production: "https://api.nomba.com",
  sandbox: "https://sandbox.nomba.com"
}

const isEnvironment = (value: string): value is Environment => Object.hasOwn(hosts, value)

/**
 * The base URL if there is one, otherwise the environment's host, otherwise the sandbox. If the code names an environment, a
 * base URL that comes from a variable does not count: the code means all of it.
 */
export const choose = (
  source: Setting.Source,
  options: { readonly baseUrl?: unknown; readonly environment?: unknown }
): Setting.Checked<string> =>
  Effect.gen(function* () {
    const environment = yield* source.find({
      option: "environment",
      given: options.environment,
      variables: ["NOMBA_ENVIRONMENT"]
    })
    const url = yield* source.find({ option: "baseUrl", given: options.baseUrl, variables: ["NOMBA_BASE_URL"] })
    const isOfCode = Option.exists(environment, ({ isVariable }) => isVariable !== true)
    if (Option.isSome(url) && !(isOfCode && url.value.isVariable)) {
      return yield* fromUrl(yield* Setting.text(url.value))
    }
    if (Option.isSome(environment)) return yield* fromEnvironment(yield* Setting.text(environment.value))
    return { origin: "by default", value: hosts.sandbox }
  })

const fromUrl = ({ origin, value }: Setting.Setting<string>): Setting.Checked<string> =>
  Either.match(normalise(value), {
    onLeft: (problem) => Setting.invalid(origin, problem),
    onRight: (value) => Effect.succeed({ origin: `from ${origin}`, value })
  })

const fromEnvironment = ({
  origin,
  value
}: Setting.Setting<string>): Effect.Effect<Setting.Setting<string>, ConfigError.ConfigError> =>
  isEnvironment(value)
    ? Effect.succeed({ origin: `from ${origin}`, value: hosts[value] })
    : Setting.invalid(origin, "must be sandbox or production")

/**
 * The origin and path of a URL, without the slashes and the `/v1` that many write after it. Otherwise what is wrong with it,
 * without quoting it: it may hold a password.
 */
export const normalise = (value: string): Either.Either<string, string> => {
  if (!URL.canParse(value)) return Either.left("is not an absolute URL such as https://api.nomba.com")
  const url = new URL(value)
  if (url.protocol !== "https:" && url.protocol !== "http:") return Either.left("must begin with https://")
  if (url.port !== "" && isBlockedPort(Number(url.port)))
    return Either.left(`uses port ${url.port}, which fetch refuses: use another port`)
  if (url.username !== "" || url.password !== "") return Either.left("has a user name or password in it: remove it")
  if (/[?#]/.test(value)) return Either.left("has a query or a fragment: remove it")
  if (url.protocol === "http:" && !isLoopback(url.hostname))
    return Either.left("uses plain http: use https, or http to a loopback address")
  return Either.right(url.origin + url.pathname.replace(/\/+$/, "").replace(/\/v1$/, "").replace(/\/+$/, ""))
}

/** Whether a host is this machine, so that plain http to it does not cross a network. */
export const isLoopback = (hostname: string): boolean =>
  hostname === "localhost" || hostname === "[::1]" || /^127(?:\.\d+){3}$/.test(hostname)
