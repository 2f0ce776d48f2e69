/** `nomba-auth serve`: an authenticating reverse proxy for Nomba, for programs in any language. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Hostname from "../sandbox/config/Hostname.js"
import { TokenCache } from "../services/TokenCache.js"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import { UsageError, untilStopped } from "./ExitCode.js"
import * as Output from "./Output.js"
import * as Admission from "./serve/Admission.js"
import * as Keys from "./serve/Keys.js"
import type { Handled } from "./serve/Metrics.js"
import * as Operations from "./serve/Operations.js"
import * as Proxy from "./serve/Proxy.js"

const PORT = 4020
const OPS_PORT = 4021
const LOOPBACK = "127.0.0.1"

const flags = {
  ...Environment.flags,
  port: Options.integer("port").pipe(
    Options.withPseudoName("PORT"),
    Options.withDescription(`The port; 0 takes a free one. Default: ${PORT}.`),
    Options.optional
  ),
  host: Options.text("host").pipe(
    Options.withPseudoName("ADDRESS"),
    Options.withDescription(
      "The address to listen on, which needs --key-file unless only this machine reaches it. Default: 127.0.0.1."
    ),
    Options.optional
  ),
  socket: Options.text("socket").pipe(
    Options.withPseudoName("PATH"),
    Options.withDescription("Listen on this Unix socket (mode 0660) and not on a port."),
    Options.optional
  ),
  allowedHosts: Options.text("allow-host").pipe(
    Options.withPseudoName("NAME"),
    Options.withDescription("Extra Host name to accept, such as a container's; may be repeated."),
    Options.repeated
  ),
  keyFile: Options.text("key-file").pipe(
    Options.withPseudoName("PATH"),
    Options.withDescription("The keys of callers: a file of mode 0600 with one name:key or name:key:RULE a line."),
    Options.optional
  ),
  writeKey: Options.text("write-key").pipe(
    Options.withPseudoName("PATH"),
    Options.withDescription("Write the generated key to this file (mode 0600). Default: a file in a new folder."),
    Options.optional
  ),
  noKey: Options.boolean("no-key").pipe(
    Options.withDescription("Let callers in without a key. Only with --socket, whose file mode says who may connect.")
  ),
  allow: Options.text("allow").pipe(
    Options.withPseudoName("RULE"),
    Options.withDescription(
      'What callers may do, such as "GET /v1/accounts/**"; may be repeated. Default: all but token requests.'
    ),
    Options.repeated
  ),
  opsHost: Options.text("ops-host").pipe(
    Options.withPseudoName("ADDRESS"),
    Options.withDescription("The address of /-/live, /-/ready and /-/metrics. Default: 127.0.0.1."),
    Options.withDefault(LOOPBACK)
  ),
  opsPort: Options.integer("ops-port").pipe(
    Options.withPseudoName("PORT"),
    Options.withDescription(`Their port; 0 takes a free one. Default: ${OPS_PORT}, or a free one with --port 0.`),
    Options.optional
  ),
  sandbox: Options.boolean("sandbox").pipe(
    Options.withDescription("Start a local Nomba API as well, and use it in place of the configured one.")
  ),
  quiet: Options.boolean("quiet").pipe(Options.withDescription("Print no line for each request."))
}

type Flags = Command.Command.ParseConfig<typeof flags>

const usage = (message: string): UsageError => new UsageError({ message })

export const placeOf = ({
  allowedHosts,
  host,
  keyFile,
  noKey,
  port,
  socket
}: Flags): Effect.Effect<Proxy.Place, UsageError> =>
  Effect.gen(function* () {
    if (Option.isSome(socket)) {
      if (Option.isSome(port) || Option.isSome(host)) return yield* usage("--socket: leave --port and --host out")
      return { socket: resolve(socket.value) }
    }
    if (noKey) return yield* usage("--no-key: needs --socket, because every program of this machine reaches a port")
    const address = Option.getOrElse(host, () => LOOPBACK)
    if (Hostname.normalised(address) === undefined)
      return yield* usage(`--host ${address}: is not an address or a name`)
    if (!Hostname.isLoopback(address) && Option.isNone(keyFile)) {
      return yield* usage(`--host ${address}: other machines can reach it: needs --key-file`)
    }
    const wanted = Option.getOrElse(port, () => PORT)
    const issue = Hostname.portIssue(wanted)
    if (issue !== undefined) return yield* usage(`--port ${wanted}: ${issue}`)
    return { host: address, port: wanted, allowedHosts }
  })

export const rulesOf = ({ allow }: Flags): Effect.Effect<ReadonlyArray<Admission.Rule> | undefined, UsageError> =>
  allow.length === 0
    ? Effect.succeed(undefined)
    : Effect.forEach(allow, (text) =>
        Either.mapLeft(Admission.parseRule(text), (problem) => usage(`--allow ${JSON.stringify(text)}: ${problem}`))
      )

interface KeySource {
  readonly keys: ReadonlyArray<Keys.Key> | "none"
  readonly keyFile?: string
  /** The generated key, for a terminal. */
  readonly generated?: Redacted.Redacted
}

