/** What the cases of the contract are made of. */
import * as Data from "effect/Data"
import * as DateTime from "effect/DateTime"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import { RENEWAL_LIMIT } from "../../layers/time.js"
import { type AuthError, Unavailable } from "../../schemas/AuthError.js"
import { Session } from "../../schemas/Session.js"
import * as StoreKey from "../../schemas/StoreKey.js"
import type {
  Lease,
  LeaseLost,
  NewSession,
  RenewalHeldBack,
  RenewOptions,
  SessionStore,
  Stored,
  TokenStoreService
} from "../../services/TokenStore.js"
import type { ContractCase, FaultyStore, TokenStoreContractOptions } from "./Options.js"

/** A store did not keep the contract. */
export class ContractBroken extends Data.TaggedError("ContractBroken")<{ readonly message: string }> {}

const broken = (message: string): Effect.Effect<never, ContractBroken> => new ContractBroken({ message })

export const ensure = (condition: boolean, message: string): Effect.Effect<void, ContractBroken> =>
  condition ? Effect.void : broken(message)

export const same = <A>(actual: A, expected: A, what: string): Effect.Effect<void, ContractBroken> =>
  Equal.equals(actual, expected) ? Effect.void : broken(`${what}: expected ${expected}, got ${actual}`)

export const some = <A>(option: Option.Option<A>, what: string): Effect.Effect<A, ContractBroken> =>
  Option.match(option, { onNone: () => broken(`${what}: nothing`), onSome: Effect.succeed })

export const none = <A>(option: Option.Option<A>, what: string): Effect.Effect<void, ContractBroken> =>
  ensure(Option.isNone(option), `${what}: expected nothing, got something`)

/** Fails with this tag, and answers the error. */
export const failsWith = <A, E extends { readonly _tag: string }, R>(
  effect: Effect.Effect<A, E, R>,
  tag: string,
  what: string
): Effect.Effect<E, ContractBroken, R> =>
  Effect.matchEffect(effect, {
    onFailure: (error) => (error._tag === tag ? Effect.succeed(error) : broken(`${what}: failed with ${error._tag}`)),
    onSuccess: () => broken(`${what}: expected ${tag}, but it succeeded`)
  })

export const sameSession = (actual: Session, expected: Session, what: string): Effect.Effect<void, ContractBroken> =>
  Equal.equals(actual, expected)
    ? Effect.void
    : broken(`${what}: expected ${Redacted.value(expected.accessToken)}, got ${Redacted.value(actual.accessToken)}`)

export const readStored = (store: SessionStore): Effect.Effect<Option.Option<Stored>, Unavailable> =>
  Effect.map(store.readVersioned, (_) => _.stored)

/** `SessionStore.renew` of a process that shares no failures, unless told otherwise. */
export const renew = (
  store: SessionStore,
  adopt: RenewOptions["adopt"],
  obtain: RenewOptions["obtain"],
  options: Partial<RenewOptions> = {}
): Effect.Effect<Stored, AuthError | RenewalHeldBack> =>
  store.renew({ share: Option.none, isAbandoned: () => false, ...options, adopt, obtain })

/** Fails unless the store contains this session, saved. */
export const holds = (store: SessionStore, session: Session): Effect.Effect<Stored, ContractBroken | Unavailable> =>
  Effect.gen(function* () {
    const stored = yield* some(yield* readStored(store), `the store should hold ${Redacted.value(session.accessToken)}`)
    yield* sameSession(stored.session, session, "what the store holds")
    yield* same(stored.saved, true, "what was read from the store is saved")
    return stored
  })

export const holdsNothing = (store: SessionStore): Effect.Effect<void, ContractBroken | Unavailable> =>
  Effect.flatMap(readStored(store), (found) => none(found, "what the store holds"))

