/**
 * Texts that a released version wrote stay readable. A fixture is never changed: a new format gets a fixture of its own
 * beside it.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { DateTime, Duration, Effect, Option, Redacted } from "effect"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as StoreDirectory from "../../src/layers/store/file/StoreDirectory.js"
import * as Driver from "../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../src/layers/store/redis/RedisConnection.js"
import type { StoreDriver } from "../../src/layers/store/StoreDriver.js"
import { Session } from "../../src/schemas/Session.js"
import { StoreKey } from "../../src/schemas/StoreKey.js"
import { describeRedis } from "../support/describeRedis.js"
import { connectIn, temporaryFolder } from "../support/fileStore.js"
import { makeHandClock } from "../support/storeClock.js"

const texts = JSON.parse(readFileSync(new URL("../fixtures/storedTexts-1.json", import.meta.url), "utf8"))

const key = StoreKey.make(texts.key)
const version: number = texts.version

const session = new Session({
  accessToken: Redacted.make("golden-access-token"),
  refreshToken: Option.some(Redacted.make("golden-refresh-token")),
  lifetime: Duration.minutes(30),
  issuedAt: DateTime.unsafeMake("2026-11-27T04:00:00.000Z"),
  clock: "server",
  tokenType: "Bearer",
  businessId: Option.some("golden-business")
})

const contents: Record<string, SessionCodec.StoredContent> = {
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

const codecs: Record<"plain" | "encrypted", Effect.Effect<SessionCodec.SessionCodec>> = {
  plain: Effect.succeed(SessionCodec.plain),
  encrypted: Effect.orDie(
    SessionCodec.encrypted([{ id: texts.encryptionKey.id, key: Redacted.make(texts.encryptionKey.key) }])
  )
}

const isGolden = (driver: StoreDriver) =>
  Effect.gen(function* () {
    const { entry, failure } = yield* driver.read
    const { refreshInFlight, remaining, ...rest } = Option.getOrThrow(entry)
    assert.deepStrictEqual(rest, { ...contents["session"], version } as typeof rest)
    assert.deepStrictEqual(refreshInFlight, Option.some({ store: "0123456789abcdef", attempt: 3 }))
    const { wait, ...shared } = Option.getOrThrow(failure)
    assert.deepStrictEqual(shared, { reason: "ServerError", status: Option.some(503), count: 3 })
    return { remaining, wait }
  })

for (const name of ["plain", "encrypted"] as const) {
  describe(`a text of format 1, ${name}`, () => {
    for (const [what, content] of Object.entries(contents)) {
      it.live(`is decoded: ${what}`, () =>
        Effect.gen(function* () {
          const codec = yield* codecs[name]
          assert.deepStrictEqual(yield* codec.decode({ key, version }, texts[name][what]), content)
        })
      )
    }

    it.scopedLive("is read from a file", () =>
      Effect.gen(function* () {
        const root = yield* temporaryFolder
        const folder = join(root, StoreDirectory.nameOf(key))
        mkdirSync(folder, { mode: 0o700 })
        writeFileSync(join(folder, "0000000001.json"), texts.file[name])
        const connect = connectIn(root, { codec: yield* codecs[name], host: "golden-host" })
        const clock = makeHandClock(version + 1_000).clock
        const driver = yield* Effect.withClock(connect(key, Duration.seconds(13)), clock)
        assert.deepStrictEqual(yield* isGolden(driver), {
          remaining: Duration.seconds(1_799),
          wait: Duration.seconds(7)
        })
      })
    )
  })
}

describeRedis("an entry of format 1 in Redis", (server) => {
  it.scopedLive("is read, plain and encrypted", () =>
    Effect.gen(function* () {
      const { call, url } = yield* server
      const entry = `nomba-auth:{${key}}`
      const connection = yield* RedisConnection.fromUrl(Redacted.make(url))
      for (const name of ["plain", "encrypted"] as const) {
        const settings = { codec: yield* codecs[name], commandTimeout: Duration.seconds(2) }
        const connect = yield* Driver.make(connection, settings)
        yield* call("DEL", entry)
        yield* call("HSET", entry, ...Object.entries<string>(texts.redis[name]).flat())
        yield* call("SET", `${entry}:failure`, texts.redisFailure)
        yield* isGolden(yield* connect(key, Duration.seconds(13)))
      }
    })
  )
})
