import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Clock, type ConfigError, Duration, Effect, Fiber, Layer, Logger, Option } from "effect"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as Files from "../../src/layers/store/file/Files.js"
import * as StoreDirectory from "../../src/layers/store/file/StoreDirectory.js"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import * as TokenStoreFile from "../../src/layers/TokenStoreFile.js"
import type { StoreKey } from "../../src/schemas/StoreKey.js"
import { TokenStore, type TokenStoreService } from "../../src/services/TokenStore.js"
import {
  adoptAny,
  adoptNone,
  freshKey,
  holds,
  holdsNothing,
  LIFETIME,
  makeObtain,
  put,
  readStored,
  renew,
  sessionOf
} from "../../src/testing/tokenStore/harness.js"
import { keyOf, newKey } from "../support/encryption.js"
import { withEnvironment } from "../support/environment.js"
import { connectIn, namesIn, temporaryFolder } from "../support/fileStore.js"
import { makeHandClock } from "../support/storeClock.js"
import { ifFree, ownerOf, writeOf } from "../support/storeFaults.js"

const requestTimeout = Duration.millis(100)

const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8)

const openIn = (root: string, key: StoreKey, files: Files.Files = Files.system) =>
  SessionStore.fromDriver(connectIn(root, { files })).open(key, requestTimeout)

/** What every step fails with. */
const failureIn = (root: string, files?: Files.Files) =>
  Effect.gen(function* () {
    const store = yield* openIn(root, yield* freshKey(), files)
    const { obtain, runs } = yield* makeObtain(sessionOf("never"))
    const error = yield* Effect.flip(renew(store, adoptAny, obtain))
    assert.strictEqual(runs(), 0)
    assert.strictEqual(error._tag === "Unavailable" && error.reason, "Store")
    assert.strictEqual((yield* Effect.flip(readStored(store))).message, error.message)
    return error.message
  })

