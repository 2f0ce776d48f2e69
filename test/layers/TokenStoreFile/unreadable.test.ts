import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Duration, Effect, Exit, HashMap, Logger, Option, Scope } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as SessionStore from "../../../src/layers/store/SessionStore.js"
import { MAX_FAILURE_WAIT, MAX_LEASE_TIME, MAX_VERSION } from "../../../src/layers/store/StoreDriver.js"
import { Unavailable } from "../../../src/schemas/AuthError.js"
import {
  adoptAny,
  adoptNone,
  freshKey,
  holds,
  holdsNothing,
  makeObtain,
  put,
  readStored,
  renew,
  sessionOf,
  unsaved
} from "../../../src/testing/tokenStore/harness.js"
import { keyOf } from "../../support/encryption.js"
import { connectIn, edit, namesIn, temporaryFolder } from "../../support/fileStore.js"
import { makeHandClock } from "../../support/storeClock.js"
import { ifFree, nothingLeft, ownerOf } from "../../support/storeFaults.js"

const requestTimeout = Duration.millis(100)

const asideIn = (root: string): ReadonlyArray<string> => namesIn(root).filter((name) => name.endsWith(".unreadable"))

interface Warnings {
  readonly all: ReadonlyArray<string>
  /** Done when there is one: the second process finds the file set aside a moment before the first one logs it. */
  readonly first: Effect.Effect<string>
}

/** Runs a test whose every fiber, those in the background included, has its warnings kept. */
const withWarnings = <A, E, R>(test: (warnings: Warnings) => Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const first = yield* Deferred.make<string>()
    const all: Array<string> = []
    const logger = Logger.make(({ annotations, logLevel, message }) => {
      if (logLevel.label !== "WARN") return
      const text = [message, ...HashMap.values(annotations)].join(" ")
      all.push(text)
      Deferred.unsafeDone(first, Effect.succeed(text))
    })
    return yield* Effect.provide(
      test({ all, first: Deferred.await(first) }),
      Logger.replace(Logger.defaultLogger, logger)
    )
  })

const encrypted = SessionCodec.encrypted([keyOf("k-1")])

const setup = (codec: SessionCodec.SessionCodec = SessionCodec.plain) =>
  Effect.gen(function* () {
    const root = yield* temporaryFolder
    const key = yield* freshKey()
    const open = SessionStore.fromDriver(connectIn(root, { codec })).open(key, requestTimeout)
    const store = yield* open
    yield* put(store, sessionOf("held"))
    return { key, open, root, store }
  })

const withVersion = (text: string, version: number): string => text.replace(/"version":\d+/, `"version":${version}`)

const damages: ReadonlyArray<readonly [string, (text: string) => string]> = [
  ["cut off", (text) => text.slice(0, -1)],
  ["empty", () => ""],
  ["other JSON", () => `{"held":"held"}`],
  ["of zeroes", (text) => "\u0000".repeat(text.length)],
  ["another key's", (text) => text.replace("contract.example", "elsewhere.example")],
  ["a session of another shape", (text) => text.replace("accessToken", "token")],
  ["no text of a codec", (text) => text.replace("nomba-auth/1", "session")],
  ...[Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER - 1, MAX_VERSION].map(
    (version) => [`version ${version}`, (text: string) => withVersion(text, version)] as const
  ),
  ["the text of another version", (text) => text.replace(/(?<="version":)\d+/, (version) => `${Number(version) + 1}`)],
  ["of a format that was never published", (text) => text.replace("nomba-auth/file/1", "nomba-auth-file-1")]
]

/** Only encryption authenticates the version. */
const isEncrypted = (what: string): boolean => what === "the text of another version"

