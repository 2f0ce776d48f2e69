/**
 * What becomes of a session that Nomba granted and the store did not take at once.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import type { Session } from "../../schemas/Session.js"
import type { Stored } from "../../services/TokenStore.js"
import type { Entry } from "./StoreDriver.js"

const laterAtNomba = (ours: Session, theirs: Session): boolean =>
  ours.clock === "server" && theirs.clock === "server" && DateTime.greaterThan(ours.issuedAt, theirs.issuedAt)

/**
 * Whether something in the store has overtaken an unsaved session: a `tombstone` written since its mint read the store,
 * another `session` that is the one alive at Nomba as far as anybody can tell, or `nothing`, so that it is to be written.
 *
 * @since 0.1.0
 */
export const overtaken = (unsaved: Stored, entry: Option.Option<Entry>): "tombstone" | "session" | "nothing" =>
  Option.match(entry, {
    onNone: () => "nothing",
    onSome: ({ session, tombstone, version }) => {
      if (version === unsaved.version) return "nothing"
      if (tombstone) return version > unsaved.version ? "tombstone" : "nothing"
      return Option.exists(session, (theirs) => !laterAtNomba(unsaved.session, theirs)) ? "session" : "nothing"
    }
  })
