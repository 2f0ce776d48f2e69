/** The base URL of Nomba's API: which one, what it may be, and how errors and warnings name its host. */
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import type { NombaConfigService } from "../../services/NombaConfig.js"
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

/** The ports that `fetch` refuses to connect to (https://fetch.spec.whatwg.org/#bad-port), in Node as in browsers. */
const blocked = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080
])

export const isBlockedPort = (port: number): boolean => blocked.has(port)

/** The members of `Unavailable` that say what failed. */
export interface Host {
  /** `api.nomba.com`, with the port if there is one. */
  readonly target: string
  /** The variable or option that it comes from: `NOMBA_ENVIRONMENT=production`, `options.baseUrl`. */
  readonly setting?: string
}

export const hostOf = ({ baseUrl, origins }: Pick<NombaConfigService, "baseUrl" | "origins">): Host => {
  const target = new URL(baseUrl).host
  const setting = /(?:^|\s)(NOMBA_[A-Z_]+|options\.\w+)(?:=\w+)?$/.exec(origins.environment)?.[1]
  if (setting === undefined) return { target }
  const environment = Object.entries(hosts).find(([, url]) => url === baseUrl)?.[0]
  return { target, setting: /environment$/i.test(setting) && environment ? `${setting}=${environment}` : setting }
}

/** Whether it is one of Nomba's own hosts, and not a sandbox or a proxy. */
export const isNombas = (baseUrl: string): boolean => /(?:^|\.)nomba\.com$/.test(new URL(baseUrl).hostname)
