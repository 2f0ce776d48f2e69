/**
 * How a sandbox is configured, and the client that needs no configuration.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { SandboxError } from "./SandboxError.js"

/**
 * A client that the sandbox knows. Its shape fits `Nomba.layer({ ...client, environment: "sandbox" })`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Client {
  readonly clientId: string
  readonly clientSecret: Redacted.Redacted
  /** What the `accountId` header has to say, where it is looked at; without it any value goes. */
  readonly accountId?: string | undefined
}

/**
 * The client of a sandbox that was given no other. The values are made up, and shaped like real ones: two UUIDs and 32
 * bytes in base64.
 *
 * @since 0.1.0
 * @category configuration
 */
export const defaultClient: Required<Client> & { readonly accountId: string } = {
  clientId: "5e2c7ab5-dc95-431e-97bd-85319087245a",
  clientSecret: Redacted.make("qckdiIIlPkLtDNom9YyQKocd/zlFIL9A2ogzm0i912M="),
  accountId: "aef105ad-f352-47a9-9531-d65072584430"
}

/**
 * Which of the two descriptions of the API the answers follow: `spec` says `expires_in` and `token_type`, `live` says
 * `expiresAt` and `businessId`, `both` says all four.
 *
 * @since 0.1.0
 * @category models
 */
export type Dialect = "spec" | "live" | "both"

/**
 * What is asked of the `accountId` header, which the live API requires and the spec does not know. `optional`: it may
 * be absent, and is refused with a 401 when it is not the client's account. `required`: absent is refused too.
 * `ignored`: nobody looks.
 *
 * @since 0.1.0
 * @category models
 */
export type AccountHeader = "optional" | "required" | "ignored"

/**
 * Everything about a sandbox that can be chosen; each has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Default: `defaultClient` alone. */
  readonly clients?: ReadonlyArray<Client> | undefined
  /** How long an access token lives, in whole seconds. Default: 30 minutes, as Nomba's pages say. */
  readonly accessLifetime?: Duration.DurationInput | undefined
  /** How long a refresh token lives. Nomba names no figure. Default: 24 hours. */
  readonly refreshLifetime?: Duration.DurationInput | undefined
  /** Default: `both`. */
  readonly dialect?: Dialect | undefined
  /** How far the sandbox's clock is from the `Clock` it reads, in milliseconds; negative is behind. Default: 0. */
  readonly clockOffset?: number | undefined
  /** Default: `optional`. */
  readonly accountHeader?: AccountHeader | undefined
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
}

/** The options with every default filled in. Times are milliseconds. */
export interface Settings {
  readonly clients: ReadonlyMap<string, Client>
  readonly accessLifetime: number
  readonly refreshLifetime: number
  readonly dialect: Dialect
  readonly clockOffset: number
  readonly accountHeader: AccountHeader
  readonly host: string
  readonly port: number
}

const longest = Duration.toMillis("3650 days")
const dialects: ReadonlyArray<string> = ["spec", "live", "both"] satisfies ReadonlyArray<Dialect>
const accountHeaders: ReadonlyArray<string> = ["optional", "required", "ignored"] satisfies ReadonlyArray<AccountHeader>

const millis = (input: Duration.DurationInput): number =>
  Option.match(Duration.decodeUnknown(input), { onNone: () => Number.NaN, onSome: Duration.toMillis })

const clientIssues = (clients: ReadonlyArray<Client>): ReadonlyArray<string> => [
  ...(clients.length === 0 ? ["clients: at least one is needed"] : []),
  ...(new Set(clients.map((client) => client.clientId)).size < clients.length
    ? ["clients: a clientId is there twice"]
    : []),
  ...clients.flatMap((client, index) => [
    ...(client.clientId === "" ? [`clients.${index}.clientId: is empty`] : []),
    ...(Redacted.isRedacted(client.clientSecret) && Redacted.value(client.clientSecret) !== ""
      ? []
      : [`clients.${index}.clientSecret: has to be redacted, and not empty`]),
    ...(client.accountId === "" ? [`clients.${index}.accountId: is empty; leave it out`] : [])
  ])
]

/** Fills in the defaults, or says everything that is wrong at once, as `SandboxError` with the reason `Options`. */
export const settle = (options: ServerOptions): Effect.Effect<Settings, SandboxError> => {
  const clients = options.clients ?? [defaultClient]
  const settings: Settings = {
    clients: new Map(clients.map((client) => [client.clientId, client])),
    accessLifetime: millis(options.accessLifetime ?? "30 minutes"),
    refreshLifetime: millis(options.refreshLifetime ?? "24 hours"),
    dialect: options.dialect ?? "both",
    clockOffset: options.clockOffset ?? 0,
    accountHeader: options.accountHeader ?? "optional",
    host: options.host ?? "127.0.0.1",
    port: options.port ?? 0
  }
  const rules: ReadonlyArray<readonly [boolean, string]> = [
    [
      settings.accessLifetime >= 1000 && settings.accessLifetime <= longest && settings.accessLifetime % 1000 === 0,
      "accessLifetime: has to be a number of whole seconds, at least one and at most ten years"
    ],
    [
      settings.refreshLifetime > 0 && settings.refreshLifetime <= longest,
      "refreshLifetime: has to be more than nothing and at most ten years"
    ],
    [Math.abs(settings.clockOffset) <= longest, "clockOffset: has to be milliseconds, at most ten years either way"],
    [dialects.includes(settings.dialect), `dialect: has to be one of ${dialects.join(", ")}`],
    [accountHeaders.includes(settings.accountHeader), `accountHeader: has to be one of ${accountHeaders.join(", ")}`],
    [settings.host !== "", "host: is empty"],
    [
      Number.isInteger(settings.port) && settings.port >= 0 && settings.port <= 65_535,
      "port: has to be an integer from 0 to 65535"
    ]
  ]
  const issues = [...clientIssues(clients), ...rules.filter(([holds]) => !holds).map(([, issue]) => issue)]
  return issues.length === 0 ? Effect.succeed(settings) : Effect.fail(new SandboxError({ reason: "Options", issues }))
}
