/**
 * Texts that a released version wrote, which stay readable. A fixture is never changed: a new format gets a fixture of its
 * own beside it.
 */
import { readFileSync } from "node:fs"
import { assert } from "@effect/vitest"
import { DateTime, Duration, Effect, Option, Redacted } from "effect"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import type { Owner, StoreDriver } from "../../src/layers/store/StoreDriver.js"
import { Session } from "../../src/schemas/Session.js"
import { StoreKey } from "../../src/schemas/StoreKey.js"
import { ifFree } from "./storeFaults.js"

export const texts = JSON.parse(readFileSync(new URL("../fixtures/storedTexts-1.json", import.meta.url), "utf8"))

export const key = StoreKey.make(texts.key)
export const version: number = texts.version

const session = new Session({
  accessToken: Redacted.make("golden-access-token"),
  refreshToken: Option.some(Redacted.make("golden-refresh-token")),
  lifetime: Duration.minutes(30),
  issuedAt: DateTime.unsafeMake("2026-11-27T04:00:00.000Z"),
  clock: "server",
  tokenType: "Bearer",
  businessId: Option.some("golden-business")
})

export const contents: Record<string, SessionCodec.StoredContent> = {
  session: { session: Option.some(session), tombstone: false },
  bare: {
    session: Option.some(
      new Session({ ...session, refreshToken: Option.none(), businessId: Option.none(), clock: "local" })
    ),
    tombstone: false
  },
  tombstone: { session: Option.none(), tombstone: true },
  unproven: { session: Option.some(session), tombstone: true }
}

export const codecs: Record<"plain" | "encrypted", Effect.Effect<SessionCodec.SessionCodec>> = {
  plain: Effect.succeed(SessionCodec.plain),
  encrypted: Effect.orDie(
    SessionCodec.encrypted([{ id: texts.encryptionKey.id, key: Redacted.make(texts.encryptionKey.key) }])
  )
}

export const holder: Owner = { store: "0123456789abcdef", attempt: 3 }

/** Takes the lease, and writes the golden session at this time of the store. */
export const writeGolden = (driver: StoreDriver, now: number) =>
  Effect.gen(function* () {
    assert.isTrue((yield* driver.acquire(holder, ifFree)).held)
    const write = {
      session: Option.some(session),
      tombstone: false,
      version,
      remaining: session.lifetime,
      expiresAt: now + Duration.toMillis(session.lifetime)
    }
    assert.isTrue(yield* driver.commit(holder, 0, write))
  })

export const readGolden = (driver: StoreDriver) =>
  Effect.gen(function* () {
    const { entry, failure } = yield* driver.read
    const { refreshInFlight, remaining, ...rest } = Option.getOrThrow(entry)
    assert.deepStrictEqual(rest, { ...contents["session"], version } as typeof rest)
    assert.deepStrictEqual(refreshInFlight, Option.some(holder))
    const { wait, ...shared } = Option.getOrThrow(failure)
    assert.deepStrictEqual(shared, { reason: "ServerError", status: Option.some(503), count: 3 })
    return { remaining, wait }
  })
