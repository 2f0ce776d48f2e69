import { assert, describe, it } from "@effect/vitest"
import { Duration, Option } from "effect"
import { overtaken } from "../../../src/layers/store/overtaken.js"
import type { Entry } from "../../../src/layers/store/StoreDriver.js"
import type { Session } from "../../../src/schemas/Session.js"
import { sessionOf, unsaved } from "../../../src/testing/tokenStore/Kit.js"

const entry = (version: number, session: Session | undefined, tombstone = false): Option.Option<Entry> =>
  Option.some({
    version,
    session: Option.fromNullable(session),
    tombstone,
    marked: false,
    remaining: Duration.minutes(30)
  })

const ours = sessionOf("ours", 5)
const verdict = (found: Option.Option<Entry>, session = ours) => overtaken(unsaved(session, 10), found)

describe("an unsaved session whose mint had read version 10 is overtaken by", () => {
  const earlier = sessionOf("theirs", 4)
  const later = sessionOf("theirs", 6)

  it("nothing in an empty store", () => assert.strictEqual(verdict(Option.none()), "nothing"))

  it("nothing at that version, whatever it is", () => {
    assert.strictEqual(verdict(entry(10, later)), "nothing")
    assert.strictEqual(verdict(entry(10, undefined, true)), "nothing")
    assert.strictEqual(verdict(entry(10, later, true)), "nothing")
  })

  it("a newer tombstone, whatever it keeps", () => {
    assert.strictEqual(verdict(entry(11, undefined, true)), "tombstone")
    assert.strictEqual(verdict(entry(11, earlier, true)), "tombstone")
  })

  it("no older tombstone: the store has come back as it was before, and that logout is over", () => {
    assert.strictEqual(verdict(entry(9, undefined, true)), "nothing")
    assert.strictEqual(verdict(entry(9, later, true)), "nothing")
  })

  it("another session, unless Nomba's clock says that ours is strictly later", () => {
    assert.strictEqual(verdict(entry(11, earlier)), "nothing")
    assert.strictEqual(verdict(entry(11, later)), "session")
    assert.strictEqual(verdict(entry(11, sessionOf("theirs", 5))), "session")
    assert.strictEqual(verdict(entry(9, later)), "session")
    assert.strictEqual(verdict(entry(9, earlier)), "nothing")
  })

  it("another session where either issue was timed by a clock of our own", () => {
    assert.strictEqual(verdict(entry(11, sessionOf("theirs", 4, "local"))), "session")
    assert.strictEqual(verdict(entry(11, earlier), sessionOf("ours", 5, "local")), "session")
  })

  it("itself, once it is there", () => assert.strictEqual(verdict(entry(11, ours)), "session"))
})
