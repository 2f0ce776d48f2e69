/** `nomba-auth sandbox`: a local Nomba API, for programs in any language. */
import { fstatSync } from "node:fs"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Hostname from "../sandbox/config/Hostname.js"
import { defaultClient, type LoggedRequest, type ServerOptions } from "../sandbox/config/Options.js"
import { SandboxError } from "../sandbox/config/SandboxError.js"
import { Sandbox } from "../sandbox/Sandbox.js"
import { allowedHostsFlag, describe, flag, optional, Program, portFlag, repeated } from "./CommandLine.js"
import * as ChildProgram from "./childProgram.js"
import * as ExitCode from "./ExitCode.js"
import * as Output from "./Output.js"
import * as ParentProcess from "./parentProcess.js"
import * as SandboxFile from "./SandboxFile.js"
import * as Settings from "./sandboxSettings.js"

const PORT = 4010

const withHint = (error: SandboxError): SandboxError =>
  error.reason === "Listen" && error.issues.some((issue) => /\((?:EADDRINUSE|EACCES)\)$/.test(issue))
    ? new SandboxError({ reason: error.reason, issues: [...error.issues, "use --port 0 for a free port"] })
    : error

/** None if a repeated option is not given, so that the file of --config counts. */
const ifGiven = <A>(option: Options.Options<Array<A>>): Options.Options<Option.Option<Array<A>>> =>
  Options.map(
    option,
    Option.liftPredicate((values) => values.length > 0)
  )

const flags = {
  port: portFlag(PORT),
  host: optional(
    Options.text("host"),
    "ADDRESS",
    "The address to listen on. Default: 127.0.0.1, which only this machine can reach."
  ),
  allowedHosts: ifGiven(allowedHostsFlag),
  clientId: optional(Options.text("client-id"), "ID", "The client id. Default: a made-up client, which is printed."),
  clientSecret: optional(
    Options.redacted("client-secret"),
    "SECRET",
    "The client secret. Other users of this machine can see it in the process list."
  ),
  accountId: optional(Options.text("account-id"), "ID", "The expected accountId header."),
  redirectUris: ifGiven(
    repeated(
      Options.text("redirect-uri"),
      "URI",
      "Where a login may return to. Default: /callback on any port of this machine."
    )
  ),
  config: optional(
    Options.file("config"),
    "FILE",
    "A JSON file with clients, resources, seed, host, port, allowedHosts and switches. Flags override it."
  ),
  openapi: optional(
    Options.file("openapi"),
    "FILE",
    "An OpenAPI document (JSON or YAML); its examples answer the calls that are not built in."
  ),
  tlsCert: optional(Options.file("tls-cert"), "FILE", "A certificate in PEM, to serve HTTPS. Needs --tls-key."),
  tlsKey: optional(Options.file("tls-key"), "FILE", "The key of the certificate in PEM."),
  seed: optional(Options.text("seed"), "TEXT", "Make ids and tokens the same in every run."),
  env: flag("env", "Print export lines for a shell to read from a file, instead of the JSON ready line."),
  writeEnv: optional(
    Options.text("write-env"),
    "FILE",
    "Write the settings of a client to this dotenv file, which only you can read."
  ),
  untilStdinEnds: flag("until-stdin-ends", "Stop when the standard input is closed."),
  keepRunning: flag("keep-running", "Keep running when the parent process has ended. Default: stop."),
  quiet: flag("quiet", "Print only the ready line, and no requests.")
}

export type Flags = Command.Command.ParseConfig<typeof flags>

const given = <Name extends string, A>(name: Name, value: Option.Option<A>): { readonly [_ in Name]?: A } =>
  Option.match(value, { onNone: () => ({}), onSome: (value) => ({ [name]: value }) as { [_ in Name]: A } })

/**
 * The clients of the file with what the flags say about one of them: the one of `--client-id`, which is added if there is
 * none, or else the first. A client with an id of its own has no account unless one is given.
 */
