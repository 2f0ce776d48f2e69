/** How a sandbox is configured, and the client that needs no configuration. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Hostname from "./Hostname.js"
import { SandboxError } from "./SandboxError.js"
import { Switches, type SwitchesInput } from "./Switches.js"
import { validationMessages } from "./validationMessages.js"

/**
 * A client that the sandbox knows. Its shape fits `Nomba.layer({ ...client, environment: "sandbox" })`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  readonly clientId: string
  /** A public client has none: persons start its sessions. */
  readonly clientSecret?: Redacted.Redacted | undefined
  /** What the `accountId` header must say, where it is looked at; without it any value goes. */
  readonly accountId?: string | undefined
  /**
   * Where a person's login may come back to; nowhere by default. To the letter, except for the port of `http://127.0.0.1`,
   * `http://[::1]` and `http://localhost`.
   */
  readonly redirectUris?: ReadonlyArray<string> | undefined
}

/**
 * The client of a sandbox that was given no other. The values are made up, and shaped like real ones: two UUIDs and 32
 * bytes in base64. A person's login comes back to `/callback` at any port of this machine.
 *
 * @since 0.1.0
 * @category configuration
 */
export const defaultClient: { readonly [Name in keyof Client]-?: Exclude<Client[Name], undefined> } = {
  clientId: "5e2c7ab5-dc95-431e-97bd-85319087245a",
  clientSecret: Redacted.make("qckdiIIlPkLtDNom9YyQKocd/zlFIL9A2ogzm0i912M="),
  accountId: "aef105ad-f352-47a9-9531-d65072584430",
  redirectUris: ["http://127.0.0.1/callback", "http://[::1]/callback", "http://localhost/callback"]
}

/**
 * Which of the two descriptions of the API the answers follow: `spec` says `expires_in` and `token_type`, `live` says
 * `expiresAt` and `businessId`, `both` says all four.
 *
 * @since 0.1.0
 * @category models
 */
export type Dialect = Switches["dialect"]

/**
 * What is asked of the `accountId` header, which the live API requires and the spec does not know. `optional`: it may
 * be absent, and is refused with a 401 when it is not the client's account. `required`: absent is refused too.
 * `ignored`: nobody looks.
 *
 * @since 0.1.0
 * @category models
 */
export type AccountHeader = Switches["accountHeader"]

/**
 * Everything about a sandbox that can be chosen: the switches, which can be turned later too, and what it begins with.
 * Each has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends SwitchesInput {
  /** Default: `defaultClient` alone. */
  readonly clients?: ReadonlyArray<Client> | undefined
  /**
   * With a seed the ids and the tokens repeat: the same seed and the same requests at the same times give the same
   * tokens, which whoever knows the seed can guess. Default: none, and tokens that nobody can guess.
   */
  readonly seed?: string | number | undefined
}

/**
 * What else can be chosen when the sandbox listens on a socket.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptions extends Options {
  /** Default: `127.0.0.1`, which only this machine reaches. */
  readonly host?: string | undefined
  /** Default: 0, which takes a free port; `Sandbox.url` says which. */
  readonly port?: number | undefined
  /**
   * Names under which the control side, the pages and the logins may be asked for, besides the sandbox's own: `host`,
   * every loopback address where it listens on one, every address where it listens on all. Without a port, such as
   * `sandbox`; every port is meant. Whoever can make a browser take such a name for this machine can steer the sandbox.
   * Default: none.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
}

/** The options with every default filled in. */
export interface Settings {
  readonly clients: ReadonlyMap<string, Client>
  readonly switches: Switches
  readonly seed: string | number | undefined
  readonly host: string
  readonly port: number
  /** The way a browser sends them. */
  readonly allowedHosts: ReadonlySet<string>
}

const secretIssue = (secret: unknown): string | undefined => {
  if (!Redacted.isRedacted(secret)) return "is not redacted: wrap it in Redacted.make"
  const value = Redacted.value(secret)
  if (!Predicate.isString(value)) return "must be text"
  return value === "" ? "is empty; a public client leaves it out" : undefined
}

const redirectUriIssue = (uri: unknown): string | undefined => {
  if (typeof uri !== "string" || !URL.canParse(uri)) return "must be an absolute URI"
  if (/[^\x21-\x7e]/.test(uri)) {
    return "must be printable ASCII without spaces, because a Location header carries it: percent-encode the rest"
  }
  return uri.includes("#") ? "must not have a fragment" : undefined
}

const ofClient = (client: Client): ReadonlyArray<string> => {
  const { accountId, clientId, clientSecret, redirectUris = [] } = client
  const secret = clientSecret === undefined ? undefined : secretIssue(clientSecret)
  return [
    ...(clientId === "" ? [".clientId: is empty"] : []),
    ...(secret === undefined ? [] : [`.clientSecret: ${secret}`]),
    ...(clientSecret === undefined && redirectUris.length === 0
      ? [": has neither a clientSecret nor redirectUris, so that nobody could log in"]
      : []),
    ...redirectUris.flatMap((uri, index) => {
      const problem = redirectUriIssue(uri)
      return problem === undefined ? [] : [`.redirectUris.${index}: ${problem}`]
    }),
    ...(accountId === "" ? [".accountId: is empty; leave it out"] : [])
  ]
}

const clientIssues = (clients: ReadonlyArray<Client>): ReadonlyArray<string> => [
  ...(clients.length === 0 ? ["clients: at least one is needed"] : []),
  ...(new Set(clients.map((client) => client.clientId)).size < clients.length
    ? ["clients: a clientId is there twice"]
    : []),
  ...clients.flatMap((client, index) => ofClient(client).map((issue) => `clients.${index}${issue}`))
]

const allowedHostsIssues = (names: unknown): ReadonlyArray<string> =>
  Array.isArray(names)
    ? names.flatMap((name, index) =>
        typeof name === "string" && Hostname.normalised(name) !== undefined
          ? []
          : [`allowedHosts.${index}: must be a name or an address, without a port`]
      )
    : ["allowedHosts: must be a list of names"]

const decodeSwitches = Schema.decodeUnknownEither(Switches, { errors: "all", onExcessProperty: "error" })

/** Fills in the defaults, or says everything that is wrong at once, as `SandboxError` with the reason `Options`. */
export const settle = (options: ServerOptions): Effect.Effect<Settings, SandboxError> => {
  const { clients = [defaultClient], host = "127.0.0.1", port = 0, seed, allowedHosts = [], ...rest } = options
  const switches = decodeSwitches(rest)
  const issues = [
    ...clientIssues(clients),
    ...Either.match(switches, { onLeft: ({ issue }) => validationMessages(issue, "options"), onRight: () => [] }),
    ...(seed === undefined || typeof seed === "string" || Number.isFinite(seed)
      ? []
      : ["seed: must be text or a number"]),
    ...(host === "" ? ["host: is empty"] : []),
    ...(Number.isInteger(port) && port >= 0 && port <= 65_535 ? [] : ["port: must be an integer from 0 to 65535"]),
    ...allowedHostsIssues(allowedHosts)
  ]
  return Either.isRight(switches) && issues.length === 0
    ? Effect.succeed({
        clients: new Map(clients.map((client) => [client.clientId, client])),
        switches: switches.right,
        seed,
        host,
        port,
        allowedHosts: new Set(allowedHosts.flatMap((name) => Hostname.normalised(name) ?? []))
      })
    : Effect.fail(new SandboxError({ reason: "Options", issues }))
}