describe("the folder of TokenStoreFile", () => {
  it.scopedLive("is made with those above it, and is open to its user only, as its files are", () =>
    Effect.gen(function* () {
      const root = join(yield* temporaryFolder, "not", "yet")
      const store = yield* openIn(root, yield* freshKey())
      yield* holdsNothing(store)
      assert.isFalse(readdirSync(join(root, "../..")).includes("not"), "made before there is something to keep")
      yield* put(store, sessionOf("held"))
      const [folder = ""] = readdirSync(root)
      const files = readdirSync(join(root, folder))
      assert.strictEqual(files.length, 2)
      for (const path of [join(root, ".."), root, join(root, folder)]) assert.strictEqual(modeOf(path), "700")
      for (const file of files) assert.strictEqual(modeOf(join(root, folder, file)), "600")
    })
  )

  it.scopedLive("has a subfolder with a name of 64 digits for each key", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      for (const clientId of ["a", "/../../etc", "x".repeat(5_000), "ü|%7C|\u0000"]) {
        yield* put(yield* openIn(root, yield* freshKey({ clientId })), sessionOf("held"))
      }
      const names = readdirSync(root)
      assert.strictEqual(names.length, 4)
      for (const name of names) assert.match(name, /^[\da-f]{64}$/)
    })
  )

  for (const mode of [0o755, 0o770, 0o701, 0o704, 0o1777]) {
    it.scopedLive(`is rejected with mode ${mode.toString(8)}, and left as it is`, () =>
      Effect.gen(function* () {
        const root = yield* temporaryFolder
        chmodSync(root, mode)
        const message = yield* failureIn(root)
        for (const part of [root, "open to others", "chmod 700"]) assert.include(message, part)
        assert.strictEqual(statSync(root).mode & 0o7777, mode)
        assert.isEmpty(readdirSync(root))
      })
    )
  }

  it.scopedLive("is rejected if it is another user's", () =>
    Effect.gen(function* () {
      const theirs: Files.Files = {
        ...Files.system,
        stat: (path) => Effect.map(Files.system.stat(path), (info) => ({ ...info, uid: info.uid + 1 }))
      }
      assert.include(yield* failureIn(yield* temporaryFolder, theirs), "another user")
    })
  )

  it.scopedLive("is checked again after it was made, because another process may have made it first", () =>
    Effect.gen(function* () {
      const root = join(yield* temporaryFolder, "root")
      const raced: Files.Files = {
        ...Files.system,
        makeDirectory: (path) =>
          Effect.zipRight(
            Effect.sync(() => {
              mkdirSync(path)
              chmodSync(path, 0o777)
            }),
            Files.system.makeDirectory(path)
          )
      }
      const store = yield* openIn(root, yield* freshKey(), raced)
      const { obtain } = yield* makeObtain(sessionOf("never"))
      assert.include((yield* Effect.flip(renew(store, adoptAny, obtain))).message, "open to others")
      assert.isEmpty(readdirSync(root))
    })
  )

  it.scopedLive("may be a link, but not a file", () =>
    Effect.gen(function* () {
      const parent = yield* temporaryFolder
      mkdirSync(join(parent, "real"), { mode: 0o700 })
      symlinkSync(join(parent, "real"), join(parent, "link"))
      yield* put(yield* openIn(join(parent, "link"), yield* freshKey()), sessionOf("held"))
      assert.strictEqual(readdirSync(join(parent, "real")).length, 1)
      writeFileSync(join(parent, "file"), "")
      assert.include(
        yield* failureIn(join(parent, "file")),
        `a file where the folder ${join(parent, "file")} or one above it should be`
      )
      assert.include(yield* failureIn(join(parent, "file", "below")), "ENOTDIR")
    })
  )

  it.scopedLive("is made again if it was removed, with a new session", () =>
    Effect.gen(function* () {
      const root = join(yield* temporaryFolder, "root")
      const key = yield* freshKey()
      const [a, b] = [yield* openIn(root, key), yield* openIn(root, key)]
      const before = yield* put(a, sessionOf("old"))
      rmSync(root, { recursive: true })
      yield* holdsNothing(a)
      const after = yield* put(b, sessionOf("new"))
      assert.isAbove(after.version, before.version)
      yield* holds(a, sessionOf("new"))
    })
  )
})