export const keysOf = ({ keyFile, noKey, writeKey }: Flags): Effect.Effect<KeySource, UsageError, Scope.Scope> =>
  Effect.gen(function* () {
    if (noKey) {
      if (Option.isSome(keyFile)) return yield* usage("--no-key and --key-file: give one of the two")
      return { keys: "none" as const }
    }
    if (Option.isSome(keyFile)) {
      if (Option.isSome(writeKey)) return yield* usage("--write-key and --key-file: give one of the two")
      const content = yield* Environment.readSecretFile("--key-file", keyFile.value)
      const keys = Keys.parseFile(Redacted.value(content))
      if (Either.isLeft(keys)) return yield* usage(`--key-file ${keyFile.value}: ${keys.left.join("; ")}`)
      return { keys: keys.right, keyFile: resolve(keyFile.value) }
    }
    const fromEnvironment = process.env["NOMBA_PROXY_KEY"]?.trim()
    if (fromEnvironment !== undefined && fromEnvironment !== "" && Option.isNone(writeKey)) {
      const issue = Keys.keyIssue(fromEnvironment)
      if (issue !== undefined) return yield* usage(`NOMBA_PROXY_KEY: ${issue}`)
      return { keys: [Keys.make("default", Redacted.make(fromEnvironment))] }
    }
    const generated = Keys.generate()
    return {
      keys: [Keys.make("default", generated)],
      keyFile: yield* writeKeyFile(Option.getOrUndefined(writeKey), generated),
      generated
    }
  })

/** Replaces what is there in one step, so that no reader finds half a key. The file goes with the proxy. */
const writeKeyFile = (
  path: string | undefined,
  key: Redacted.Redacted
): Effect.Effect<string, UsageError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.try({
      try: () => {
        const target =
          path === undefined ? join(mkdtempSync(join(runtimeFolder(), "nomba-auth-")), "key") : resolve(path)
        mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
        const draft = join(dirname(target), `.${process.pid}-${Date.now()}.key`)
        writeFileSync(draft, `${Redacted.value(key)}\n`, { flag: "wx", mode: 0o600 })
        renameSync(draft, target)
        return target
      },
      catch: (error) =>
        usage(
          `--write-key ${path ?? ""}: the key cannot be written (${(error as NodeJS.ErrnoException).code}): give a path that can be written to`
        )
    }),
    (target) =>
      Effect.sync(() =>
        rmSync(path === undefined ? dirname(target) : target, { force: true, recursive: path === undefined })
      )
  )

/** A folder of this user alone if the system has one, which forgets its files at logout. */
const runtimeFolder = (): string => {
  const { XDG_RUNTIME_DIR: folder } = process.env
  try {
    if (folder !== undefined && statSync(folder).isDirectory()) return folder
  } catch {
    // It is named and does not exist, as in a container that was given the variable alone.
  }
  return tmpdir()
}

/** One line a request, for people and for programs (logfmt). Written together, because a pipe blocks at every write. */
const requestLog = Effect.acquireRelease(
  Effect.sync(() => {
    let lines = ""
    const flush = (): void => {
      if (lines !== "") process.stderr.write(lines)
      lines = ""
    }
    const timer = setInterval(flush, 100).unref()
    const log = (handled: Handled): void => {
      lines += logLine(handled)
      if (lines.length > 16_384) flush()
    }
    return { log, flush, timer }
  }),
  ({ flush, timer }) =>
    Effect.sync(() => {
      clearInterval(timer)
      flush()
    })
)

