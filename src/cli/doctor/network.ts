/** What lies between this machine and Nomba: the proxy, DNS, the connection and its certificate. */
import { lookup } from "node:dns/promises"
import { accessSync, constants } from "node:fs"
import * as Net from "node:net"
import * as Tls from "node:tls"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as BaseUrl from "../../layers/config/BaseUrl.js"
import { systemCode } from "../../layers/http/NetworkFailure.js"
import { interruptInBackground } from "../../layers/time.js"
import * as ExitCode from "../ExitCode.js"
import { type Finding, ok, problem, skipped, warning } from "./Finding.js"

type Variables = Readonly<Record<string, string | undefined>>

/** The lower-case name counts first, as in curl and Node. */
const variable = (variables: Variables, name: string): readonly [string, string] | undefined =>
  [name.toLowerCase(), name]
    .map((spelling) => [spelling, variables[spelling]?.trim() ?? ""] as const)
    .find(([, value]) => value !== "")

/** Whether `NO_PROXY` names the host: by its name, a domain above it, or `*`, each with or without a port. */
export const isExempt = (list: string, { hostname, port, protocol }: URL): boolean =>
  list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== "")
    .some((entry) => {
      const [, name = "", onPort] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? []
      const domain = name.replace(/^\*?\./, "")
      const ownPort = port === "" ? (protocol === "https:" ? "443" : "80") : port
      return (
        (onPort === undefined || onPort === ownPort) &&
        (name === "*" || hostname === domain || (domain !== "" && hostname.endsWith(`.${domain}`)))
      )
    })

/** How this Node.js treats the proxy variables. */
export interface NodeProxy {
  readonly version: string
  /** Whether it knows `NODE_USE_ENV_PROXY`: since 22.21 and 24.0. */
  readonly isSupported: boolean
  readonly isOn: boolean
}

export interface ProxyFound {
  readonly finding: Finding
  /** Requests go through the proxy, which resolves the name and connects. */
  readonly isUsed: boolean
  /** The variable that names a proxy which is not used. */
  readonly unused?: string
}

/** What the proxy variables mean for requests to this URL. */
export const proxy = (variables: Variables, baseUrl: string, node: NodeProxy): ProxyFound => {
  const url = new URL(baseUrl)
  const given =
    (url.protocol === "https:" ? variable(variables, "HTTPS_PROXY") : undefined) ??
    variable(variables, "HTTP_PROXY") ??
    variable(variables, "ALL_PROXY")
  const direct = (says: string): ProxyFound => ({ finding: ok(says), isUsed: false })
  if (given === undefined) return direct("no proxy variable is set: requests go directly")
  const [name, value] = given
  const isRead = !/^all_proxy$/i.test(name)
  const isUsed = isRead && node.isOn && node.isSupported
  if (!isUsed && BaseUrl.isLoopback(url.hostname)) return direct("requests to this machine need no proxy")
  const exempt = variable(variables, "NO_PROXY")
  if (exempt !== undefined && isExempt(exempt[1], url)) {
    return direct(`${exempt[0]} exempts ${url.hostname} from ${name}: requests go directly`)
  }
  if (isUsed) {
    const target = URL.canParse(value) ? ` ${new URL(value).host}` : ""
    return { finding: ok(`requests go through the proxy${target} (${name})`), isUsed: true }
  }
  return {
    isUsed: false,
    unused: name,
    finding: warning(
      `${name} is set, and Node ${node.version} does not use it: requests go directly`,
      `if this machine has no direct way out, ${[
        ...(isRead ? [] : ["set HTTPS_PROXY"]),
        ...(node.isSupported ? [] : ["use Node 24 (or 22.21)"]),
        "set NODE_USE_ENV_PROXY=1"
      ].join(" and ")}`
    )
  }
}

/** How long each step may take. */
export interface Limits {
  readonly stepTimeout: Duration.Duration
}

export interface Steps extends Limits {
  readonly url: URL
  /** The variable of a proxy that is not used. */
  readonly unusedProxy?: string | undefined
}

const unavailable = (says: string, change: string): Finding => problem(ExitCode.UNAVAILABLE, says, change)