describe("the directory of TokenStoreFile", () => {
  const byConvention = (
    platform: string,
    environment: Record<string, string> = {},
    home: () => string = () => (platform === "win32" ? "C:\\Users\\ada" : "/home/ada")
  ) => StoreDirectory.byConvention(platform, home).pipe(withEnvironment(environment))

  it.effect("is by default where the platform keeps a user's state", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* byConvention("linux"), "/home/ada/.local/state/nomba-auth")
      assert.strictEqual(yield* byConvention("linux", { XDG_STATE_HOME: "/state" }), "/state/nomba-auth")
      assert.strictEqual(yield* byConvention("linux", { XDG_STATE_HOME: "state" }), "/home/ada/.local/state/nomba-auth")
      assert.strictEqual(yield* byConvention("darwin"), "/home/ada/Library/Application Support/nomba-auth")
      assert.strictEqual(yield* byConvention("win32"), "C:\\Users\\ada\\AppData\\Local\\nomba-auth")
      assert.strictEqual(yield* byConvention("win32", { LOCALAPPDATA: "D:\\state" }), "D:\\state\\nomba-auth")
    })
  )

  const unknown = () => {
    throw new Error("uv_os_homedir returned ENOENT")
  }
  for (const [what, home] of [
    ["the system knows none", unknown],
    ["it is empty", () => ""],
    ["it is relative", () => "home/ada"]
  ] as const) {
    it.effect(`must be given if there is no home directory: ${what}`, () =>
      Effect.gen(function* () {
        for (const platform of ["linux", "darwin", "win32"]) {
          const message = String(yield* Effect.flip(byConvention(platform, {}, home)))
          for (const part of ["NOMBA_TOKEN_STORE", "name a folder"]) assert.include(message, part)
          assert.notInclude(message, "uv_os")
        }
        assert.strictEqual(yield* byConvention("linux", { XDG_STATE_HOME: "/state" }, home), "/state/nomba-auth")
        assert.strictEqual(yield* byConvention("win32", { LOCALAPPDATA: "D:\\state" }, home), "D:\\state\\nomba-auth")
      })
    )
  }

  const heldBy = (store: TokenStoreService, key: StoreKey, name: string) =>
    Effect.flatMap(store.open(key, requestTimeout), (_) => put(_, sessionOf(name)))

  const problemOf = <A>(effect: Effect.Effect<A, ConfigError.ConfigError>) => Effect.map(Effect.flip(effect), String)

  it.scopedLive("is the option, otherwise NOMBA_TOKEN_STORE, otherwise the default", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const key = yield* freshKey()
      const places: ReadonlyArray<readonly [string, TokenStoreFile.Options | undefined, Record<string, string>]> = [
        ["code", { directory: join(root, "code") }, { NOMBA_TOKEN_STORE: "redis://elsewhere" }],
        ["path", undefined, { NOMBA_TOKEN_STORE: ` file:${join(root, "path")}\n` }],
        ["url space", {}, { NOMBA_TOKEN_STORE: `file://${root}/url%20space` }],
        ["xdg/nomba-auth", {}, { XDG_STATE_HOME: join(root, "xdg") }]
      ]
      for (const [folder, options, environment] of places) {
        const name = folder.replace(/\W/g, "-")
        yield* heldBy(yield* TokenStoreFile.makeConfig(options).pipe(withEnvironment(environment)), key, name)
        yield* holds(yield* openIn(join(root, folder), key), sessionOf(name))
      }
      yield* heldBy(yield* TokenStoreFile.make({ directory: join(root, "make") }), key, "make")
      yield* holds(yield* openIn(join(root, "make"), key), sessionOf("make"))
      const xdg = TokenStoreFile.make().pipe(withEnvironment({ XDG_STATE_HOME: join(root, "xdg2") }))
      yield* heldBy(yield* xdg, key, "xdg2")
      yield* holds(yield* openIn(join(root, "xdg2", "nomba-auth"), key), sessionOf("xdg2"))
    })
  )

  it.scopedLive("is an option of the layers", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const key = yield* freshKey()
      const held = Effect.flatMap(TokenStore, (store) => heldBy(store, key, "held"))
      yield* Effect.provide(held, TokenStoreFile.layer({ directory: join(root, "a") }))
      yield* holds(yield* openIn(join(root, "a"), key), sessionOf("held"))
      yield* Effect.provide(held, TokenStoreFile.layerConfig()).pipe(
        withEnvironment({ NOMBA_TOKEN_STORE: `file:${join(root, "b")}` })
      )
      yield* holds(yield* openIn(join(root, "b"), key), sessionOf("held"))
      assert.isTrue(Layer.isLayer(TokenStoreFile.layer()))
    })
  )

  for (const [value, ...parts] of [
    ["memory", "TokenStoreMemory.layer of nomba-auth"],
    [
      "redis://user:s3cr3t@redis.example",
      "TokenStoreRedis",
      "nomba-auth/redis",
      "TokenStoreEnv.layer of nomba-auth/node"
    ],
    ["rediss://redis.example", "TokenStoreRedis", "nomba-auth/redis"],
    ["/var/lib/nomba", "is none of memory, file:PATH and redis://…"],
    ["file:", "is not an absolute path"],
    ["file:tokens", "is not an absolute path"],
    ["file:~/tokens", "is not an absolute path"],
    ["file://elsewhere/tokens", "is not an absolute path"],
    [" ", "is empty"]
  ] as const) {
    it.effect(`is not NOMBA_TOKEN_STORE=${JSON.stringify(value)}, and the error does not quote it`, () =>
      Effect.gen(function* () {
        const message = yield* problemOf(
          TokenStoreFile.makeConfig().pipe(withEnvironment({ NOMBA_TOKEN_STORE: value }))
        )
        for (const part of ["NOMBA_TOKEN_STORE", ...parts]) assert.include(message, part)
        assert.notInclude(message, "s3cr3t")
      })
    )
  }

  it.effect("is an absolute path, otherwise an error", () =>
    Effect.gen(function* () {
      for (const directory of ["tokens", "./tokens", "", " /tokens", "/tok\nens"]) {
        for (const make of [TokenStoreFile.make, TokenStoreFile.makeConfig]) {
          const message = yield* problemOf(make({ directory }).pipe(withEnvironment({})))
          assert.include(message, "directory")
        }
      }
    })
  )

  it.effect("is in one error with the other invalid settings", () =>
    Effect.gen(function* () {
      const environment = withEnvironment({ NOMBA_TOKEN_STORE: "?", NOMBA_TOKEN_STORE_KEYS: "?" })
      const message = yield* problemOf(TokenStoreFile.makeConfig().pipe(environment))
      for (const name of ["NOMBA_TOKEN_STORE", "NOMBA_TOKEN_STORE_KEYS"]) assert.include(message, `at ${name}:`)
    })
  )
})

