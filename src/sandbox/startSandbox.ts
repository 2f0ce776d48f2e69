/** The sandbox for tests in any runner, and for programs without Effect. */

// A program may be compiled without `lib: ["ESNext.Disposable"]` and without the types of Node.js, which have it too.
/// <reference lib="esnext.disposable" preserve="true" />
import * as Cause from "effect/Cause"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import type { Fault } from "./config/Fault.js"
import { type Client, defaultClient, type ServerOptions } from "./config/Options.js"
import type { FaultTarget } from "./config/operations.js"
import type { Resource } from "./config/Resource.js"
import { SandboxError } from "./config/SandboxError.js"
import type { Switches, SwitchesInput } from "./config/Switches.js"
import type { LiveSession } from "./control/SandboxService.js"
import { StateView } from "./control/Views.js"
import { Sandbox } from "./Sandbox.js"
import type { Counts } from "./state/Counts.js"

/**
 * A client that the sandbox knows, with its secret in plaintext.
 *
 * @since 0.1.0
 * @category models
 */
export interface PlainClient extends Omit<Client, "clientSecret"> {
  /** A public client has none: its end users log in. */
  readonly clientSecret?: string | undefined
}

/**
 * A client with a secret.
 *
 * @since 0.1.0
 * @category models
 */
export interface Credentials extends PlainClient {
  readonly clientSecret: string
}

/**
 * Options of `startSandbox`. Everything has a default.
 *
 * @since 0.1.0
 * @category models
 */
export interface StartOptions extends Omit<ServerOptions, "clients"> {
  /** Default: one client; `credentials` returns it. */
  readonly clients?: ReadonlyArray<PlainClient> | undefined
}

/**
 * A session of a client, in plaintext.
 *
 * @since 0.1.0
 * @category models
 */
export interface PlainSession {
  readonly clientId: string
  readonly accessToken: string
  readonly refreshToken: string
  /** Times are by the sandbox's clock. */
  readonly issuedAt: Date
  readonly expiresAt: Date
  readonly refreshExpiresAt: Date
}

/**
 * A sandbox that listens on a socket. A failure rejects with a `SandboxError` that says how to fix it. A `clientId` that is
 * left out means the first configured client.
 *
 * @since 0.1.0
 * @category models
 */
export interface SandboxHandle extends AsyncDisposable {
  /** The base URL to point the code under test at. */
  readonly url: string
  /**
   * What the code under test needs to log in. Throws a `SandboxError` for an unknown client and for a public one, which has
   * no secret.
   */
  readonly credentials: (clientId?: string) => Credentials
  /** The whole state, secrets masked: the same as `GET /_sandbox/state`. */
  readonly view: () => Promise<typeof StateView.Encoded>
  /** Requests and sessions so far. */
  readonly counts: () => Promise<Counts>
  /** The newest session of a client. */
  readonly session: (clientId?: string) => Promise<PlainSession | undefined>
  /** Simulates another login with the same credentials. */
  readonly steal: (clientId?: string) => Promise<PlainSession>
  /** Lets a token of each of the client's sessions expire now, by the sandbox's clock. */
  readonly expire: (token: "access" | "refresh", clientId?: string) => Promise<void>
  /** Revokes the client's sessions. */
  readonly revoke: (clientId?: string) => Promise<void>
  /** Adds a fault for the next requests to an operation, or to a method and path. */
  readonly fault: (target: FaultTarget, fault: Fault) => Promise<void>
  /** Removes all faults. */
  readonly clearFaults: () => Promise<void>
  /** Adds a response, or replaces the one of the same method and path. */
  readonly respond: (resource: Resource) => Promise<void>
  /** Removes all added responses. The built-in ones stay. */
  readonly clearResponses: () => Promise<void>
  /** The sandbox's time. */
  readonly now: () => Promise<Date>
  /** Moves the sandbox's clock ahead. */
  readonly advance: (duration: Duration.DurationInput) => Promise<Date>
  /** Sets the sandbox's clock. */
  readonly setTime: (at: Date | string | number) => Promise<Date>
  /** The current switches. */
  readonly switches: () => Promise<Switches>
  /** Changes the given switches. */
  readonly configure: (switches: SwitchesInput) => Promise<Switches>
  /** Returns to the state at the start. */
  readonly reset: () => Promise<void>
  /** Stops listening and closes open connections. A second call does nothing. */
  readonly close: () => Promise<void>
}

/** Rejects with the error itself, not with a wrapper around it. */
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

/** A value that is no list of clients is left to the checks of the options. */
const withRedactedSecrets = (clients: ReadonlyArray<PlainClient>): ReadonlyArray<Client> =>
  Array.isArray(clients)
    ? clients.map((client: PlainClient) =>
        Predicate.isRecord(client) && client.clientSecret !== undefined
          ? { ...client, clientSecret: Redacted.make(client.clientSecret) }
          : (client as Client)
      )
    : (clients as unknown as ReadonlyArray<Client>)

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
 * It rejects with a `SandboxError`, reason `Options` or `Listen`, that says how to fix it.
 *
 * @since 0.1.0
 * @category constructors
 */
export const startSandbox = async (options: StartOptions = {}): Promise<SandboxHandle> => {
  const { clients: known = [{ ...defaultClient, clientSecret: Redacted.value(defaultClient.clientSecret) }], ...rest } =
    options
  const scope = await run(Scope.make())
  const sandbox = await run(
    Sandbox.makeServer({
      ...rest,
      clients: withRedactedSecrets(known)
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
          issues: ["clientId: a public client has no clientSecret"]
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
    fault: (target, fault) => run(sandbox.fault(target, fault)),
    clearFaults: () => run(sandbox.clearFaults),
    respond: (resource) => run(sandbox.respond(resource)),
    clearResponses: () => run(sandbox.clearResponses),
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