describe("a file whose times are damaged", () => {
  const setupTimes = Effect.gen(function* () {
    const root = yield* temporaryFolder
    const hand = makeHandClock(1_000_000)
    const driver = yield* Effect.withClock(connectIn(root)(yield* freshKey(), MAX_LEASE_TIME), hand.clock)
    yield* driver.acquire(ownerOf("holder"), ifFree)
    const farFuture = () => edit(root, (text) => text.replace(/"until":\d+/g, '"until":8640000000000000'))
    return { driver, farFuture, hand }
  })

  it.scopedLive("keeps the lease no longer than a lease lasts", () =>
    Effect.gen(function* () {
      const { driver, farFuture, hand } = yield* setupTimes
      farFuture()
      hand.now += Duration.toMillis(MAX_LEASE_TIME) - 1
      assert.isTrue((yield* driver.read).isLeased)
      hand.now += 1
      assert.isFalse((yield* driver.read).isLeased)
      assert.isTrue((yield* driver.acquire(ownerOf("another"), ifFree)).held)
    })
  )

  it.scopedLive("keeps a shared failure no longer than a stated wait is believed", () =>
    Effect.gen(function* () {
      const { driver, farFuture, hand } = yield* setupTimes
      const failure = { reason: "RateLimited", status: Option.none(), wait: Duration.seconds(1), count: 1 } as const
      yield* driver.release(ownerOf("holder"), { ...nothingLeft, failure: Option.some(failure) })
      farFuture()
      hand.now += 1_000
      const left = Option.map((yield* driver.read).failure, ({ wait }) => Duration.toMillis(wait))
      assert.deepStrictEqual(left, Option.some(Duration.toMillis(MAX_FAILURE_WAIT) - 1_000))
    })
  )
})

describe("a file that cannot be read", () => {
  for (const [what, damage] of damages) {
    it.scopedLive(`(${what}) is set aside with one warning, and every store continues`, () =>
      withWarnings((warnings) =>
        Effect.gen(function* () {
          const { open, root, store } = yield* setup(isEncrypted(what) ? yield* encrypted : SessionCodec.plain)
          const stores = [store, ...(yield* Effect.all([open, open, open]))]
          const damaged = edit(root, damage)
          yield* Effect.forEach(stores, (_) => holdsNothing(_), { concurrency: "unbounded" })
          const warning = yield* warnings.first
          const [name = "", ...others] = asideIn(root)
          assert.isEmpty(others)
          assert.include(warning, name)
          assert.notInclude(warning, "held")
          assert.strictEqual(readFileSync(join(root, readdirSync(root)[0] ?? "", name), "utf8"), damaged)
          yield* put(store, sessionOf("next"))
          for (const _ of stores) yield* holds(_, sessionOf("next"))
          assert.strictEqual(asideIn(root).length, 1)
          assert.strictEqual(warnings.all.length, 1, warnings.all.join("\n"))
        })
      )
    )
  }

  it.scopedLive("is set aside under the lease too, and the renewal sees no session", () =>
    withWarnings(() =>
      Effect.gen(function* () {
        for (const [what, damage] of damages) {
          const { root, store } = yield* setup(isEncrypted(what) ? yield* encrypted : SessionCodec.plain)
          edit(root, damage)
          const { current, obtain, runs } = yield* makeObtain(sessionOf("next"))
          const stored = yield* renew(store, adoptNone, obtain)
          assert.isTrue(stored.saved)
          assert.strictEqual(runs(), 1)
          assert.isTrue(Option.isNone(current()))
        }
      })
    )
  )

  it.scopedLive("leaves the lease to its holder if only the session is damaged", () =>
    withWarnings(() =>
      Effect.gen(function* () {
        const { key, root } = yield* setup()
        const [a, b] = yield* Effect.all([
          connectIn(root)(key, Duration.minutes(1)),
          connectIn(root)(key, Duration.minutes(1))
        ])
        assert.isTrue((yield* a.acquire(ownerOf("a"), ifFree)).held)
        edit(root, (text) => text.replace("accessToken", "token"))
        assert.isTrue(Option.isNone((yield* b.read).entry))
        assert.isFalse((yield* b.acquire(ownerOf("b"), ifFree)).held)
        assert.isTrue(yield* a.extend(ownerOf("a")))
      })
    )
  )
})

describe("a file of the last version that counts", () => {
  it.scopedLive("is read, and versions are counted from the time again after it, in every process", () =>
    withWarnings((warnings) =>
      Effect.gen(function* () {
        const { open, root, store } = yield* setup()
        edit(root, (text) => withVersion(text, MAX_VERSION - 1))
        const other = yield* open
        for (const _ of [store, other])
          assert.strictEqual((yield* holds(_, sessionOf("held"))).version, MAX_VERSION - 1)
        // No version is left for the session after it.
        yield* put(store, sessionOf("lost"))
        for (const _ of [store, other]) yield* holdsNothing(_)
        assert.lengthOf(warnings.all, 1)
        for (const [writer, name] of [
          [store, "next"],
          [other, "last"]
        ] as const) {
          yield* put(writer, sessionOf(name))
          for (const _ of [store, other, yield* open]) {
            const { version } = yield* holds(_, sessionOf(name))
            assert.isBelow(version, MAX_VERSION - 1_000)
          }
        }
        assert.isFalse((yield* store.readVersioned).wentBack)
        assert.lengthOf(warnings.all, 1)
      })
    )
  )
})

