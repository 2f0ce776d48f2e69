/** The session of an end user's login replaces whatever is stored. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import {
  adoptNone,
  down,
  ensure,
  freshKey,
  type Harness,
  holds,
  makeObtain,
  makeRevoke,
  newerThan,
  put,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf
} from "./harness.js"
import type { ContractCase } from "./Options.js"

export const login = (harness: Harness): ReadonlyArray<ContractCase> => {
  const two = Effect.gen(function* () {
    const key = yield* freshKey({ grant: "authorization_code", subject: "ada" })
    return { a: yield* harness.holder(key), b: yield* harness.holder(key) }
  })

  return [
    scenario(
      "replaces a live session, one whose refresh is in flight, and a tombstone by an end user's session",
      Effect.gen(function* () {
        const { a, b } = yield* two
        let last = 0
        const logIn = (name: string) =>
          Effect.gen(function* () {
            const { saved, version } = yield* put(b, sessionOf(name))
            yield* ensure(saved && version > last, `the login of ${name}: version ${version} after ${last}`)
            last = version
            const held = yield* holds(a, sessionOf(name))
            yield* same(held.refreshInFlight, false, "the refresh-in-flight flag of an end user's session")
          })
        yield* put(a, sessionOf("good"))
        yield* logIn("over-good")

        const crashed = yield* makeObtain(sessionOf("never"), {
          beforeGate: (lease) => lease.beginRefresh,
          afterGate: () => Effect.fail(down)
        })
        yield* Effect.exit(renew(a, adoptNone, crashed.obtain))
        yield* logIn("over-marked")

        const proved = yield* makeRevoke()
        yield* a.logout(proved.revoke)
        yield* logIn("over-logout")

        const unproved = yield* makeRevoke({ end: Effect.fail(down) })
        yield* Effect.exit(a.logout(unproved.revoke))
        yield* logIn("over-unproved")
      })
    ),

    scenario(
      "saves an end user's session after a renewal that is running, whose session does not replace it",
      Effect.gen(function* () {
        const { a, b } = yield* two
        const { version } = yield* put(a, sessionOf("old"))
        const renewal = yield* makeObtain(sessionOf("renewed"), {
          gated: true,
          beforeGate: (lease) => lease.beginRefresh
        })
        const renewing = yield* Effect.fork(renew(a, newerThan(version), renewal.obtain))
        yield* renewal.arrived
        const login = yield* makeObtain(sessionOf("logged-in"))
        const logging = yield* Effect.fork(renew(b, adoptNone, login.obtain))
        yield* harness.settle
        yield* same(login.runs(), 0, "logins while a renewal holds the lease")
        yield* renewal.open
        yield* sameSession((yield* Fiber.join(renewing)).session, sessionOf("renewed"), "what the renewal answers")
        yield* sameSession((yield* Fiber.join(logging)).session, sessionOf("logged-in"), "what the login answers")
        const { remaining } = yield* holds(a, sessionOf("logged-in"))
        yield* ensure(Duration.greaterThan(remaining, 0), "nothing is left of a session that just came")
      })
    )
  ]
}
