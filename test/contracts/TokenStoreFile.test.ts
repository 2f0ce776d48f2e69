/** The store in files keeps to the contract, on the real clock and a real disk, with its sessions encrypted. */
import { cpSync, mkdtempSync, rmSync } from "node:fs"
import { join } from "node:path"
import { afterAll, describe, it } from "@effect/vitest"
import { Duration, Effect, Exit, Scope } from "effect"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as StoreDirectory from "../../src/layers/store/file/StoreDirectory.js"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import { faultyTokenStore, tokenStoreContract } from "../../src/testing/TokenStoreContract.js"
import { keyOf } from "../support/encryption.js"
import { connectIn, temporaryFolder } from "../support/fileStore.js"
import { isQuick } from "../support/quick.js"

const scope = Effect.runSync(Scope.make())
afterAll(() => Effect.runPromise(Scope.close(scope, Exit.void)))

const root = Effect.runSync(Scope.extend(temporaryFolder, scope))
const codec = await Effect.runPromise(SessionCodec.encrypted([keyOf("2026-11")]))
const connect = connectIn(root, { codec })

const cases = tokenStoreContract({
  store: Effect.sync(() => SessionStore.fromDriver(connect)),
  faulty: faultyTokenStore(connect),
  snapshot: (key) =>
    Effect.sync(() => {
      const folder = join(root, StoreDirectory.nameOf(key))
      const copy = mkdtempSync(join(root, "snapshot-"))
      cpSync(folder, copy, { recursive: true })
      return Effect.sync(() => {
        rmSync(folder, { recursive: true })
        cpSync(copy, folder, { recursive: true })
      })
    }),
  pass: Effect.sleep
})

// A lease lasts 3 s of real time. One after the other, these cases need far less of it, also on a busy machine.
describe.sequential("TokenStoreFile keeps the contract:", () => {
  for (const { effect, name, passes } of cases) {
    if (Duration.equals(passes, Duration.zero)) it.scopedLive(name, () => effect)
  }
})

describe("TokenStoreFile keeps the contract while time passes:", () => {
  for (const { effect, name, passes } of cases) {
    if (Duration.equals(passes, Duration.zero) || (isQuick && Duration.greaterThan(passes, "30 seconds"))) continue
    it.scopedLive(name, () => effect)
  }
})