const orProxy = ({ unusedProxy }: Steps, change: string): string =>
  unusedProxy === undefined ? change : `${change}; ${unusedProxy} is set, and Node does not use it (see proxy)`

/** Also if the step cannot be interrupted. */
const within = <A>(step: Effect.Effect<A>, { stepTimeout }: Limits, onTimeout: () => A): Effect.Effect<A> =>
  step.pipe(interruptInBackground, Effect.timeoutTo({ duration: stepTimeout, onSuccess: (found) => found, onTimeout }))

const seconds = ({ stepTimeout }: Limits): string => `${Duration.toSeconds(stepTimeout)} s`

const codeOf = (error: unknown): string => Option.getOrElse(systemCode(error), () => "unknown error")

/** An IPv6 address has brackets in a URL only. */
const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[(.*)\]$/, "$1")

const portOf = ({ port, protocol }: URL): number => (port === "" ? (protocol === "https:" ? 443 : 80) : Number(port))

/** Asks the system, as `fetch` does. */
export const dns = (steps: Steps): Effect.Effect<Finding> => {
  const host = hostOf(steps.url)
  if (Net.isIP(host) !== 0) return Effect.succeed(skipped(`${host} is an address`))
  const change = orProxy(steps, `check the spelling of ${host} and this machine's DNS`)
  return within(
    Effect.tryPromise({ try: () => lookup(host, { all: true }), catch: codeOf }).pipe(
      Effect.match({
        onFailure: (code) => unavailable(`cannot resolve ${host}: ${code}`, change),
        onSuccess: (addresses) => ok(`${host} is ${addresses.map(({ address }) => address).join(", ")}`)
      })
    ),
    steps,
    () => unavailable(`no answer about ${host} within ${seconds(steps)}`, change)
  )
}

const connected = (open: () => Net.Socket, event: string): Effect.Effect<Net.Socket, unknown> =>
  Effect.async<Net.Socket, unknown>((resume) => {
    const socket = open()
    socket.once(event, () => resume(Effect.succeed(socket)))
    socket.on("error", (error) => resume(Effect.fail(error)))
    socket.once("close", () => resume(Effect.fail({ code: "ECONNRESET" })))
    return Effect.sync(() => socket.destroy())
  })

const closing = <A>(
  open: Effect.Effect<Net.Socket, unknown>,
  use: (socket: Net.Socket) => A
): Effect.Effect<A, unknown> =>
  Effect.map(open, (socket) => {
    const found = use(socket)
    socket.destroy()
    return found
  })

const connectRemedies: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there: check the base URL, and whether the server runs",
  EHOSTUNREACH: "there is no way to this host: check this machine's network",
  ENETUNREACH: "this machine has no network: check its connection"
}

export const connection = (steps: Steps): Effect.Effect<Finding> => {
  const { url } = steps
  const target = `${url.hostname}:${portOf(url)}`
  return within(
    closing(
      connected(() => Net.connect(portOf(url), hostOf(url)), "connect"),
      () => ok(`connected to ${target}`)
    ).pipe(
      Effect.catchAll((error) => {
        const code = codeOf(error)
        const change = connectRemedies[code] ?? "check this machine's network and firewall"
        return Effect.succeed(unavailable(`cannot connect to ${target}: ${code}`, orProxy(steps, change)))
      })
    ),
    steps,
    () =>
      unavailable(
        `no connection to ${target} within ${seconds(steps)}`,
        orProxy(steps, `a firewall may drop it: allow outgoing connections to port ${portOf(url)}`)
      )
  )
}

/** What a certificate says of itself. */
interface Certificate {
  readonly issuer: string
  readonly names: string
  readonly from: string
  readonly until: string
}

const one = (name: string | ReadonlyArray<string> | undefined): string | undefined =>
  typeof name === "object" ? name[0] : name