describe("the sessions of TokenStoreFile", () => {
  const textIn = (root: string): string =>
    namesIn(root)
      .filter((name) => name.endsWith(".json"))
      .map((name) => readFileSync(join(root, readdirSync(root)[0] ?? "", name), "utf8"))
      .join("\n")

  it.scopedLive("are encrypted if a codec or the environment says so, otherwise plaintext", () =>
    Effect.gen(function* () {
      const directory = yield* temporaryFolder
      const codec = SessionCodec.encrypted([keyOf("code")])
      const keys = { NOMBA_TOKEN_STORE_KEYS: `env:${newKey()}` }
      for (const [make, expected] of [
        [TokenStoreFile.make({ directory }).pipe(withEnvironment(keys)), "plain"],
        [TokenStoreFile.make({ directory, codec }), "aes-256-gcm code"],
        [TokenStoreFile.makeConfig({ directory }).pipe(withEnvironment({})), "plain"],
        [TokenStoreFile.makeConfig({ directory }).pipe(withEnvironment(keys)), "aes-256-gcm env"],
        [TokenStoreFile.makeConfig({ directory, codec }).pipe(withEnvironment(keys)), "aes-256-gcm code"]
      ] as const) {
        rmSync(directory, { recursive: true })
        const store = yield* Effect.flatMap(make, (_) =>
          Effect.flatMap(freshKey(), (key) => _.open(key, requestTimeout))
        )
        yield* put(store, sessionOf("held"))
        yield* holds(store, sessionOf("held"))
        const text = textIn(directory)
        assert.include(text, `nomba-auth/1 ${expected} `)
        assert.strictEqual(text.includes("held-refresh"), expected === "plain")
      }
    })
  )

  it.scopedLive("leave nothing of a replaced session behind after the lease was released", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const store = yield* openIn(root, yield* freshKey())
      yield* put(store, sessionOf("former"))
      yield* put(store, sessionOf("latter"))
      assert.notInclude(textIn(root), "former")
      yield* store.logout(() => Effect.void)
      assert.notInclude(textIn(root), "latter")
    })
  )
})