export const logLine = ({ isReplayed, key, method, millis, path, status }: Handled): string =>
  `key=${key} method=${method} path=${path} status=${status} replayed=${isReplayed} ms=${Math.round(millis)}\n`

/** The settings of a sandbox that this process runs. */
const startSandbox = Effect.gen(function* () {
  const { Sandbox } = yield* Effect.promise(() => import("../sandbox/Sandbox.js"))
  const { url } = yield* Sandbox.makeServer({ port: 0 })
  const { accountId, clientId, clientSecret } = Sandbox.defaultClient
  yield* Output.say(`Nomba sandbox on ${url}: open it in a browser to watch and control it`)
  return {
    NOMBA_BASE_URL: url,
    NOMBA_CLIENT_ID: clientId,
    NOMBA_CLIENT_SECRET: Redacted.value(clientSecret),
    NOMBA_ACCOUNT_ID: accountId ?? "",
    NOMBA_TOKEN_STORE: "memory"
  }
})

const noSecret = { clientSecret: Option.none(), clientSecretFile: Option.none(), subject: Option.none() }

const serve = (given: Flags, place: Proxy.Place, rules: ReadonlyArray<Admission.Rule> | undefined) =>
  Effect.gen(function* () {
    const { generated, keyFile, keys } = yield* keysOf(given)
    const { log } = yield* requestLog
    const opsPort = Option.getOrElse(given.opsPort, () => ("port" in place && place.port === 0 ? 0 : OPS_PORT))
    let running: Proxy.Proxy | undefined
    // Begun before the proxy, so that it still answers while the proxy finishes its requests.
    const ops = yield* Operations.start(
      { host: given.opsHost, port: opsPort, allowedHosts: given.allowedHosts },
      () => running
    )
    const proxy = yield* Proxy.start({ place, keys, rules, ...(given.quiet ? {} : { onHandled: log }) })
    running = proxy
    yield* Output.result(
      JSON.stringify({
        ready: true,
        url: proxy.url,
        ...("socket" in place ? { socket: place.socket } : {}),
        ...(keyFile === undefined ? {} : { keyFile }),
        ops
      })
    )
    yield* introduce(proxy.url, keyFile, generated)
    // The first caller does not have to wait for the token, and /-/ready says early whether there is one.
    const cache = yield* TokenCache
    yield* Effect.forkScoped(Effect.catchAll(Effect.interruptible(cache.get), (error) => Output.say(error.message)))
    return yield* Effect.never
  })

/** A terminal is the only place where the key is shown. */
const introduce = (
  url: string,
  keyFile: string | undefined,
  key: Redacted.Redacted | undefined
): Effect.Effect<void> => {
  if (process.stderr.isTTY !== true || key === undefined) return Effect.void
  return Output.say(
    [
      `Nomba through ${url} (Ctrl-C to stop). In another terminal:`,
      "",
      `  export NOMBA_PROXY_KEY=${Redacted.value(key)}`,
      `  curl -H "x-nomba-key: $NOMBA_PROXY_KEY" ${url}/v1/accounts/balance`,
      "",
      `The key is also in ${keyFile}.`
    ].join("\n")
  )
}

export const command = Command.make("serve", flags, (given) =>
  Effect.gen(function* () {
    yield* untilStopped
    const place = yield* placeOf(given)
    const rules = yield* rulesOf(given)
    const variables = given.sandbox ? yield* startSandbox : undefined
    const layer = Environment.layer(given.sandbox ? noSecret : given, { renewAhead: "5 minutes", variables })
    return yield* serve(given, place, rules).pipe(Effect.scoped, Effect.provide(layer))
  }).pipe(Effect.scoped)
).pipe(
  Command.withDescription(
    describe(
      "Pass requests on to Nomba with a valid access token. Programs in any language need only the URL and a key.",
      [
        "nomba-auth serve",
        "nomba-auth serve --sandbox",
        'nomba-auth serve --allow "GET /v1/accounts/**" --allow "POST /v1/checkout/order"',
        "nomba-auth serve --socket /run/nomba/proxy.sock --no-key",
        "nomba-auth serve --host 0.0.0.0 --key-file /etc/nomba/keys"
      ]
    )
  )
)
