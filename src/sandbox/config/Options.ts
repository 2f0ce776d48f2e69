/** The options of a sandbox, and the client that needs none. */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Hostname from "./Hostname.js"
import { type Resource, resourceIssues } from "./Resource.js"
import { SandboxError } from "./SandboxError.js"
import { Switches, type SwitchesInput } from "./Switches.js"
import { validationMessages } from "./validationMessages.js"

/**
 * A client that the sandbox knows. It can be spread into `Nomba.layer({ ...client, environment: "sandbox" })`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  readonly clientId: string
  /** A public client has none: its end users log in. */
  readonly clientSecret?: Redacted.Redacted | undefined
  /** The expected `accountId` header, unless the switch `accountHeader` is `ignored`. Default: any. */
  readonly accountId?: string | undefined
  /** Accounts below `accountId`. As an `accountId` header they are rejected with 403, as Nomba does. */
  readonly subAccountIds?: ReadonlyArray<string> | undefined
  /**
   * Where a login may return to. Default: nowhere. Compared character by character, except for the port of
   * `http://127.0.0.1`, `http://[::1]` and `http://localhost`.
   */
  readonly redirectUris?: ReadonlyArray<string> | undefined
}

/**
 * The default client. The values are made up and have the shape of real ones: two UUIDs and 32 bytes in base64. Its logins
 * may return to `/callback` on any port of this machine.
 *
 * @since 0.1.0
 * @category configuration
 */
export const defaultClient = {
  clientId: "5e2c7ab5-dc95-431e-97bd-85319087245a",
  clientSecret: Redacted.make("qckdiIIlPkLtDNom9YyQKocd/zlFIL9A2ogzm0i912M="),
  accountId: "aef105ad-f352-47a9-9531-d65072584430",
  redirectUris: ["http://127.0.0.1/callback", "http://[::1]/callback", "http://localhost/callback"]
} as const satisfies Client

/**
 * Which description of the API the token responses follow: `spec` has `expires_in` and `token_type`, `live` has `expiresAt`
 * and `businessId`, `both` has all four.
 *
 * @since 0.1.0
 * @category models
 */
export type Dialect = Switches["dialect"]

/**
 * How the `accountId` header is checked: `optional` rejects another account, `required` also rejects a missing header,
 * `ignored` does not check.
 *
 * @since 0.1.0
 * @category models
 */
export type AccountHeader = Switches["accountHeader"]

/**
 * The switches, which can also be changed later, and what a sandbox starts with. Everything has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends SwitchesInput {
  /** Default: `defaultClient`. */
  readonly clients?: ReadonlyArray<Client> | undefined
  /** Responses of your own. They take precedence over the built-in ones. */
  readonly resources?: ReadonlyArray<Resource> | undefined
  /**
   * Responses for what neither `resources` nor the built-in ones answer, such as the examples of an OpenAPI document. They are
   * sent as they are, without placeholders, and stay when the added responses are cleared. Default: none.
   */
  readonly examples?: ReadonlyArray<Resource> | undefined
  /** Whether the calls that most integrations make have responses. Default: `true`. */
  readonly builtInResources?: boolean | undefined
  /**
   * Makes ids and tokens repeat: the same seed and the same requests at the same times give the same tokens. Anyone who
   * knows the seed can predict them. Default: none; tokens are random.
   */
  readonly seed?: string | number | undefined
  /** Called after each request to the Nomba API, with what the request log keeps: no query, no secret. What it throws is ignored. */
  readonly onRequest?: ((request: LoggedRequest) => void) | undefined
}

/**
 * A request as the log keeps it.
 *
 * @since 0.1.0
 * @category models
 */
export interface LoggedRequest {
  readonly method: string
  /** Without the query. A segment that may be a secret is `…`. */
  readonly path: string
  readonly status: number | "dropped"
  readonly outcome: "succeeded" | "refused" | "faulted"
  /** Why it was rejected, or which fault applied. */
  readonly why?: string | undefined
  readonly clientId?: string | undefined
  /** Milliseconds. */
  readonly took: number
}

/**
 * Options of a sandbox that listens on a socket.
 *
 * @since 0.1.0
 * @category models
 */
export interface ServerOptions extends Options {
  /** Default: `127.0.0.1`, which only this machine can reach. */
  readonly host?: string | undefined
  /** Default: 0, which takes a free port; `Sandbox.url` has it. */
  readonly port?: number | undefined
  /**
   * Extra `Host` names under which the control API, the pages and the login form answer, such as `sandbox`, without a port.
   * Always accepted: `host`, every loopback address if the sandbox listens on one, every address if it listens on all.
   * Anyone who can point such a name at this machine in a browser can control the sandbox. Default: none.
   */
  readonly allowedHosts?: ReadonlyArray<string> | undefined
  /** A certificate and its key in PEM. With them the sandbox serves HTTPS. Default: HTTP. */
  readonly tls?: { readonly cert: string; readonly key: Redacted.Redacted | string } | undefined
}

/** The options with every default filled in. */
export interface Settings {
  readonly clients: ReadonlyMap<string, Client>
  readonly switches: Switches
  readonly resources: ReadonlyArray<Resource>
  readonly examples: ReadonlyArray<Resource>
  readonly builtInResources: boolean
  readonly seed: string | number | undefined
  readonly onRequest: ((request: LoggedRequest) => void) | undefined
  readonly host: string
  readonly port: number
  /** The names as a browser sends them. */
  readonly allowedHosts: ReadonlySet<string>
  readonly tls: { readonly cert: string; readonly key: Redacted.Redacted } | undefined
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
  if (uri.includes("#")) return "must not have a fragment"
  // RFC 8252 section 7.1: a private-use scheme is a domain name in reverse.
  return /^(?:https?|[a-z][a-z\d+-]*(?:\.[a-z\d+-]+)+):/i.test(uri)
    ? undefined
    : "must have the scheme http or https, or one of an app, such as com.example.app"
}

