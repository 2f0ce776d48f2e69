/** The token store and what it holds. */
import { chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { it as effectIt } from "@effect/vitest"
import { type ConfigError, DateTime, Duration, Effect, Option, Redacted } from "effect"
import { assert, describe, it } from "vitest"
import type { Finding } from "../../../src/cli/doctor/Finding.js"
import { lastWriter, rights, session } from "../../../src/cli/doctor/store.js"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as envelope from "../../../src/layers/store/file/envelope.js"
import * as StoreDirectory from "../../../src/layers/store/file/StoreDirectory.js"
import * as LeasedEntry from "../../../src/layers/store/LeasedEntry.js"
import * as TokenStoreFile from "../../../src/layers/TokenStoreFile.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import { Session } from "../../../src/schemas/Session.js"
import * as StoreKey from "../../../src/schemas/StoreKey.js"
import type { StoreState } from "../../../src/services/TokenStore.js"
import { describeRedis } from "../../support/describeRedis.js"
import { closedPort } from "../../support/server.js"
import { isLine, type Line, setUp, type Variables } from "./examine.js"

const { examine, examineProcess, folder, newPath, withSandbox } = setUp()

const confirmed = ["--login", "--yes"]

const keyOf = (byte: number): string => Buffer.alloc(32, byte).toString("base64")

describe("files", () => {
  const judged = (folder: string): Promise<Finding> =>
    Effect.runPromise(
      Effect.flatMap(TokenStoreFile.make({ directory: folder }), (service) =>
        rights({ kind: "file", name: `file:${folder} (by a test)`, folder, service })
      )
    )

  it("in a folder that is ready", async () => {
    const path = newPath()
    mkdirSync(path, { mode: 0o700 })
    assert.deepStrictEqual(await judged(path), { level: "ok", says: `file:${path} (by a test)` })
    assert.deepStrictEqual(readdirSync(path), [], "nothing is left in the folder")
  })

  it("in a folder that is not there yet", async () => {
    const path = newPath()
    assert.deepStrictEqual(await judged(path), {
      level: "ok",
      says: `file:${path} (by a test); the folder is not there yet, and is made when it is needed`
    })
    assert.isFalse(existsSync(path))
  })

  it.skipIf(process.platform !== "linux")("in a folder that the file system does not make", async () => {
    const finding = await judged("/proc/nomba-auth/store")
    assert.deepInclude(finding, { level: "problem", exitCode: 5 })
    assert.match(
      finding.says,
      /^file:\/proc\/nomba-auth\/store \(by a test\) is not there and cannot be made in \/proc: E/
    )
  })

  it("in a folder that is open to others", async () => {
    const path = newPath()
    mkdirSync(path)
    chmodSync(path, 0o755)
    assert.deepStrictEqual(await judged(path), {
      level: "problem",
      says: `Cannot connect to file store at ${path}: EACCES.`,
      change: `The folder ${path} is open to others (755): chmod 700 it, or name one in it that does not exist yet.`,
      exitCode: 5
    })
  })

  it("at the place of a file", () =>
    withSandbox(async (_, settings) => {
      const path = newPath()
      writeFileSync(path, "")
      const { code, line, wrong } = await examine({ ...settings, NOMBA_TOKEN_STORE: `file:${path}` })
      assert.deepStrictEqual([code, wrong], [5, ["token store"]])
      isLine(line("token store"), "problem", /: ENOTDIR\.$/, new RegExp(`^There is a file where the folder ${path}`))
      isLine(line("session"), "skipped", "see token store")
    }))

  const rows: ReadonlyArray<readonly [string, number, Variables, Line["level"], string | RegExp, string | RegExp]> = [
    [
      "with a relative path",
      2,
      { NOMBA_TOKEN_STORE: "file:relative" },
      "problem",
      "NOMBA_TOKEN_STORE is not an absolute path",
      "correct it"
    ],
    ["of an unknown kind", 2, { NOMBA_TOKEN_STORE: "files:/var/lib" }, "problem", /is none of memory, file:PATH/, /./],
    [
      "under a key of the wrong length",
      2,
      { NOMBA_TOKEN_STORE_KEYS: `a:${Buffer.alloc(16, 1).toString("base64")}` },
      "problem",
      'NOMBA_TOKEN_STORE_KEYS the key "a" has 16 bytes and not 32',
      "make one with openssl rand -base64 32"
    ],
    [
      "that are no files: memory, where every process has a session of its own",
      0,
      { NOMBA_TOKEN_STORE: "memory" },
      "warning",
      "memory (NOMBA_TOKEN_STORE): every process has a session of its own, which ends that of the others",
      "set NOMBA_TOKEN_STORE to file:PATH or redis://…"
    ]
  ]

  it.each(rows)("%s", (_, exitCode, variables, level, says, change) =>
    withSandbox(async (_, settings) => {
      // The store in memory warns on stderr.
      const made = variables["NOMBA_TOKEN_STORE"] === "memory" ? examineProcess : examine
      const { code, line } = await made({ ...settings, ...variables })
      assert.strictEqual(code, exitCode)
      isLine(line("token store"), level, says, change)
    })
  )

  it.each([
    [`a:${keyOf(2)}`, /another key by the id "a": give each key an id of its own\.$/],
    [`b:${keyOf(2)}`, /^It is encrypted with the key "a", and this program has "b"\.$/]
  ])("under another key", (keys, change) =>
    withSandbox(async (_, settings) => {
      await examine({ ...settings, NOMBA_TOKEN_STORE_KEYS: `a:${keyOf(1)}` }, confirmed)
      const { code, line, wrong } = await examine({ ...settings, NOMBA_TOKEN_STORE_KEYS: keys })
      assert.deepStrictEqual([code, wrong], [5, ["session"]])
      isLine(line("token store"), "ok", /^file:/)
      isLine(line("session"), "problem", /has a format or key that this program does not have\.$/, change)
    })
  )

  const isRoot = process.getuid?.() === 0
  const NOBODY = 65_534

  it.skipIf(!isRoot)("that the user may not write", () =>
    withSandbox(async (_, settings) => {
      const path = newPath()
      const missing = { ...settings, NOMBA_TOKEN_STORE: `file:${path}` }
      const { code, line } = await examineProcess(missing, [], { uid: NOBODY })
      assert.strictEqual(code, 5)
      isLine(
        line("token store"),
        "problem",
        `file:${path} (NOMBA_TOKEN_STORE) is not there and cannot be made in ${folder()}: EACCES`,
        `make ${path} for this user with mode 700, or name another folder in NOMBA_TOKEN_STORE`
      )
      mkdirSync(path, { mode: 0o755 })
      const { line: another } = await examineProcess(missing, [], { uid: NOBODY })
      isLine(another("token store"), "problem", /EACCES\.$/, /belongs to another user: name one of your own\.$/)
    })
  )

  it.skipIf(!isRoot)("of a user whose home cannot be written", () =>
    withSandbox(async (_, settings) => {
      const temporary = newPath()
      mkdirSync(temporary)
      chmodSync(temporary, 0o1777)
      const { NOMBA_TOKEN_STORE: _store, ...others } = settings
      const { code, line } = await examineProcess({ ...others, TMPDIR: temporary }, [], { uid: NOBODY })
      assert.strictEqual(code, 0)
      isLine(
        line("token store"),
        "warning",
        /^file:.*nomba-auth-65534 \(by default\)/,
        /^set NOMBA_TOKEN_STORE=file:PATH/
      )
    })
  )
})

describeRedis("Redis", (server) => {
  const withRedis = (
    url: (server: { readonly port: number; readonly url: string }) => string,
    use: (found: Awaited<ReturnType<typeof examine>>, port: number) => void,
    args: ReadonlyArray<string> = []
  ) =>
    Effect.flatMap(server, ({ port, url: itsUrl }) =>
      Effect.promise(() =>
        withSandbox(async (_, settings) =>
          use(await examine({ ...settings, NOMBA_TOKEN_STORE: url({ port, url: itsUrl }) }, args), port)
        )
      )
    )

  const judged = (url: string): Effect.Effect<Finding, ConfigError.ConfigError> =>
    Effect.scoped(
      Effect.flatMap(TokenStoreRedis.make({ url: Redacted.make(url), codec: SessionCodec.plain }), (service) =>
        rights({ kind: "redis", name: "redis (by a test)", service })
      )
    )

  effectIt.live("that is ready, and is left as it was", () =>
    Effect.gen(function* () {
      const redis = yield* server
      assert.deepStrictEqual(yield* judged(`${redis.url}/7`), { level: "ok", says: "redis (by a test)" })
      assert.notInclude(String(yield* redis.call("INFO", "keyspace")), "db7:")
    })
  )

  effectIt.live("that is down", () =>
    Effect.gen(function* () {
      const closed = yield* closedPort
      assert.deepStrictEqual(yield* judged(`redis://:sesame@127.0.0.1:${closed}`), {
        level: "problem",
        says: `Cannot connect to Redis at 127.0.0.1:${closed}: ECONNREFUSED.`,
        change: "check that the token store is up and that NOMBA_TOKEN_STORE names it",
        exitCode: 5
      })
    })
  )

  effectIt.live("that takes the new token", () =>
    withRedis(
      ({ url }) => `${url}/6`,
      ({ code, line }) => {
        assert.strictEqual(code, 0)
        isLine(line("token store"), "ok", /^redis:\/\/127\.0\.0\.1:\d+\/6 \(NOMBA_TOKEN_STORE\)$/)
        isLine(line("login"), "ok", /the new token is stored/)
      },
      confirmed
    )
  )

  effectIt.live("that refuses the password", () =>
    Effect.gen(function* () {
      yield* (yield* server).setUser("guarded", "reset", "on", ">another", "~*", "&*", "+@all")
      yield* withRedis(
        ({ port }) => `redis://guarded:sesame@127.0.0.1:${port}`,
        ({ code, line }, port) => {
          assert.strictEqual(code, 5)
          isLine(
            line("token store"),
            "problem",
            `Redis at 127.0.0.1:${port} refused a command: WRONGPASS.`,
            "Redis refuses the user name or the password."
          )
        }
      )
    })
  )

  effectIt.live("whose user may read and not write", () =>
    Effect.gen(function* () {
      const redis = yield* server
      yield* redis.setUser(
        "reader",
        "reset",
        "on",
        ">sesame",
        "~*",
        "&*",
        "+@read",
        "+eval",
        "+hello",
        "+info",
        "+time",
        "+subscribe",
        "+unsubscribe"
      )
      yield* withRedis(
        ({ port }) => `redis://reader:sesame@127.0.0.1:${port}`,
        ({ code, line }, port) => {
          assert.strictEqual(code, 5)
          isLine(
            line("token store"),
            "problem",
            `Redis at 127.0.0.1:${port} refused a command: NOPERM.`,
            "The Redis user lacks a right that the store needs."
          )
        }
      )
    })
  )
})

describe("the session in the store", () => {
  const now = DateTime.unsafeMake("2026-11-27T10:00:00Z")
  const nothing: StoreState = {
    version: 0,
    stored: Option.none(),
    isLeased: false,
    failure: Option.none(),
    wentBack: false
  }
  const stored = (remaining: Duration.DurationInput, refreshInFlight = false): Partial<StoreState> => ({
    version: 5,
    stored: Option.some({
      session: new Session({
        accessToken: Redacted.make("access"),
        refreshToken: Option.none(),
        lifetime: Duration.minutes(30),
        issuedAt: DateTime.subtract(now, { minutes: 12 }),
        clock: "server",
        tokenType: "Bearer",
        businessId: Option.none()
      }),
      version: 5,
      remaining: Duration.decode(remaining),
      refreshInFlight,
      saved: true
    })
  })
  const failure = (reason: "RateLimited" | "ServerError"): Partial<StoreState> => ({
    failure: Option.some({ reason, status: Option.none(), wait: Duration.seconds(20), count: 2 })
  })
  const ok = (says: string): Finding => ({ level: "ok", says })
  const waits = "Nomba's rate limit is reached, as another process found: token requests wait for 20s"

  it.each<readonly [string, Partial<StoreState>, Finding]>([
    ["none yet", {}, ok("none yet; the next call requests a token")],
    ["logged out", { version: 7 }, ok("none: it was logged out; the next call requests a token")],
    ["live", stored("18 minutes"), ok("valid for 18m, issued 12m ago")],
    ["expired", stored(0), ok("expired; the next call renews it")],
    [
      "being renewed",
      { ...stored(0), isLeased: true },
      ok("expired; the next call renews it; another program is renewing it now")
    ],
    [
      "left in the middle of a refresh",
      stored("18 minutes", true),
      {
        level: "warning",
        says: "valid for 18m, issued 12m ago; a process ended while it refreshed the session, so its refresh token may be spent",
        change: "nothing: the next renewal requests a new token"
      }
    ],
    [
      "held back by a rate limit",
      failure("RateLimited"),
      { level: "problem", says: waits, change: "wait", exitCode: 5 }
    ],
    [
      "held back by a server error, and expired",
      { ...stored(0), ...failure("ServerError") },
      {
        level: "problem",
        says: "Nomba failed, as another process found: token requests wait for 20s",
        change: "wait",
        exitCode: 5
      }
    ],
    [
      "live, while renewals are held back",
      { ...stored("18 minutes"), ...failure("RateLimited") },
      {
        level: "warning",
        says: `valid for 18m, issued 12m ago; ${waits}`,
        change: "wait: the token is good until then"
      }
    ]
  ])("%s", (_, state, expected) => {
    assert.deepStrictEqual(session({ ...nothing, ...state }, now), expected)
  })

  it("is described with the program that stored it, or that is renewing it", () => {
    const writer = "a program on the host web-1"
    assert.deepStrictEqual(
      session({ ...nothing, ...stored("18 minutes") }, now, writer),
      ok("valid for 18m, issued 12m ago, stored by a program on the host web-1")
    )
    assert.deepStrictEqual(
      session({ ...nothing, ...stored("18 minutes"), isLeased: true }, now, writer),
      ok("valid for 18m, issued 12m ago; a program on the host web-1 is renewing it now")
    )
  })
})

describe("the program that used the store last", () => {
  const key = StoreKey.make({
    baseUrl: "https://api.nomba.com",
    clientId: "shop",
    grant: "client_credentials",
    subject: ""
  })
  const writerIn = (text: string | undefined) => {
    const directory = newPath()
    if (text !== undefined) {
      mkdirSync(join(directory, StoreDirectory.nameOf(key)), { recursive: true, mode: 0o700 })
      writeFileSync(join(directory, StoreDirectory.nameOf(key), "0000000007.json"), text)
    }
    return Effect.runPromise(
      Effect.flatMap(TokenStoreFile.make({ directory }), (service) =>
        lastWriter({ kind: "file", name: "file", folder: directory, service }, key)
      )
    )
  }

  it("is known by its host", async () => {
    assert.strictEqual(await writerIn(envelope.write(key, "web-1", LeasedEntry.empty)), "a program on the host web-1")
    const own = envelope.write(key, hostname(), LeasedEntry.empty)
    assert.strictEqual(await writerIn(own), "a program on this machine")
  })

  it("is not known without an entry that can be read", async () => {
    assert.isUndefined(await writerIn(undefined))
    assert.isUndefined(await writerIn("{"))
  })
})