/** A key that no run has used. */
export const freshKey = (parts: Partial<Parameters<typeof StoreKey.make>[0]> = {}): Effect.Effect<StoreKey.StoreKey> =>
  Effect.sync(() =>
    StoreKey.make({
      baseUrl: "https://contract.example",
      clientId: globalThis.crypto.randomUUID(),
      grant: "client_credentials",
      subject: "",
      ...parts
    })
  )

export const LIFETIME: Duration.Duration = Duration.minutes(30)

const ISSUED = Date.UTC(2026, 0, 1)

/** A session by the name of its token; `at` is the second of its issue. */
export const sessionOf = (name: string, at = 0, clock: Session["clock"] = "server"): Session =>
  new Session({
    accessToken: Redacted.make(name),
    refreshToken: Option.some(Redacted.make(`${name}-refresh`)),
    lifetime: LIFETIME,
    issuedAt: DateTime.unsafeMake(ISSUED + at * 1000),
    clock,
    tokenType: "Bearer",
    businessId: Option.none()
  })

export const adoptAny = (): boolean => true
export const adoptNone = (): boolean => false
export const newerThan =
  (version: number) =>
  (stored: Stored): boolean =>
    stored.version > version

/** Whether a test that lets some time pass comes true within a few tries. */
export const soon = <E, R>(test: Effect.Effect<boolean, E, R>): Effect.Effect<boolean, E, R> =>
  Effect.gen(function* () {
    for (let tries = 0; tries < 40; tries++) if (yield* test) return true
    return false
  })

/** The same session as `renew` would answer it if the store had rejected its commit. */
export const unsaved = (session: Session, version: number): Stored => ({
  session,
  version,
  remaining: session.lifetime,
  refreshInFlight: false,
  saved: false
})

/** A renewal that the case watches and holds back. */
export interface TestObtain {
  readonly obtain: (current: Option.Option<Stored>, lease: Lease) => Effect.Effect<NewSession, AuthError | LeaseLost>
  readonly runs: () => number
  /** What the last run was shown. */
  readonly current: () => Option.Option<Stored>
  /** Done when the first run has come to the gate. */
  readonly arrived: Effect.Effect<void>
  readonly open: Effect.Effect<void>
}

type Step = (lease: Lease, current: Option.Option<Stored>) => Effect.Effect<unknown, AuthError | LeaseLost>

export interface ObtainOptions {
  /** Whether it waits until it is opened. */
  readonly gated?: boolean
  readonly beforeGate?: Step
  readonly afterGate?: Step
  readonly remaining?: Duration.Duration
}

export const makeObtain = (session: Session, options: ObtainOptions = {}): Effect.Effect<TestObtain> =>
  Effect.gen(function* () {
    const arrived = yield* Deferred.make<void>()
    const gate = yield* Deferred.make<void>()
    if (options.gated !== true) yield* Deferred.succeed(gate, undefined)
    let runs = 0
    let last: Option.Option<Stored> = Option.none()
    return {
      runs: () => runs,
      current: () => last,
      arrived: Deferred.await(arrived),
      open: Effect.asVoid(Deferred.succeed(gate, undefined)),
      obtain: (current, lease) =>
        Effect.gen(function* () {
          runs += 1
          last = current
          if (options.beforeGate !== undefined) yield* options.beforeGate(lease, current)
          yield* Deferred.succeed(arrived, undefined)
          yield* Deferred.await(gate)
          if (options.afterGate !== undefined) yield* options.afterGate(lease, current)
          return { session, remaining: options.remaining ?? session.lifetime }
        })
    }
  })

/** Commits a session over whatever is held. */
export const put = (
  store: SessionStore,
  session: Session,
  remaining: Duration.Duration = session.lifetime
): Effect.Effect<Stored, AuthError | ContractBroken | RenewalHeldBack> =>
  Effect.gen(function* () {
    const { obtain } = yield* makeObtain(session, { remaining })
    const stored = yield* renew(store, adoptNone, obtain)
    yield* ensure(stored.saved, "a commit under the lease is saved")
    return stored
  })

