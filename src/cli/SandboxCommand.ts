/** `nomba-auth sandbox`: a Nomba on this machine, for programs in any language. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Hostname from "../sandbox/config/Hostname.js"
import { defaultClient, type ServerOptions } from "../sandbox/config/Options.js"
import { SandboxError } from "../sandbox/config/SandboxError.js"
import { Sandbox } from "../sandbox/Sandbox.js"
import * as SandboxFile from "./SandboxFile.js"

/** Where it listens unless it is told otherwise. */
const PORT = 4010

/** A port that is taken is what goes wrong most. */
const hinted = (error: SandboxError): SandboxError =>
  error.reason === "Listen"
    ? new SandboxError({ reason: error.reason, issues: [...error.issues, "--port 0 takes a free port"] })
    : error

/** None of a flag that may be repeated is as if it were optional. */
const severalTimes = <A>(option: Options.Options<A>): Options.Options<Option.Option<ReadonlyArray<A>>> =>
  Options.map(
    Options.repeated(option),
    Option.liftPredicate((values: ReadonlyArray<A>) => values.length > 0)
  )

const flags = {
  port: Options.integer("port").pipe(
    Options.withDescription(`The port; 0 takes a free one. Default: ${PORT}.`),
    Options.optional
  ),
  host: Options.text("host").pipe(
    Options.withDescription("The address to listen on. Default: 127.0.0.1, which only this machine reaches."),
    Options.optional
  ),
  allowedHosts: Options.text("allow-host").pipe(
    Options.withDescription(
      "A name that its pages and its control side may be asked for under, such as a container's; may be repeated."
    ),
    severalTimes
  ),
  clientId: Options.text("client-id").pipe(
    Options.withDescription("The client that may log in. Default: a made-up one, which is printed."),
    Options.optional
  ),
  clientSecret: Options.redacted("client-secret").pipe(
    Options.withDescription("Its secret; other users of this machine can see it while the sandbox runs."),
    Options.optional
  ),
  accountId: Options.text("account-id").pipe(
    Options.withDescription("What the accountId header must say, where it is looked at."),
    Options.optional
  ),
  redirectUris: Options.text("redirect-uri").pipe(
    Options.withDescription(
      "Where a person's login may come back to; may be repeated. Default: /callback at any port of this machine."
    ),
    severalTimes
  ),
  config: Options.file("config").pipe(
    Options.withDescription(
      "A JSON file with clients, seed, host, port, allowedHosts and switches. Flags win over it."
    ),
    Options.optional
  ),
  seed: Options.text("seed").pipe(
    Options.withDescription("Makes the ids and tokens repeat, and so guessable."),
    Options.optional
  ),
  quiet: Options.boolean("quiet").pipe(Options.withDescription("Prints the line that says it is ready, and no other."))
}

type Flags = Command.Command.ParseConfig<typeof flags>

/** What was given of it, by its name. */
const given = <Name extends string, A>(name: Name, value: Option.Option<A>): { readonly [_ in Name]?: A } =>
  Option.match(value, { onNone: () => ({}), onSome: (value) => ({ [name]: value }) as { [_ in Name]: A } })

/** The default client but for what is given; a client with an id of its own has no account unless one is given. */
const clientOf = ({ accountId, clientId, clientSecret, redirectUris }: Flags): Pick<ServerOptions, "clients"> => {
  const changes = {
    ...given("clientId", clientId),
    ...given("clientSecret", clientSecret),
    ...given("accountId", accountId),
    ...given("redirectUris", redirectUris)
  }
  const { accountId: _, ...withoutAccount } = defaultClient
  const client = Option.isSome(clientId) ? withoutAccount : defaultClient
  return Object.keys(changes).length === 0 ? {} : { clients: [{ ...client, ...changes }] }
}

const optionsOf = (flags: Flags): Effect.Effect<ServerOptions, SandboxError, FileSystem.FileSystem> =>
  Effect.map(
    Option.match(flags.config, { onNone: () => Effect.succeed({}), onSome: SandboxFile.read }),
    (file): ServerOptions => ({
      port: PORT,
      ...file,
      ...given("port", flags.port),
      ...given("host", flags.host),
      ...given("seed", flags.seed),
      ...given("allowedHosts", flags.allowedHosts),
      ...clientOf(flags)
    })
  )

/** For a program: where it is, on a line of its own. */
export const readyLine = (url: string): string => JSON.stringify({ ready: true, url })

/** For a person: what to configure a program with. A secret that was given is not shown. */
export const introduction = (url: string, { clients, host = "127.0.0.1" }: ServerOptions): string =>
  [
    `Nomba sandbox on ${url} (Ctrl-C ends it)`,
    "",
    ...(clients ?? [defaultClient]).flatMap(({ accountId, clientId, clientSecret }) => [
      `  NOMBA_BASE_URL=${url}`,
      `  NOMBA_CLIENT_ID=${clientId}`,
      ...(clientSecret === defaultClient.clientSecret ? [`  NOMBA_CLIENT_SECRET=${Redacted.value(clientSecret)}`] : []),
      ...(accountId === undefined ? [] : [`  NOMBA_ACCOUNT_ID=${accountId}`]),
      ""
    ]),
    `Watch and steer it in a browser: ${url}/`,
    ...(Hostname.isLoopback(host)
      ? []
      : [`Warning: it listens on ${host}, so whoever reaches this machine can use it and steer it.`])
  ].join("\n")

/** One line on stdout when it is ready, for programs; everything for people goes to stderr. */
export const command = Command.make("sandbox", flags, (flags) =>
  Effect.gen(function* () {
    const options = yield* optionsOf(flags)
    const { url } = yield* Effect.mapError(Sandbox.makeServer(options), hinted)
    yield* Console.log(readyLine(url))
    if (!flags.quiet) yield* Console.error(introduction(url, options))
    return yield* Effect.never
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    "Runs a Nomba to develop and test against: one session per client, every refusal, and faults on demand."
  )
)