describe("the time of TokenStoreFile", () => {
  it.scopedLive("leaves no lifetime to a session that was written in what is now the future", () =>
    Effect.gen(function* () {
      const hand = makeHandClock(1_000_000)
      const connect = connectIn(yield* temporaryFolder)
      const store = yield* Effect.withClock(
        SessionStore.fromDriver(connect).open(yield* freshKey(), requestTimeout),
        hand.clock
      )
      const { version } = yield* put(store, sessionOf("held"))
      hand.now -= 1
      assert.strictEqual(Duration.toMillis((yield* holds(store, sessionOf("held"))).remaining), 0)
      const next = yield* put(store, sessionOf("next"))
      assert.strictEqual(next.version, version + 1)
      const held = Effect.withClock(holds(store, sessionOf("next")), hand.clock)
      assert.deepStrictEqual((yield* held).remaining, LIFETIME)
    })
  )

  const onHost = (root: string, key: StoreKey, host: string, clock: Clock.Clock) =>
    Effect.withClock(SessionStore.fromDriver(connectIn(root, { host })).open(key, requestTimeout), clock)

  it.scopedLive("is corrected if another host's clock is ahead, with one warning and no further renewal", () =>
    Effect.gen(function* () {
      const warnings: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => void warnings.push(String(message)))
      )
      const root = yield* temporaryFolder
      const key = yield* freshKey()
      const [here, ahead] = [makeHandClock(1_000_000), makeHandClock(1_001_000)]
      const near = yield* onHost(root, key, "near", here.clock)
      const far = yield* onHost(root, key, "far", ahead.clock)
      const leftHere = Effect.withClock(holds(near, sessionOf("held")), here.clock)
      yield* Effect.gen(function* () {
        const slow = yield* makeObtain(sessionOf("held"), { gated: true })
        const renewal = yield* Effect.fork(Effect.withClock(renew(far, adoptAny, slow.obtain), ahead.clock))
        yield* slow.arrived
        assert.isTrue((yield* near.readVersioned).isLeased)
        yield* slow.open
        yield* Fiber.join(renewal)
        assert.deepStrictEqual((yield* leftHere).remaining, LIFETIME)
        here.now += 60_000
        assert.deepStrictEqual((yield* leftHere).remaining, Duration.subtract(LIFETIME, "1 minute"))
        const other = yield* makeObtain(sessionOf("other"))
        yield* renew(near, adoptAny, other.obtain)
        yield* renew(far, adoptAny, other.obtain)
        assert.strictEqual(other.runs(), 0)
      }).pipe(Effect.provide(logger))
      assert.lengthOf(warnings, 1)
      for (const part of ["far", "near", root, "Redis"]) assert.include(warnings[0], part)
    })
  )

  it.scopedLive("shows a held lease after the other host's clock was corrected", () =>
    Effect.gen(function* () {
      const root = yield* temporaryFolder
      const key = yield* freshKey()
      const [here, ahead] = [makeHandClock(1_000_000), makeHandClock(4_600_000)]
      const near = yield* onHost(root, key, "near", here.clock)
      const far = yield* onHost(root, key, "far", ahead.clock)
      const first = yield* makeObtain(sessionOf("first"))
      yield* Effect.withClock(renew(far, adoptAny, first.obtain), ahead.clock)
      assert.isFalse((yield* Effect.withClock(near.readVersioned, here.clock)).isLeased)
      here.now += 60_000
      ahead.now = here.now
      const slow = yield* makeObtain(sessionOf("second"), { gated: true })
      const renewal = yield* Effect.fork(Effect.withClock(renew(far, adoptNone, slow.obtain), ahead.clock))
      yield* slow.arrived
      assert.isTrue((yield* Effect.withClock(near.readVersioned, here.clock)).isLeased)
      yield* slow.open
      yield* Fiber.join(renewal)
    })
  )

  it.scopedLive("goes on during a commit", () =>
    Effect.gen(function* () {
      const hand = makeHandClock(1_000_000)
      const slow: Files.Files = {
        ...Files.system,
        list: (path) =>
          Effect.zipRight(
            Effect.sync(() => {
              hand.now += 1_000
            }),
            Files.system.list(path)
          )
      }
      const connect = connectIn(yield* temporaryFolder, { files: slow })
      const steps = yield* Effect.withClock(connect(yield* freshKey(), Duration.minutes(1)), hand.clock)
      yield* steps.acquire(ownerOf("a"), ifFree)
      const before = hand.now
      yield* steps.commit(ownerOf("a"), 0, writeOf("a", 1, before))
      const [entry, after] = [Option.getOrThrow((yield* steps.read).entry), hand.now]
      assert.strictEqual(Duration.toMillis(entry.remaining), Duration.toMillis(LIFETIME) - (after - before))
      assert.isAbove(after, before)
    })
  )
})
