/** A sandbox for tests in any runner, and for programs without Effect. */
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Endpoint } from "./config/endpoints.js"
import type { Fault } from "./config/Fault.js"
import { type Client, defaultClient, type ServerOptions } from "./config/Options.js"
import { SandboxError } from "./config/SandboxError.js"
import type { Switches, SwitchesInput } from "./config/Switches.js"
import type { LiveSession } from "./control/SandboxService.js"
import { StateView } from "./control/Views.js"
import { Sandbox } from "./Sandbox.js"
import type { Counts } from "./state/Counts.js"

/**
 * A client that the sandbox knows, its secret in plain text.
 *
 * @since 0.1.0
 * @category models
 */
export interface PlainClient extends Omit<Client, "clientSecret"> {
  /** A public client has none: persons start its sessions. */
  readonly clientSecret?: string | undefined
}

/**
 * A client that logs in by itself.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credentials extends PlainClient {
  readonly clientSecret: string
}

/**
 * What `startSandbox` takes. Everything has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions extends Omit<ServerOptions, "clients"> {
  /** Default: one client, which `credentials` gives. */
  readonly clients?: ReadonlyArray<PlainClient> | undefined
}

/**
 * A session that a client has, in plain text.
 *
 * @since 0.1.0
 * @category models
 */
export interface PlainSession {
  readonly clientId: string
  readonly accessToken: string
  readonly refreshToken: string
  /** By the sandbox's clock, like the two below. */
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly refreshExpiresAt: Date
}

/**
 * A sandbox that listens on a socket. Each promise rejects with a `SandboxError` that says what to do where the sandbox
 * cannot do what it was asked. Where a `clientId` can be given, the first of the configured clients is meant without it.
 *
 * @since 0.1.0
 * @category models
 */
export interface SandboxHandle extends AsyncDisposable {
  /** The base URL to point the code under test at. */
  readonly url: string
  /**
   * What the code under test needs to log in. Throws a `SandboxError` for a client that is not known, and for a public
   * one, which has no secret: its `clientId` and `redirectUris` are those that it was given.
   */
  readonly credentials: (clientId?: string) => Credentials
  /** All that can be seen of the sandbox, secrets masked: what `GET /_sandbox/state` answers. */
  readonly view: () => Promise<typeof StateView.Encoded>
  /** What the sandbox has done so far. */
  readonly counts: () => Promise<Counts>
  /** The newest session of a client, if it has one. */
  readonly session: (clientId?: string) => Promise<PlainSession | undefined>
  /** Somebody else logs in with the same credentials. */
  readonly steal: (clientId?: string) => Promise<PlainSession>
  /** A token of each of the client's sessions dies of age now: by the sandbox's clock, which can be set back. */
  readonly expire: (token: "access" | "refresh", clientId?: string) => Promise<void>
  /** The client's sessions end, as if somebody had revoked them. */
  readonly revoke: (clientId?: string) => Promise<void>
  /** The next requests to an operation meet a misfortune. */
  readonly fault: (endpoint: Endpoint, fault: Fault) => Promise<void>
  /** No fault waits any longer. */
  readonly clearFaults: () => Promise<void>
  /** The sandbox's time. */
  readonly now: () => Promise<Date>
  /** The sandbox's clock jumps ahead. */
  readonly advance: (duration: Duration.DurationInput) => Promise<Date>
  /** The sandbox's clock is set. */
  readonly setTime: (at: Date | string | number) => Promise<Date>
  /** How the sandbox behaves at the moment. */
  readonly switches: () => Promise<Switches>
  /** Turns the switches that are given. */
  readonly configure: (switches: SwitchesInput) => Promise<Switches>
  /** Starts over, as it was when it began. */
  readonly reset: () => Promise<void>
  /** Stops listening and cuts what is open. A second time does nothing. */
  readonly close: () => Promise<void>
}

/** Rejects with the error itself, and not with a wrapper around it. */
const run = async <A, E>(effect: Effect.Effect<A, E>): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect)
  if (Exit.isSuccess(exit)) return exit.value
  throw Cause.squash(exit.cause)
}

const date = (time: DateTime.Utc): Date => DateTime.toDateUtc(time)

const plain = (session: LiveSession): PlainSession => ({
  clientId: session.clientId,
  accessToken: Redacted.value(session.accessToken),
  refreshToken: Redacted.value(session.refreshToken),
  issuedAt: date(session.issuedAt),
  expiresAt: date(session.expiresAt),
  refreshExpiresAt: date(session.refreshExpiresAt)
})

const encodeView = Schema.encode(StateView)

/**
 * Starts a sandbox on a free port of this machine. Needs `@effect/platform-node`.
 *
 * ```ts
 * import { startSandbox } from "nomba-auth/sandbox"
 *
 * const sandbox = await startSandbox({ accessLifetime: "1 minute" })
 * const { clientId, clientSecret } = sandbox.credentials()
 * await sandbox.fault("issue", { answer: { status: 503 } })
 * // point the code under test at sandbox.url, then:
 * await sandbox.close()
 * ```
 *
 * It rejects with a `SandboxError` of the reason `Options` or `Listen`, which says what to change.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startSandbox = async (options: StartOptions = {}): Promise<SandboxHandle> => {
  const { clients, ...rest } = options
  const known: ReadonlyArray<PlainClient> = clients ?? [
    { ...defaultClient, clientSecret: Redacted.value(defaultClient.clientSecret) }
  ]
  const scope = await run(Scope.make())
  const sandbox = await run(
    Sandbox.makeServer({
      ...rest,
      clients: known.map(({ clientSecret, ...client }) =>
        clientSecret === undefined ? client : { ...client, clientSecret: Redacted.make(clientSecret) }
      )
    }).pipe(
      Scope.extend(scope),
      Effect.onError((cause) => Scope.close(scope, Exit.failCause(cause)))
    )
  )
  const close = (): Promise<void> => run(Scope.close(scope, Exit.void))
  return {
    url: sandbox.url,
    credentials: (clientId = known[0]?.clientId) => {
      const client = known.find((one) => one.clientId === clientId)
      if (client === undefined) {
        throw new SandboxError({ reason: "Client", issues: ["clientId: is not known to this sandbox"] })
      }
      const { clientSecret } = client
      if (clientSecret === undefined) {
        throw new SandboxError({
          reason: "Client",
          issues: ["clientId: is a public client's, which has no clientSecret"]
        })
      }
      return { ...client, clientSecret }
    },
    view: () => run(Effect.flatMap(sandbox.view, encodeView)),
    counts: () => run(sandbox.counts),
    session: (clientId) =>
      run(Effect.map(sandbox.session(clientId), (session) => Option.getOrUndefined(Option.map(session, plain)))),
    steal: (clientId) => run(Effect.map(sandbox.steal(clientId), plain)),
    expire: (token, clientId) => run(sandbox.expire(token, clientId)),
    revoke: (clientId) => run(sandbox.revoke(clientId)),
    fault: (endpoint, fault) => run(sandbox.fault(endpoint, fault)),
    clearFaults: () => run(sandbox.clearFaults),
    now: () => run(Effect.map(sandbox.now, date)),
    advance: (duration) => run(Effect.map(sandbox.advance(duration), date)),
    setTime: (at) => run(Effect.map(sandbox.setTime(at), date)),
    switches: () => run(sandbox.switches),
    configure: (switches) => run(sandbox.configure(switches)),
    reset: () => run(sandbox.reset),
    close,
    [Symbol.asyncDispose]: close
  }
}
