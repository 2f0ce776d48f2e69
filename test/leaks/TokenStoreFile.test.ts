import { readdirSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { Duration, Effect } from "effect"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as Files from "../../src/layers/store/file/Files.js"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import * as TokenStoreFile from "../../src/layers/TokenStoreFile.js"
import {
  adoptAny,
  freshKey,
  makeObtain,
  put,
  readStored,
  renew,
  sessionOf,
  unsaved
} from "../../src/testing/tokenStore/harness.js"
import { keyOf, newKey } from "../support/encryption.js"
import { withEnvironment } from "../support/environment.js"
import { connectIn, edit, temporaryFolder } from "../support/fileStore.js"
import { leaks, printed } from "../support/leaks.js"

const token = "eyJhbGciOiJIUzI1NiJ9.e30.held_access-token"
const [key, otherKey] = [newKey(), newKey()]
const password = "s3cr3t-of-the-redis-url"
const secrets = [token, `${token}-refresh`, key, otherKey, password]

const isSilent = <A, E>(what: string, effect: Effect.Effect<A, E>) =>
  Effect.map(printed(effect), (texts) =>
    assert.deepStrictEqual(
      leaks(texts, secrets).map(([how, text]) => `${how}: ${text.slice(0, 300)}`),
      [],
      what
    )
  )

/** Where the system's own errors come from: a path that is no folder, a name that is too long. */
const failing: ReadonlyArray<Partial<Files.Files>> = [
  { write: (path, text) => Files.system.write(join(path, "below"), text) },
  { read: (path) => Files.system.read(join(path, "below")) },
  { list: (path) => Files.system.list(join(path, "x".repeat(300))) }
]

describe("nothing of a session in files can be read", () => {
  const codecs = Effect.all([
    Effect.succeed(SessionCodec.plain),
    SessionCodec.encrypted([keyOf("a", key)]),
    SessionCodec.encrypted([keyOf("a", otherKey)])
  ])

  it.scopedLive("in the store, and in the results and failures of its steps", () =>
    Effect.gen(function* () {
      const [plain, mine, theirs] = yield* codecs
      for (const codec of [plain, mine]) {
        const root = yield* temporaryFolder
        const storeKey = yield* freshKey()
        const open = (options: Parameters<typeof connectIn>[1]) =>
          SessionStore.fromDriver(connectIn(root, options)).open(storeKey, Duration.millis(100))
        const store = yield* open({ codec })
        yield* isSilent("put", put(store, sessionOf(token)))
        yield* isSilent("the store", Effect.succeed(store))
        yield* isSilent("read", readStored(store))
        yield* isSilent("save", store.save(unsaved(sessionOf(token), 0)))
        const { obtain } = yield* makeObtain(sessionOf(token))
        for (const touches of failing) {
          const broken = yield* open({ codec, files: { ...Files.system, ...touches } })
          yield* Effect.flip(renew(broken, () => false, obtain))
          yield* isSilent(
            Object.keys(touches).join(),
            renew(broken, () => false, obtain)
          )
        }
        const foreign = yield* open({ codec: codec === mine ? theirs : mine })
        yield* Effect.flip(readStored(foreign))
        yield* isSilent("another codec", renew(foreign, adoptAny, obtain))
      }
    })
  )

  it.scopedLive("in the warning about an unreadable file", () =>
    Effect.gen(function* () {
      const [plain] = yield* codecs
      for (const damage of [(text: string) => text.slice(0, -2), (text: string) => text.replace("lifetime", token)]) {
        const root = yield* temporaryFolder
        /** Opened within, so that what is told in the background is heard too. */
        const found = Effect.gen(function* () {
          const connect = connectIn(root, { codec: plain })
          const store = yield* SessionStore.fromDriver(connect).open(yield* freshKey(), Duration.millis(100))
          yield* put(store, sessionOf(token))
          edit(root, damage)
          return yield* readStored(store)
        })
        yield* isSilent("the warning", Effect.scoped(found))
        assert.isTrue(readdirSync(join(root, readdirSync(root)[0] ?? "")).some((_) => _.endsWith(".unreadable")))
      }
    })
  )

  it.scopedLive("in the errors about its configuration", () =>
    Effect.gen(function* () {
      const environment = {
        NOMBA_TOKEN_STORE: `redis://nomba:${password}@redis.example`,
        NOMBA_TOKEN_STORE_KEYS: `${key},a:${otherKey}`
      }
      const make = TokenStoreFile.makeConfig().pipe(withEnvironment(environment))
      yield* Effect.flip(make)
      yield* isSilent("the configuration", make)
      yield* isSilent("options", TokenStoreFile.make({ directory: `${password} `, codec: SessionCodec.encrypted([]) }))
    })
  )
})