const clientsOf = (
  { accountId, clientId, clientSecret, redirectUris }: Flags,
  filed: ServerOptions["clients"]
): Pick<ServerOptions, "clients"> => {
  const changes = {
    ...given("clientId", clientId),
    ...given("clientSecret", clientSecret),
    ...given("accountId", accountId),
    ...given("redirectUris", redirectUris)
  }
  if (Object.keys(changes).length === 0) return {}
  const [first = defaultClient, ...others] = filed ?? []
  if (Option.isNone(clientId)) return { clients: [{ ...first, ...changes }, ...others] }
  if (filed?.some((client) => client.clientId === clientId.value)) {
    return { clients: filed.map((client) => (client.clientId === clientId.value ? { ...client, ...changes } : client)) }
  }
  const { accountId: _, ...withoutAccount } = defaultClient
  return { clients: [{ ...withoutAccount, ...changes, clientId: clientId.value }, ...(filed ?? [])] }
}

const invalid = (issue: string): SandboxError => new SandboxError({ reason: "Options", issues: [issue] })

const tlsOf = Effect.fn("tlsOf")(function* ({ tlsCert, tlsKey }: Flags) {
  if (Option.isNone(tlsCert) && Option.isNone(tlsKey)) return {}
  if (Option.isNone(tlsCert) || Option.isNone(tlsKey)) return yield* invalid("--tls-cert and --tls-key need each other")
  const key = Redacted.make(yield* SandboxFile.readText(tlsKey.value))
  return { tls: { cert: yield* SandboxFile.readText(tlsCert.value), key } }
})

const openApiOf = Effect.fn("openApiOf")(function* ({ openapi }: Flags) {
  if (Option.isNone(openapi)) return {}
  const file = openapi.value
  const text = yield* SandboxFile.readText(file)
  const { openApiResources } = yield* Effect.promise(() => import("./openApiResources.js"))
  const { examples, leftOut } = yield* Effect.try({
    try: () => openApiResources(text),
    catch: () => invalid(`${file}: is not an OpenAPI document in JSON or YAML`)
  })
  for (const why of leftOut) yield* Output.say(`${file}: left out: ${why}`)
  return examples.length > 0
    ? { examples }
    : yield* invalid(`${file}: has no example under /v1/ or /v2/ outside /v1/auth/`)
})

/** The options of the sandbox: those of the file of --config, over which flags win. */
export const optionsOf = Effect.fn("optionsOf")(function* (flags: Flags) {
  const file: ServerOptions = yield* Option.match(flags.config, {
    onNone: () => Effect.succeed({}),
    onSome: SandboxFile.read
  })
  const options: ServerOptions = {
    port: PORT,
    ...file,
    ...given("port", flags.port),
    ...given("host", flags.host),
    ...given("seed", flags.seed),
    ...given("allowedHosts", flags.allowedHosts),
    ...clientsOf(flags, file.clients),
    ...(yield* tlsOf(flags)),
    ...(yield* openApiOf(flags))
  }
  return {
    ...options,
    ...(flags.quiet ? {} : { onRequest: (request: LoggedRequest) => void process.stderr.write(requestLine(request)) })
  }
})

const colours = { succeeded: 32, refused: 33, faulted: 31 } as const

/** One request, for the terminal. Colour is for terminals only. */
export const requestLine = (
  { method, outcome, path, status, took, why }: LoggedRequest,
  coloured = Output.isColoured(process.stderr)
): string => {
  const shown = coloured ? `\u001b[${colours[outcome]}m${status}\u001b[0m` : String(status)
  return `${method} ${path} ${shown}${why === undefined ? "" : ` ${why}`} ${Math.round(took)} ms\n`
}

/** For programs. */
export const readyLine = (url: string): string => JSON.stringify({ ready: true, url })