const certificateOf = (socket: Tls.TLSSocket): Certificate => {
  const { issuer, subject, subjectaltname, valid_from, valid_to } = socket.getPeerCertificate()
  const day = (text: string) => (Number.isNaN(Date.parse(text)) ? "?" : new Date(text).toISOString().slice(0, 10))
  return {
    issuer: one(issuer?.CN) ?? one(issuer?.O) ?? "an unnamed authority",
    names: subjectaltname?.replaceAll("DNS:", "").replaceAll("IP Address:", "") ?? one(subject?.CN) ?? "nobody",
    from: day(valid_from),
    until: day(valid_to)
  }
}

/** Node ignores a file that it cannot read, with a warning that few see. */
const extraAuthorities = ({ NODE_EXTRA_CA_CERTS: file }: Variables): string => {
  if (file === undefined || file === "") return "name the file of its authority in NODE_EXTRA_CA_CERTS"
  try {
    accessSync(file, constants.R_OK)
    return "NODE_EXTRA_CA_CERTS is set, and its file does not contain the authority: add it there"
  } catch {
    return "NODE_EXTRA_CA_CERTS is set, and its file cannot be read: correct the path"
  }
}

/** Why Node does not accept a certificate, and what to change. */
export const refusedCertificate = (
  code: string,
  host: string,
  { from, issuer, names, until }: Certificate,
  variables: Variables
): Finding => {
  switch (code) {
    case "ERR_TLS_CERT_ALTNAME_INVALID":
      return unavailable(
        `the certificate is for ${names}, and not for ${host}`,
        "check the host of the base URL; a proxy of your network may also answer in its place"
      )
    case "CERT_HAS_EXPIRED":
      return unavailable(
        `the certificate of ${host} expired on ${until}`,
        "check this machine's date; if it is right, the server needs a new certificate"
      )
    case "CERT_NOT_YET_VALID":
      return unavailable(`the certificate of ${host} is valid from ${from} on`, "check this machine's date")
    default:
      return unavailable(
        `the certificate of ${host} is from ${issuer}, whom Node does not trust (${code})`,
        `a proxy or virus scanner may be in between: ${extraAuthorities(variables)}`
      )
  }
}

const handshakeRemedies: ReadonlyArray<readonly [RegExp, string]> = [
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH/, "the server does not speak TLS on this port: check the base URL"],
  [/PROTOCOL|HANDSHAKE|CIPHER/, "the server accepts no TLS version or cipher that Node has: it needs an update"]
]

/** Connects whatever the certificate, and then says what Node thinks of it. */
export const tls = (steps: Steps, variables: Variables): Effect.Effect<Finding> => {
  const { url } = steps
  if (url.protocol !== "https:") return Effect.succeed(skipped("plain http, to this machine alone"))
  const host = hostOf(url)
  const options = { host, port: portOf(url), rejectUnauthorized: false }
  const servername = Net.isIP(host) === 0 ? { servername: host } : {}
  return within(
    closing(
      connected(() => Tls.connect({ ...options, ...servername }), "secureConnect"),
      (socket) => {
        const secure = socket as Tls.TLSSocket
        const certificate = certificateOf(secure)
        // The types say Error; Node sets the code.
        const refusal: unknown = secure.authorizationError
        if (!secure.authorized) {
          const code = typeof refusal === "string" ? refusal : codeOf(refusal)
          return refusedCertificate(code, host, certificate, variables)
        }
        const described = `${secure.getProtocol()}, certificate from ${certificate.issuer} until ${certificate.until}`
        return variables["NODE_TLS_REJECT_UNAUTHORIZED"] === "0"
          ? warning(
              `${described}; NODE_TLS_REJECT_UNAUTHORIZED=0 makes Node accept every other one too`,
              "remove NODE_TLS_REJECT_UNAUTHORIZED: anyone in between can read the secret"
            )
          : ok(described)
      }
    ).pipe(
      Effect.catchAll((error) => {
        const code = codeOf(error)
        const change = handshakeRemedies.find(([codes]) => codes.test(code))?.[1]
        return Effect.succeed(
          unavailable(
            `no TLS with ${host}: ${code}`,
            change ?? "a firewall or proxy may cut the connection: let it through"
          )
        )
      })
    ),
    steps,
    () =>
      unavailable(
        `no TLS with ${host} within ${seconds(steps)}`,
        "a firewall or proxy may hold it back, or the server does not speak TLS: check both"
      )
  )
}
