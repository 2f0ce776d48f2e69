/** The options of `nomba-auth serve`: where it listens, which keys it takes and what they may do. */
import {
  accessSync,
  constants,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import type * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Hostname from "../../sandbox/config/Hostname.js"
import { allowedHostsFlag, flag, optional, portFlag, repeated } from "../CommandLine.js"
import * as Environment from "../Environment.js"
import { UsageError } from "../ExitCode.js"
import * as Keys from "./Keys.js"
import type { ListenTarget } from "./Listener.js"
import type * as Operations from "./Operations.js"
import * as Rules from "./Rules.js"

const PORT = 4020
const OPS_PORT = 4021
const LOOPBACK = "127.0.0.1"

export const flags = {
  ...Environment.flags,
  port: portFlag(PORT),
  host: optional(
    Options.text("host"),
    "ADDRESS",
    "The address to listen on, which needs --key-file unless only this machine reaches it. Default: 127.0.0.1."
  ),
  socket: optional(Options.text("socket"), "PATH", "Listen on this Unix socket (mode 0660) and not on a port."),
  allowedHosts: allowedHostsFlag,
  keyFile: optional(
    Options.text("key-file"),
    "PATH",
    "The keys of callers: a file of mode 0600 with one name:key or name:key:RULE a line."
  ),
  writeKey: optional(
    Options.text("write-key"),
    "PATH",
    "Write the generated key to this file (mode 0600). Default: a file in a new folder."
  ),
  noKey: flag("no-key", "Let callers in without a key. Only with --socket, whose file mode says who may connect."),
  allow: repeated(
    Options.text("allow"),
    "RULE",
    'What callers may do, such as "GET /v1/accounts/**". Default: all but token requests.'
  ),
  opsHost: optional(
    Options.text("ops-host"),
    "ADDRESS",
    "The address of /-/live, /-/ready and /-/metrics. Default: 127.0.0.1."
  ),
  opsPort: optional(
    Options.integer("ops-port"),
    "PORT",
    `Their port; 0 takes a free one. Default: ${OPS_PORT}, or a free one with --port 0.`
  ),
  sandbox: flag("sandbox", "Start a local Nomba API as well, and use it in place of the configured one."),
  quiet: flag("quiet", "Do not print a line for each request.")
}

export type Flags = Command.Command.ParseConfig<typeof flags>

const usage = (message: string): UsageError => new UsageError({ message })

export const placeOf = ({
  allowedHosts,
  host,
  keyFile,
  noKey,
  port,
  socket
}: Flags): Effect.Effect<ListenTarget, UsageError> =>
  Effect.gen(function* () {
    const wrong = allowedHosts.find((name) => Hostname.normalised(name) === undefined)
    if (wrong !== undefined) {
      return yield* usage(`--allow-host ${wrong}: must be a name or an address, without a port`)
    }
    if (Option.isSome(socket)) {
      if (Option.isSome(port) || Option.isSome(host)) return yield* usage("--socket: leave --port and --host out")
      return { socket: resolve(socket.value) }
    }
    if (noKey) return yield* usage("--no-key: needs --socket, because every program of this machine reaches a port")
    const address = yield* hostOf("--host", host)
    if (!Hostname.isLoopback(address) && Option.isNone(keyFile)) {
      return yield* usage(`--host ${address}: other machines can reach it: needs --key-file`)
    }
    return { host: address, port: yield* portOf("--port", port, PORT), allowedHosts }
  })

const hostOf = (option: string, given: Option.Option<string>): Effect.Effect<string, UsageError> => {
  const host = Option.getOrElse(given, () => LOOPBACK)
  return Hostname.normalised(host) === undefined
    ? usage(`${option} ${host}: is not an address or a name`)
    : Effect.succeed(host)
}

const portOf = (option: string, given: Option.Option<number>, byDefault: number): Effect.Effect<number, UsageError> => {
  const port = Option.getOrElse(given, () => byDefault)
  const issue = Hostname.portIssue(port)
  return issue === undefined ? Effect.succeed(port) : usage(`${option} ${port}: ${issue}`)
}

export const rulesOf = ({ allow }: Flags): Effect.Effect<ReadonlyArray<Rules.Rule> | undefined, UsageError> =>
  allow.length === 0
    ? Effect.succeed(undefined)
    : Effect.forEach(allow, (text) =>
        Either.mapLeft(Rules.parseRule(text), (problem) => usage(`--allow ${JSON.stringify(text)}: ${problem}`))
      )

export interface KeySource {
  readonly keys: ReadonlyArray<Keys.Key> | "none"
  readonly keyFile?: string
  /** The generated key, for a terminal. */
  readonly generated?: Redacted.Redacted
}

export const keysOf = ({ keyFile, noKey, writeKey }: Flags): Effect.Effect<KeySource, UsageError, Scope.Scope> =>
  Effect.gen(function* () {
    if (noKey) {
      if (Option.isSome(keyFile)) return yield* usage("--no-key and --key-file: give one of the two")
      if (Option.isSome(writeKey)) return yield* usage("--no-key and --write-key: give one of the two")
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
    if (fromEnvironment !== undefined) {
      if (fromEnvironment === "") return yield* usage("NOMBA_PROXY_KEY is empty: give it a value, or leave it out")
      if (Option.isSome(writeKey)) return yield* usage("--write-key and NOMBA_PROXY_KEY: give one of the two")
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

/** The file goes with the proxy, unless another proxy has replaced it. */
const writeKeyFile = (
  path: string | undefined,
  key: Redacted.Redacted
): Effect.Effect<string, UsageError, Scope.Scope> => {
  const attempt = <A>(of: () => A): Effect.Effect<A, UsageError> =>
    Effect.try({
      try: of,
      catch: (error) =>
        usage(
          `--write-key ${path ?? tmpdir()}: the key cannot be written (${(error as NodeJS.ErrnoException).code}): give a path that can be written to`
        )
    })
  return Effect.acquireRelease(
    Effect.gen(function* () {
      const target =
        path === undefined
          ? yield* attempt(() => join(mkdtempSync(join(runtimeFolder(), "nomba-auth-")), "key"))
          : resolve(path)
      if (yield* attempt(() => isForeign(target))) {
        return yield* usage(
          `--write-key ${path}: is not the key file of an earlier proxy: give another path, or remove it`
        )
      }
      yield* attempt(() => replaceKey(target, key))
      return target
    }),
    (target) =>
      Effect.sync(() => {
        if (path === undefined) rmSync(dirname(target), { force: true, recursive: true })
        else if (Option.contains(readKey(target), Redacted.value(key))) rmSync(target, { force: true })
      })
  )
}

/** In one step, so that no reader finds half a key. */
const replaceKey = (target: string, key: Redacted.Redacted): void => {
  mkdirSync(dirname(target), { recursive: true, mode: 0o700 })
  const draft = join(dirname(target), `.${process.pid}-${Date.now()}.key`)
  try {
    writeFileSync(draft, `${Redacted.value(key)}\n`, { flag: "wx", mode: 0o600 })
    renameSync(draft, target)
  } finally {
    rmSync(draft, { force: true })
  }
}

/** The key in a file as `replaceKey` leaves it. Undefined for every other file, and for a link. */
const keyIn = (path: string): string | undefined => {
  const found = lstatSync(path)
  const isOurs = found.uid === (process.getuid?.() ?? found.uid)
  const isPrivate = process.platform === "win32" || (found.mode & 0o777) === 0o600
  if (!found.isFile() || !isOurs || !isPrivate) return undefined
  const content = readFileSync(path, "latin1")
  const key = content.slice(0, -1)
  return content.endsWith("\n") && Keys.isGenerated(key) ? key : undefined
}

const readKey = Option.liftThrowable(keyIn)

const isForeign = (path: string): boolean =>
  lstatSync(path, { throwIfNoEntry: false }) !== undefined && keyIn(path) === undefined

/** A folder of this user alone if the system has one, which forgets its files at logout. */
const runtimeFolder = (): string => {
  const { XDG_RUNTIME_DIR: folder } = process.env
  try {
    if (folder) {
      accessSync(folder, constants.W_OK | constants.X_OK)
      return folder
    }
  } catch {
    // It does not exist, as in a container that was given the variable alone, or is another user's, as after sudo.
  }
  return tmpdir()
}

/** Where probes are answered. */
export const operationsOf = ({
  allowedHosts,
  opsHost,
  opsPort,
  port
}: Flags): Effect.Effect<Operations.Options, UsageError> =>
  Effect.all({
    host: hostOf("--ops-host", opsHost),
    port: portOf("--ops-port", opsPort, Option.contains(port, 0) ? 0 : OPS_PORT),
    allowedHosts: Effect.succeed(allowedHosts)
  })