describe("a shared failure that a later version of this package wrote", () => {
  for (const [what, failure] of [
    ["an unknown reason", { reason: "Maintenance", status: 503, count: 3, since: 0, until: 9e15 }],
    ["no count", { reason: "ServerError", since: 0, until: 9e15 }],
    ["a status that is a text", { reason: "ServerError", status: "503", count: 3, since: 0, until: 9e15 }],
    ["another shape", ["Maintenance"]],
    ["nothing", null]
  ] as const) {
    it.scopedLive(`is ignored, and the session beside it is served and renewed (${what})`, () =>
      withWarnings((warnings) =>
        Effect.gen(function* () {
          const { open, root, store } = yield* setup()
          edit(root, (text) => JSON.stringify({ ...JSON.parse(text), failure }))
          const other = yield* open
          for (const _ of [store, other]) yield* holds(_, sessionOf("held"))
          assert.isTrue(Option.isNone((yield* other.readVersioned).failure))
          const { obtain, runs } = yield* makeObtain(sessionOf("next"))
          assert.isTrue((yield* renew(other, adoptNone, obtain)).saved)
          assert.strictEqual(runs(), 1)
          for (const _ of [store, other]) yield* holds(_, sessionOf("next"))
          assert.isEmpty(asideIn(root))
          assert.isEmpty(warnings.all)
        })
      )
    )
  }
})

/** Another program can read it: it is not damage. */
interface Foreign {
  readonly what: string
  readonly writer: SessionCodec.SessionCodec
  readonly reader: SessionCodec.SessionCodec
  readonly change?: (text: string) => string
  readonly said: string
}

describe("a file that is another program's", () => {
  const foreign = Effect.gen(function* () {
    const { plain } = SessionCodec
    const mine = yield* SessionCodec.encrypted([keyOf("k-1")])
    const theirs = yield* SessionCodec.encrypted([keyOf("k-1")])
    const others = yield* SessionCodec.encrypted([keyOf("k-2")])
    const all: ReadonlyArray<Foreign> = [
      { what: "another key by the same id", writer: theirs, reader: mine, said: `"k-1"` },
      { what: "a key that is not there", writer: others, reader: mine, said: `"k-2"` },
      { what: "encrypted, and there are no keys", writer: mine, reader: plain, said: `"k-1"` },
      { what: "plaintext, and encryption is required", writer: plain, reader: mine, said: "not encrypted" },
      ...["nomba-auth/file", "nomba-auth"].map((format) => ({
        what: `another version of ${format}`,
        writer: plain,
        reader: plain,
        change: (text: string) => text.replace(`${format}/1`, `${format}/2`),
        said: "later version"
      }))
    ]
    return all
  })

  it.scopedLive("is left as it is, and no token request is sent", () =>
    withWarnings((warnings) =>
      Effect.gen(function* () {
        for (const { change = (text: string) => text, reader, said, what, writer } of yield* foreign) {
          const { key, root } = yield* setup(writer)
          const text = edit(root, change)
          const scope = yield* Scope.make()
          const store = yield* Scope.extend(
            SessionStore.fromDriver(connectIn(root, { codec: reader })).open(key, requestTimeout),
            scope
          )
          const { obtain, runs } = yield* makeObtain(sessionOf("never"))
          const revocations: Array<string> = []
          yield* Effect.forEach(
            [
              Effect.asVoid(readStored(store)),
              Effect.asVoid(renew(store, adoptAny, obtain)),
              Effect.asVoid(store.save(unsaved(sessionOf("never"), 0))),
              store.logout(() => Effect.sync(() => void revocations.push(what)))
            ],
            (step) =>
              Effect.map(Effect.flip(step), (error) => {
                assert.instanceOf(error, Unavailable)
                assert.strictEqual(error.reason, "StoreCodec", what)
                assert.include(error.message, said, what)
              })
          )
          assert.deepStrictEqual([runs(), revocations.length, warnings.all.length], [0, 0, 0], what)
          assert.isEmpty(asideIn(root), what)
          assert.strictEqual(
            edit(root, (_) => _),
            text,
            what
          )
          yield* Scope.close(scope, Exit.void)
        }
      })
    )
  )
})
