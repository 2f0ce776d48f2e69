/** A local Nomba API for development and tests. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as App from "./App.js"
import { defaultClient, type Options, type ServerOptions, type Settings, settle } from "./config/Options.js"
import { SandboxError } from "./config/SandboxError.js"
import * as Controls from "./control/Controls.js"
import type { SandboxService } from "./control/SandboxService.js"
import * as InProcess from "./http/InProcess.js"
import type { SandboxApp } from "./http/SandboxApp.js"
import * as Emulator from "./state/Emulator.js"

const inProcessUrl = "https://sandbox.nomba.com"

const build = <E>(
  settings: Settings,
  listen: (app: SandboxApp) => Effect.Effect<string, E, Scope.Scope>
): Effect.Effect<SandboxService, E, Scope.Scope> =>
  Effect.gen(function* () {
    const emulator = yield* Emulator.make(settings)
    const app = yield* Effect.provideService(App.make, Emulator.Emulator, emulator)
    const url = yield* listen(app)
    yield* emulator.setUrl(url)
    return { ...Controls.make(emulator), url, client: InProcess.make(app, url) }
  })

const make = (options: Options = {}): Effect.Effect<SandboxService, SandboxError, Scope.Scope> =>
  Effect.flatMap(settle(options), (settings) => build(settings, () => Effect.succeed(inProcessUrl)))

const server = Effect.tryPromise({
  try: () => import("./http/Server.js"),
  catch: () =>
    new SandboxError({
      reason: "Listen",
      issues: ["the server needs a package: npm install @effect/platform-node@0.108"]
    })
})

const makeServer = (options: ServerOptions = {}): Effect.Effect<SandboxService, SandboxError, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* settle(options)
    const { serve } = yield* server
    return yield* build(settings, (app) => serve(app, settings))
  })

/**
 * A local Nomba API for development and tests: it serves the contract, keeps one session for each client as Nomba does, and
 * rejects what Nomba rejects.
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Nomba, TokenCache, TokenStoreMemory } from "nomba-auth"
 * import { Sandbox } from "nomba-auth/sandbox"
 *
 * const NombaTest = Nomba.layer({ ...Sandbox.defaultClient, environment: "sandbox" }).pipe(
 *   Layer.provide(TokenStoreMemory.layer),
 *   Layer.provideMerge(Sandbox.layer())
 * )
 *
 * const issued = Effect.gen(function* () {
 *   const cache = yield* TokenCache
 *   const sandbox = yield* Sandbox
 *   yield* cache.get
 *   return (yield* sandbox.counts).issued
 * }).pipe(Effect.provide(NombaTest))
 * ```
 *
 * @since 0.1.0
 * @category services
 */
export class Sandbox extends Context.Tag("nomba-auth/Sandbox")<Sandbox, SandboxService>() {
  /**
   * The default client. Spread it into `Nomba.layer`.
   *
   * @since 0.1.0
   */
  static readonly defaultClient = defaultClient

  /**
   * A sandbox in process.
   *
   * @since 0.1.0
   */
  static readonly make: (options?: Options) => Effect.Effect<SandboxService, SandboxError, Scope.Scope> = make

  /**
   * A sandbox in process, and the `HttpClient` that reaches it and nothing else. Each request is answered in the fiber that
   * sends it, by its clock: under `TestClock` the test decides when tokens expire.
   *
   * @since 0.1.0
   */
  static readonly layer = (options?: Options): Layer.Layer<Sandbox | HttpClient.HttpClient, SandboxError> =>
    Layer.scopedContext(
      Effect.map(make(options), (sandbox) =>
        Context.make(Sandbox, sandbox).pipe(Context.add(HttpClient.HttpClient, sandbox.client))
      )
    )

  /**
   * A sandbox that listens on a socket until its scope closes. It uses the clock of the fiber that starts it. Needs
   * `@effect/platform-node@0.108`, which is loaded only here.
   *
   * @since 0.1.0
   */
  static readonly makeServer: (options?: ServerOptions) => Effect.Effect<SandboxService, SandboxError, Scope.Scope> =
    makeServer

  /**
   * A sandbox that listens on a socket. Point any HTTP client at its `url`. See `makeServer`.
   *
   * @since 0.1.0
   */
  static readonly layerServer = (options?: ServerOptions): Layer.Layer<Sandbox, SandboxError> =>
    Layer.scoped(Sandbox, makeServer(options))
}
