/**
 * A token store for the processes of one host: servers beside each other, workers, a command line. Sessions are in files that
 * only this user can read.
 *
 * Each key has a folder, named by the key's hash. The session and the lease are one file in it, which an atomic step of the
 * file system replaces as a whole, so that the late write of a stalled process is refused. Time is the host's clock.
 *
 * @since 0.1.0
 */
import { homedir, hostname } from "node:os"
import * as Path from "node:path"
import { fileURLToPath } from "node:url"
import type * as ConfigError from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import { TokenStore, type TokenStoreService } from "../services/TokenStore.js"
import * as Setting from "./config/Setting.js"
import { storeSetting } from "./config/StoreChoice.js"
import { identityOf } from "./processMemory.js"
import * as SessionCodec from "./SessionCodec.js"
import * as Driver from "./store/file/Driver.js"
import * as Files from "./store/file/Files.js"
import * as StoreDirectory from "./store/file/StoreDirectory.js"
import * as SessionStore from "./store/SessionStore.js"

/**
 * Where the files are, and how sessions are encrypted. Everything has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /**
   * An absolute path. The folder is created for this user alone; one that exists and is open to others is refused. Default:
   * `nomba-auth` in the folder where the platform keeps a user's state.
   */
  readonly directory?: string | undefined
  /** Default: plaintext, because only this user can open the folder. */
  readonly codec?: SessionCodec.Input | undefined
}

/**
 * A store in a folder, which it opens on first use: `Unavailable` if it cannot. Fails with a `ConfigError` if the path is not
 * absolute, if there is none and the system knows no home of this user, or if a key of the codec is wrong.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options = {}): Effect.Effect<TokenStoreService, ConfigError.ConfigError> =>
  assemble(
    options.directory === undefined ? byConvention : inCode(options.directory),
    options.codec ?? SessionCodec.plain
  )

/**
 * Takes what `options` leave out from the environment: the folder from `NOMBA_TOKEN_STORE=file:PATH`, otherwise the platform's
 * default; the encryption keys from `NOMBA_TOKEN_STORE_KEYS`, otherwise plaintext. Fails with a `ConfigError` if
 * `NOMBA_TOKEN_STORE` names another store.
 *
 * @since 0.1.0
 * @category constructors
 */
export const makeConfig = (options: Options = {}): Effect.Effect<TokenStoreService, ConfigError.ConfigError> =>
  assemble(
    options.directory === undefined ? directoryFromEnvironment : inCode(options.directory),
    options.codec ?? SessionCodec.config
  )

/**
 * A store that is configured in code. It reads no `NOMBA_*` variable.
 *
 * ```ts
 * import { FetchHttpClient } from "@effect/platform"
 * import { Layer } from "effect"
 * import { Nomba } from "nomba-auth"
 * import { TokenStoreFile } from "nomba-auth/file"
 *
 * const NombaLive = Nomba.layerConfig().pipe(
 *   Layer.provide(TokenStoreFile.layer({ directory: "/var/lib/shop/nomba" })),
 *   Layer.provide(FetchHttpClient.layer)
 * )
 * ```
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options?: Options): Layer.Layer<TokenStore, ConfigError.ConfigError> =>
  Layer.effect(TokenStore, make(options))

/**
 * A store that the environment configures; `options` override it.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (options?: Options): Layer.Layer<TokenStore, ConfigError.ConfigError> =>
  Layer.effect(TokenStore, makeConfig(options))

const assemble = (
  root: Effect.Effect<string, ConfigError.ConfigError>,
  codec: SessionCodec.Input
): Effect.Effect<TokenStoreService, ConfigError.ConfigError> =>
  Effect.all({ root, codec: SessionCodec.fromInput(codec) }, { mode: "validate" }).pipe(
    Effect.mapError(Setting.report),
    Effect.flatMap(({ codec, root }) =>
      Effect.gen(function* () {
        const connect = Driver.connectWith({ codec, files: Files.system, root, host: hostname() })
        const sweepOnce = yield* Effect.once(Effect.forkDaemon(StoreDirectory.sweep(Files.system, root)))
        return SessionStore.fromDriver((key, leaseTime) => Effect.zipRight(sweepOnce, connect(key, leaseTime)), {
          identity: identityOf(`file ${root}`),
          kind: "file"
        })
      })
    )
  )

const byConvention = StoreDirectory.byConvention(process.platform, homedir)

/** A relative path would be another folder for each process that was started elsewhere. */
const absolute = ({ origin, value }: Setting.Setting<string>): Effect.Effect<string, ConfigError.ConfigError> =>
  Path.isAbsolute(value) ? Effect.succeed(value) : Setting.invalid(origin, "is not an absolute path")

const inCode = (directory: string): Effect.Effect<string, ConfigError.ConfigError> =>
  Effect.flatMap(Setting.text({ origin: "options.directory", value: directory }), absolute)

/**
 * The folder that `NOMBA_TOKEN_STORE` names, otherwise the platform's default.
 *
 * @internal
 */
export const directoryFromEnvironment: Effect.Effect<string, ConfigError.ConfigError> = Effect.flatMap(
  storeSetting("file"),
  Option.match({
    onNone: () => byConvention,
    onSome: ({ origin, value }) => absolute({ origin, value: pathOf(value) })
  })
)

/** `file:/var/lib/x` and `file:///var/lib/x` are the same; none of a URL that is not of this host. */
const pathOf = (value: string): string =>
  value.startsWith("file://") ? Option.getOrElse(fromUrl(value), () => "") : value.slice("file:".length)

const fromUrl = Option.liftThrowable((url: string) => fileURLToPath(url))
