/**
 * A Nomba to develop and test against: it serves the contract, keeps one session for each client as the live API does,
 * and refuses what Nomba refuses.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as App from "./App.js"
import * as Emulator from "./Emulator.js"
import * as Fault from "./Fault.js"
import * as InProcess from "./InProcess.js"
import { defaultClient, type Options, type ServerOptions, type Settings, settle } from "./Options.js"
import { SandboxError } from "./SandboxError.js"
import type { LiveSession, SandboxService } from "./SandboxService.js"
import * as SandboxState from "./SandboxState.js"

const inProcessUrl = "https://sandbox.nomba.com"

const live = (session: SandboxState.Session): LiveSession => ({
  clientId: session.clientId,
  accessToken: session.accessToken,
  refreshToken: session.refreshToken,
  issuedAt: DateTime.unsafeMake(session.issuedAt),
  expiresAt: DateTime.unsafeMake(session.expiresAt),
  refreshExpiresAt: DateTime.unsafeMake(session.refreshExpiresAt)
})

const service = (emulator: Emulator.EmulatorService, app: App.App, url: string): SandboxService => {
  const first = Array.from(emulator.settings.clients.keys())[0] ?? ""
  return {
    url,
    client: InProcess.make(app, url),
    counts: Effect.map(emulator.state, ({ counts }) => counts),
    session: (clientId = first) =>
      Effect.map(emulator.state, ({ sessions }) => Option.map(HashMap.get(sessions, clientId), live)),
    reset: emulator.reset,
    steal: (clientId = first) =>
      Effect.gen(function* () {
        if (!emulator.settings.clients.has(clientId)) {
          return yield* new SandboxError({ reason: "Client", issues: ["clientId: is not known to this sandbox"] })
        }
        const mint = yield* emulator.mint
        return live(yield* emulator.transition(SandboxState.start(mint(clientId))))
      }),
    expire: (token, clientId = first) =>
      Effect.gen(function* () {
        const done = yield* emulator.transition(SandboxState.expire(clientId, token, yield* emulator.now))
        if (!done) return yield* new SandboxError({ reason: "Session", issues: ["clientId: has no session"] })
      }),
    fault: (endpoint, fault) =>
      Effect.flatMap(Fault.check(fault), (checked) => emulator.transition(SandboxState.befall(endpoint, checked)))
  }
}

const build = <E>(
  settings: Settings,
  listen: (app: App.App) => Effect.Effect<string, E, Scope.Scope>
): Effect.Effect<SandboxService, E, Scope.Scope> =>
  Effect.gen(function* () {
    const emulator = yield* Emulator.make(settings)
    const app = yield* Effect.provideService(App.make, Emulator.Emulator, emulator)
    return service(emulator, app, yield* listen(app))
  })

const make = (options: Options = {}): Effect.Effect<SandboxService, SandboxError, Scope.Scope> =>
  Effect.flatMap(settle(options), (settings) => build(settings, () => Effect.succeed(inProcessUrl)))

const server = Effect.tryPromise({
  try: () => import("./Server.js"),
  catch: () => new SandboxError({ reason: "Listen", issues: ["a socket needs the package @effect/platform-node"] })
})

const makeServer = (options: ServerOptions = {}): Effect.Effect<SandboxService, SandboxError, Scope.Scope> =>
  Effect.gen(function* () {
    const settings = yield* settle(options)
    const { serve } = yield* server
    return yield* build(settings, (app) => serve(app, settings))
  })

/**
 * A running sandbox.
 *
 * ```ts
 * import { Effect, Layer } from "effect"
 * import { Nomba, TokenCache } from "nomba-auth"
 * import { Sandbox } from "nomba-auth/sandbox"
 *
 * const NombaTest = Nomba.layer({ ...Sandbox.defaultClient, environment: "sandbox" }).pipe(
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
   * The client that a sandbox knows when it is given no other. Spread it into `Nomba.layer`.
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
   * A sandbox in process, and the `HttpClient` that reaches it and nothing else. Requests are answered in the fiber
   * that sends them, by its clock; a test under `TestClock` decides when tokens expire.
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
   * A sandbox that listens on a socket until its scope closes. Answers are stamped by the clock that was there when it
   * began. Needs `@effect/platform-node`, which is loaded only here.
   *
   * @since 0.1.0
   */
  static readonly makeServer: (options?: ServerOptions) => Effect.Effect<SandboxService, SandboxError, Scope.Scope> =
    makeServer

  /**
   * A sandbox that listens on a socket, at its `url`; bring an `HttpClient` of your own. See `makeServer`.
   *
   * @since 0.1.0
   */
  static readonly layerServer = (options?: ServerOptions): Layer.Layer<Sandbox, SandboxError> =>
    Layer.scoped(Sandbox, makeServer(options))
}
