/** The token store: whether this program may use it, and what it holds. */
import { existsSync, mkdtempSync, rmdirSync, rmSync } from "node:fs"
import { hostname } from "node:os"
import { dirname, join } from "node:path"
import type * as ConfigError from "effect/ConfigError"
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { constFalse } from "effect/Function"
import * as Option from "effect/Option"
import type { StoreKind } from "../../layers/config/StoreChoice.js"
import * as envelope from "../../layers/store/file/envelope.js"
import * as Files from "../../layers/store/file/Files.js"
import * as StoreDirectory from "../../layers/store/file/StoreDirectory.js"
import * as VersionedFile from "../../layers/store/file/VersionedFile.js"
import { type AuthError, Unavailable } from "../../schemas/AuthError.js"
import * as StoreKey from "../../schemas/StoreKey.js"
import type { SharedFailure, Stored, StoreState, TokenStoreService } from "../../services/TokenStore.js"
import * as ExitCode from "../ExitCode.js"
import { type Finding, failed, ok, problem, warning } from "./Finding.js"

/** A token store as it is configured. */
export interface Store {
  readonly service: TokenStoreService
  readonly kind: StoreKind
  /** For people: `file:/var/lib/shop (NOMBA_TOKEN_STORE)`. */
  readonly name: string
  /** The folder of a file store. */
  readonly folder?: string
  /** Whether the folder is a makeshift one, because the user's own cannot be used. */
  readonly isTemporary?: boolean
}

/** A key of this process alone: no other process waits for its lease. */
const probeKey = StoreKey.make({
  baseUrl: "",
  clientId: `doctor ${process.pid}`,
  grant: "client_credentials",
  subject: ""
})

/** Not a failure: the lease was held, and nothing is to be written under it. */
const held = new Unavailable({ operation: "store", reason: "Closed" })

/** Takes a lease and gives it back, which needs every right that a renewal needs. Leaves nothing behind in Redis. */
const probe = (service: TokenStoreService): Effect.Effect<void, AuthError> =>
  Effect.scoped(
    Effect.gen(function* () {
      const store = yield* service.open(probeKey, Duration.seconds(1))
      yield* store.renew({
        adopt: constFalse,
        obtain: () => Effect.fail(held),
        share: () => Option.none(),
        isAbandoned: constFalse
      })
    })
  ).pipe(
    Effect.asVoid,
    Effect.catchTag("RenewalHeldBack", () => Effect.void),
    Effect.catchIf(
      (error) => error === held,
      () => Effect.void
    )
  )

/** A folder that cannot be removed holds no session. */
const removeProbe = (folder: string): Effect.Effect<void> =>
  Effect.ignore(
    Effect.try(() => rmSync(join(folder, StoreDirectory.nameOf(probeKey)), { recursive: true, force: true }))
  )

const existing = (path: string): string => (existsSync(path) || dirname(path) === path ? path : existing(dirname(path)))

/**
 * A folder that the first renewal has to make. Makes and removes another one beside it, because the rights do not tell:
 * /proc takes no folder, whatever the rights are.
 */
const missingFolder = (folder: string, name: string): Finding => {
  const above = existing(folder)
  try {
    rmdirSync(mkdtempSync(join(above, ".nomba-auth-")))
    return ok(`${name}; the folder is not there yet, and is made when it is needed`)
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "EACCES"
    return problem(
      ExitCode.UNAVAILABLE,
      `${name} is not there and cannot be made in ${above}: ${code}`,
      `make ${folder} for this user with mode 700, or name another folder in NOMBA_TOKEN_STORE`
    )
  }
}

/** Whether a renewal may use the store. */
export const rights = (store: Store): Effect.Effect<Finding> => {
  const { folder, kind, name, service } = store
  if (kind === "memory") {
    return Effect.succeed(
      warning(
        `${name}: every process has a session of its own, which ends that of the others`,
        "set NOMBA_TOKEN_STORE to file:PATH or redis://…"
      )
    )
  }
  return folder === undefined ? probed(service, name) : rightsIn(folder, store)
}