/** A revocation that the case watches and holds back; it fails with what is given. */
export interface TestRevoke<E> {
  readonly revoke: (current: Option.Option<Stored>, lease: Lease) => Effect.Effect<void, E | LeaseLost>
  readonly runs: () => number
  readonly current: () => Option.Option<Stored>
  readonly arrived: Effect.Effect<void>
  readonly open: Effect.Effect<void>
}

export const makeRevoke = <E = never>(
  options: { readonly gated?: boolean; readonly end?: Effect.Effect<void, E> } = {}
): Effect.Effect<TestRevoke<E>> =>
  Effect.gen(function* () {
    const arrived = yield* Deferred.make<void>()
    const gate = yield* Deferred.make<void>()
    if (options.gated !== true) yield* Deferred.succeed(gate, undefined)
    let runs = 0
    let last: Option.Option<Stored> = Option.none()
    return {
      runs: () => runs,
      current: () => last,
      arrived: Deferred.await(arrived),
      open: Effect.asVoid(Deferred.succeed(gate, undefined)),
      revoke: (current) =>
        Effect.gen(function* () {
          runs += 1
          last = current
          yield* Deferred.succeed(arrived, undefined)
          yield* Deferred.await(gate)
          yield* options.end ?? Effect.void
        })
    }
  })

/** Nomba cannot be reached. */
export const down = new Unavailable({ operation: "issue", reason: "Network", detail: "ECONNREFUSED" })

/** A holder whose lease can be made to expire. */
export interface Frail {
  readonly store: SessionStore
  /** Its lease, if it has one, expires without its notice. */
  readonly lapse: Effect.Effect<void>
}

export interface Harness {
  /** The store of a process of its own. */
  readonly process: Effect.Effect<TokenStoreService, Error, Scope.Scope>
  /** A holder in a process of its own. */
  readonly holder: (key: StoreKey.StoreKey) => Effect.Effect<SessionStore, Error, Scope.Scope>
  readonly frail: (key: StoreKey.StoreKey) => Effect.Effect<Frail, Error, Scope.Scope>
  readonly pass: (duration: Duration.DurationInput) => Effect.Effect<void>
  /** Lets running fibers reach the point where they wait. Without it cases pass too, but test less. */
  readonly settle: Effect.Effect<void>
  readonly requestTimeout: Duration.Duration
  /** How long a lease lasts. */
  readonly lease: Duration.Duration
  /** How long it takes until a `frail` holder has lost its lease. */
  readonly lapse: Duration.Duration
}

const SLACK = Duration.seconds(1)

export const makeHarness = ({
  faulty,
  pass,
  requestTimeout = Duration.millis(100),
  store
}: TokenStoreContractOptions): Harness => {
  const lease = Duration.sum(requestTimeout, "3 seconds")
  const lapse = Duration.sum(lease, faulty === undefined ? Duration.sum(RENEWAL_LIMIT, SLACK) : SLACK)
  return {
    requestTimeout,
    lease,
    lapse,
    pass: (duration) => pass(Duration.decode(duration)),
    settle: pass(Duration.millis(50)),
    process: store,
    holder: (key) => Effect.flatMap(store, (_) => _.open(key, requestTimeout)),
    frail: (key) =>
      Effect.gen(function* () {
        const {
          disconnect,
          reconnect,
          store: own
        }: Pick<FaultyStore, "store" | "disconnect" | "reconnect"> = faulty === undefined
          ? { store: yield* store, disconnect: Effect.void, reconnect: Effect.void }
          : yield* faulty
        return {
          store: yield* own.open(key, requestTimeout),
          lapse: Effect.zipRight(disconnect, Effect.zipRight(pass(lapse), reconnect))
        }
      })
  }
}

/** Names a case. */
export const scenario = (
  name: string,
  effect: Effect.Effect<void, Error, Scope.Scope>,
  passes: Duration.DurationInput = 0
): ContractCase => ({ name, passes: Duration.decode(passes), effect })