/** For people: how to configure a program. A secret that was given is not printed. */
export const introduction = (url: string, { clients, host = "127.0.0.1" }: ServerOptions): string =>
  [
    `Nomba sandbox on ${url} (Ctrl-C to stop)`,
    "",
    ...(clients ?? [defaultClient]).flatMap(({ accountId, clientId, clientSecret }) => [
      `  NOMBA_BASE_URL=${url}`,
      `  NOMBA_CLIENT_ID=${clientId}`,
      ...(clientSecret === defaultClient.clientSecret ? [`  NOMBA_CLIENT_SECRET=${Redacted.value(clientSecret)}`] : []),
      ...(accountId === undefined ? [] : [`  NOMBA_ACCOUNT_ID=${accountId}`]),
      ""
    ]),
    `Open ${url}/ in a browser to watch and control it.`,
    ...(Hostname.isLoopback(host)
      ? []
      : [`Warning: it listens on ${host}. Anyone who can reach this machine can control it.`])
  ].join("\n")

const parentEnded = Effect.zipRight(
  ParentProcess.ended,
  Output.say(
    "the process that started the sandbox has ended, so the sandbox stops. Use --keep-running to let it run on."
  )
)

const stdinEnd: Effect.Effect<void> = Effect.async((resume) => {
  process.stdin.on("end", () => resume(Effect.void)).on("error", () => resume(Effect.void))
  process.stdin.resume()
  return Effect.sync(() => process.stdin.pause())
})

/** What cannot be asked for beside a command. */
const checkWithProgram = Effect.fn("checkWithProgram")(function* ({ env, untilStdinEnds }: Flags) {
  if (untilStdinEnds) {
    return yield* new ExitCode.UsageError({
      message: "the standard input is the command's, which also ends the sandbox: leave --until-stdin-ends out"
    })
  }
  if (env) {
    return yield* new ExitCode.UsageError({ message: "the command gets the settings by itself: leave --env out" })
  }
})

const isPipe = (descriptor: number): boolean => {
  const file = fstatSync(descriptor)
  return file.isFIFO() || file.isSocket()
}

const run = Effect.fn("run")(function* (flags: Flags, program: ReadonlyArray<string>) {
  if (program.length > 0) yield* checkWithProgram(flags)
  const options = yield* optionsOf(flags)
  const { url } = yield* Effect.mapError(Sandbox.makeServer(options), withHint)
  const settings = Settings.settingsOf(url, options)
  if (Option.isSome(flags.writeEnv)) yield* Settings.writeDotenv(flags.writeEnv.value, settings)
  if (flags.env && isPipe(1)) {
    yield* Output.say(
      'eval "$(nomba-auth sandbox --env)" waits until the sandbox ends. Use nomba-auth sandbox -- COMMAND, or --env > FILE & and then . FILE'
    )
  }
  if (program.length === 0) yield* Console.log(flags.env ? Settings.exportLines(settings) : readyLine(url))
  if (!flags.quiet) process.stderr.write(`${introduction(url, options)}\n`)
  const ends = [
    ...(program.length === 0 ? [] : [ChildProgram.run(program, Settings.environmentWith(settings, process.env))]),
    ...(flags.untilStdinEnds ? [stdinEnd] : [])
  ]
  yield* ends.reduce<Effect.Effect<void, ExitCode.Ended>>((one, other) => Effect.raceFirst(one, other), Effect.never)
}, Effect.scoped)

export const command = Command.make("sandbox", flags, (flags) =>
  Effect.gen(function* () {
    yield* ExitCode.untilStopped
    const running = run(flags, yield* Program)
    yield* flags.keepRunning ? running : Effect.raceFirst(parentEnded, running)
  })
).pipe(
  Command.withDescription(
    describe(
      "Start a local Nomba API for development and tests. With -- COMMAND, run the command with NOMBA_* set and stop with it.",
      ["nomba-auth sandbox", "nomba-auth sandbox --port 0 -- npm test"]
    )
  )
)