const probed = (service: TokenStoreService, name: string): Effect.Effect<Finding> =>
  Effect.match(probe(service), { onFailure: (error) => failed(error), onSuccess: () => ok(name) })

const rightsIn = (folder: string, { isTemporary = false, name, service }: Store): Effect.Effect<Finding> =>
  Effect.gen(function* () {
    const info = yield* Effect.either(Files.system.stat(folder))
    const isMissing = Either.isLeft(info) && info.left.code === "ENOENT"
    const finding = isMissing
      ? missingFolder(folder, name)
      : yield* Effect.ensuring(probed(service, name), removeProbe(folder))
    return isTemporary && finding.level === "ok"
      ? warning(
          `${finding.says}; this user has no folder of its own that can be written to`,
          "set NOMBA_TOKEN_STORE=file:PATH: a folder for temporary files may be emptied"
        )
      : finding
  })

/** Why there is no store, if the settings are wrong. */
export const notConfigured = (error: ConfigError.ConfigError): string =>
  error._op === "And" || error._op === "Or" ? notConfigured(error.left) : error.message

export const about = (duration: Duration.Duration): string => {
  const seconds = Math.floor(Duration.toSeconds(duration))
  return seconds === 0 ? "0s" : Duration.format(Duration.seconds(seconds))
}

const heldBack = ({ reason, wait }: SharedFailure): Finding =>
  problem(
    ExitCode.UNAVAILABLE,
    `${reason === "RateLimited" ? "Nomba's rate limit is reached" : "Nomba failed"}, as another process found: token requests wait for ${about(wait)}`,
    "wait"
  )

/**
 * Which program used the session last, as far as the store tells. A file names the host of its last writer, and no process; an
 * entry in Redis names neither.
 */
export const lastWriter = ({ folder }: Store, key: StoreKey.StoreKey): Effect.Effect<string | undefined> => {
  if (folder === undefined) return Effect.succeed(undefined)
  return VersionedFile.make(Files.system, join(folder, StoreDirectory.nameOf(key))).load.pipe(
    Effect.map(({ text }) => Option.flatMap(text, (text) => Either.getRight(envelope.read(key, text)))),
    Effect.match({
      onFailure: () => undefined,
      onSuccess: Option.match({
        onNone: () => undefined,
        onSome: ({ host }) => (host === hostname() ? "a program on this machine" : `a program on the host ${host}`)
      })
    })
  )
}

/** What the store holds. */
export const session = (
  { failure, isLeased, stored, version }: StoreState,
  now: DateTime.Utc,
  writer?: string
): Finding => {
  const renewing = isLeased ? `; ${writer ?? "another program"} is renewing it now` : ""
  if (Option.isNone(stored)) {
    if (Option.isSome(failure)) return heldBack(failure.value)
    return ok(`${version === 0 ? "none yet" : "none: it was logged out"}; the next call requests a token${renewing}`)
  }
  const { refreshInFlight, remaining } = stored.value
  if (!Duration.greaterThan(remaining, Duration.zero)) {
    return Option.isSome(failure) ? heldBack(failure.value) : ok(`expired; the next call renews it${renewing}`)
  }
  const described = `valid for ${about(remaining)}, ${issued(stored.value, now, isLeased ? undefined : writer)}${renewing}`
  if (Option.isSome(failure)) {
    return warning(`${described}; ${heldBack(failure.value).says}`, "wait: the token is good until then")
  }
  return refreshInFlight && !isLeased
    ? warning(
        `${described}; a process ended while it refreshed the session, so its refresh token may be spent`,
        "nothing: the next renewal requests a new token"
      )
    : ok(described)
}

/** When the session began, and who wrote it: `issued 3m ago, stored by a program on this machine`. */
export const issued = ({ session }: Stored, now: DateTime.Utc, writer: string | undefined): string =>
  `issued ${about(DateTime.distanceDuration(session.issuedAt, now))} ago${writer === undefined ? "" : `, stored by ${writer}`}`
