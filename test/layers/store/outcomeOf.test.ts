import { assert, describe, it } from "@effect/vitest"
import { Duration, Option } from "effect"
import { outcomeOf } from "../../../src/layers/store/SessionStore.js"
import type { Entry } from "../../../src/layers/store/StoreDriver.js"
import type { Session } from "../../../src/schemas/Session.js"
import { sessionOf, unsaved } from "../../../src/testing/tokenStore/harness.js"

const entry = (version: number, session: Session | undefined, tombstone = false): Option.Option<Entry> =>
  Option.some({
    version,
    session: Option.fromNullable(session),
    tombstone,
    refreshInFlight: Option.none(),
    remaining: Duration.minutes(30)
  })

const ours = sessionOf("ours", 5)
const verdict = (found: Option.Option<Entry>, session = ours) => outcomeOf(unsaved(session, 10), found)

describe("outcomeOf an unsaved session that was requested over version 10", () => {
  const earlier = sessionOf("theirs", 4)
  const later = sessionOf("theirs", 6)

  it("is Current in an empty store", () => assert.strictEqual(verdict(Option.none()), "Current"))

  it("is Current at that version, whatever is stored", () => {
    assert.strictEqual(verdict(entry(10, later)), "Current")
    assert.strictEqual(verdict(entry(10, undefined, true)), "Current")
    assert.strictEqual(verdict(entry(10, later, true)), "Current")
  })

  it("is LoggedOut under a newer tombstone, whatever it keeps", () => {
    assert.strictEqual(verdict(entry(11, undefined, true)), "LoggedOut")
    assert.strictEqual(verdict(entry(11, earlier, true)), "LoggedOut")
  })

  it("is Current over an older tombstone, because the store went back", () => {
    assert.strictEqual(verdict(entry(9, undefined, true)), "Current")
    assert.strictEqual(verdict(entry(9, later, true)), "Current")
  })

  it("is Replaced by another session, unless Nomba's clock says that ours is strictly later", () => {
    assert.strictEqual(verdict(entry(11, earlier)), "Current")
    assert.strictEqual(verdict(entry(11, later)), "Replaced")
    assert.strictEqual(verdict(entry(11, sessionOf("theirs", 5))), "Replaced")
    assert.strictEqual(verdict(entry(9, later)), "Replaced")
    assert.strictEqual(verdict(entry(9, earlier)), "Current")
  })

  it("is Replaced if either session was timed by a local clock", () => {
    assert.strictEqual(verdict(entry(11, sessionOf("theirs", 4, "local"))), "Replaced")
    assert.strictEqual(verdict(entry(11, earlier), sessionOf("ours", 5, "local")), "Replaced")
  })

  it("is Replaced by itself, once it is stored", () => assert.strictEqual(verdict(entry(11, ours)), "Replaced"))
})