const textIssues = (name: string, value: unknown): ReadonlyArray<string> => {
  if (typeof value !== "string") return [`.${name}: must be text`]
  return value === "" ? [`.${name}: is empty`] : []
}

/** One sentence for each wrong item of a list, if there is one. */
const listIssues = (
  name: string,
  list: unknown,
  issueOf: (item: unknown) => string | undefined
): ReadonlyArray<string> => {
  if (list === undefined) return []
  if (!Array.isArray(list)) return [`${name}: must be a list`]
  return list.flatMap((item, index) => {
    const issue = issueOf(item)
    return issue === undefined ? [] : [`${name}.${index}: ${issue}`]
  })
}

const clientIssues = (client: unknown): ReadonlyArray<string> => {
  if (!Predicate.isRecord(client)) return [": must be an object"]
  const { accountId, clientId, clientSecret, redirectUris, subAccountIds } = client
  const secret = clientSecret === undefined ? undefined : secretIssue(clientSecret)
  const cannotLogIn =
    clientSecret === undefined &&
    (redirectUris === undefined || (Array.isArray(redirectUris) && redirectUris.length === 0))
  return [
    ...textIssues("clientId", clientId),
    ...(secret === undefined ? [] : [`.clientSecret: ${secret}`]),
    ...(cannotLogIn ? [": has neither a clientSecret nor redirectUris, so no login is possible"] : []),
    ...listIssues(".redirectUris", redirectUris, redirectUriIssue),
    ...listIssues(".subAccountIds", subAccountIds, (id) =>
      typeof id === "string" && id !== "" && id !== accountId ? undefined : "must be text other than accountId"
    ),
    ...(accountId === undefined
      ? []
      : textIssues("accountId", accountId).map((issue) =>
          issue.endsWith("is empty") ? `${issue}; leave it out` : issue
        ))
  ]
}

const clientsIssues = (clients: unknown): ReadonlyArray<string> => {
  if (!Array.isArray(clients)) return ["clients: must be a list"]
  const ids = clients.flatMap((client) => (Predicate.isRecord(client) ? [client["clientId"]] : []))
  return [
    ...(clients.length === 0 ? ["clients: at least one is needed"] : []),
    ...(new Set(ids).size < ids.length ? ["clients: a clientId occurs twice"] : []),
    ...clients.flatMap((client, index) => clientIssues(client).map((issue) => `clients.${index}${issue}`))
  ]
}

const resourcesIssues = (name: string, resources: unknown): ReadonlyArray<string> =>
  Array.isArray(resources)
    ? resources.flatMap((resource, index) => resourceIssues(resource, `${name}.${index}`))
    : [`${name}: must be a list`]

const tlsIssues = (tls: unknown): ReadonlyArray<string> => {
  if (tls === undefined) return []
  const isText = (value: unknown) => typeof value === "string" && value !== ""
  return Predicate.isRecord(tls) &&
    isText(tls["cert"]) &&
    isText(Redacted.isRedacted(tls["key"]) ? Redacted.value(tls["key"]) : tls["key"])
    ? []
    : ["tls: must have a cert and a key, both in PEM"]
}

const decodeSwitches = Schema.decodeUnknownEither(Switches, { errors: "all", onExcessProperty: "error" })

/** Fills in the defaults, or fails with every problem at once: `SandboxError`, reason `Options`. */
export const settle = (options: ServerOptions): Effect.Effect<Settings, SandboxError> => {
  const {
    clients = [defaultClient],
    resources = [],
    examples = [],
    builtInResources = true,
    host = "127.0.0.1",
    port = 0,
    seed,
    onRequest,
    allowedHosts = [],
    tls,
    ...rest
  } = options
  const switches = decodeSwitches(rest)
  const portProblem = Hostname.portIssue(port)
  const issues = [
    ...clientsIssues(clients),
    ...Either.match(switches, { onLeft: ({ issue }) => validationMessages(issue, "options"), onRight: () => [] }),
    ...(seed === undefined || typeof seed === "string" || Number.isFinite(seed)
      ? []
      : ["seed: must be text or a number"]),
    ...(typeof host !== "string" ? ["host: must be text"] : host === "" ? ["host: is empty"] : []),
    ...(portProblem === undefined ? [] : [`port: ${portProblem}`]),
    ...(typeof builtInResources === "boolean" ? [] : ["builtInResources: must be true or false"]),
    ...(onRequest === undefined || typeof onRequest === "function" ? [] : ["onRequest: must be a function"]),
    ...resourcesIssues("resources", resources),
    ...resourcesIssues("examples", examples),
    ...listIssues("allowedHosts", allowedHosts, (name) =>
      typeof name === "string" && Hostname.normalised(name) !== undefined
        ? undefined
        : "must be a name or an address, without a port"
    ),
    ...tlsIssues(tls)
  ]
  return Either.isRight(switches) && issues.length === 0
    ? Effect.succeed({
        clients: new Map(clients.map((client) => [client.clientId, client])),
        switches: switches.right,
        resources,
        examples,
        builtInResources,
        seed,
        onRequest,
        host,
        port,
        allowedHosts: new Set(allowedHosts.flatMap((name) => Hostname.normalised(name) ?? [])),
        tls:
          tls === undefined
            ? undefined
            : { cert: tls.cert, key: Redacted.isRedacted(tls.key) ? tls.key : Redacted.make(tls.key) }
      })
    : Effect.fail(new SandboxError({ reason: "Options", issues }))
}
