/** What one holder writes, every holder reads back, under its own key only. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { Session } from "../../schemas/Session.js"
import type { SessionStore } from "../../services/TokenStore.js"
import {
  adoptAny,
  ensure,
  freshKey,
  type Harness,
  holds,
  holdsNothing,
  makeObtain,
  makeRevoke,
  put,
  renew,
  same,
  sameSession,
  scenario,
  sessionOf,
  some,
  soon
} from "./harness.js"
import type { ContractCase } from "./Options.js"

/** Every field at its oddest. */
const oddSessions: ReadonlyArray<Session> = [
  sessionOf("plain"),
  new Session({
    accessToken: Redacted.make("!\"#$%&'()*+,-./0:;<=>?@A[\\]^_`a{|}~"),
    refreshToken: Option.some(Redacted.make("\u0000 line\r\nline \t\"'\\ é \u{1f511} {} null ")),
    lifetime: Duration.millis(1_234_567),
    issuedAt: DateTime.unsafeMake(Date.UTC(1999, 11, 31, 23, 59, 59, 999)),
    clock: "local",
    tokenType: "bearer",
    businessId: Option.some("é\u{1f511}|\n")
  }),
  new Session({
    accessToken: Redacted.make("x".repeat(20_000)),
    refreshToken: Option.none(),
    lifetime: Duration.days(400),
    issuedAt: DateTime.unsafeMake(0),
    clock: "server",
    tokenType: "",
    businessId: Option.some("")
  })
]

const long = "a".repeat(1_500)

/** Pairs of keys that a careless name for a file or an entry would make one. */
const lookAlikes: ReadonlyArray<readonly [Parameters<typeof freshKey>[0], Parameters<typeof freshKey>[0]]> = [
  [{ subject: "a" }, { subject: "b" }],
  [{ subject: "someone" }, { subject: "Someone" }],
  [{ subject: "" }, { subject: " " }],
  [{ subject: "*" }, { subject: "x" }],
  [{ subject: "../x" }, { subject: "x" }],
  [{ subject: "a:b" }, { subject: "a" }],
  [{ subject: "e\u0301" }, { subject: "\u00e9" }],
  [{ subject: `${long}1` }, { subject: `${long}2` }],
  [{ grant: "client_credentials" }, { grant: "authorization_code" }]
]

/** Gathers what a holder announces from now on. */
const listen = (listener: SessionStore) =>
  Effect.gen(function* () {
    const heard: Array<number> = []
    yield* Stream.runForEach(yield* listener.changes, (version) => Effect.sync(() => heard.push(version))).pipe(
      Effect.forkScoped
    )
    return heard
  })

export const reading = (harness: Harness): ReadonlyArray<ContractCase> => [
  scenario(
    "reads nothing from an empty store",
    Effect.gen(function* () {
      yield* holdsNothing(yield* harness.holder(yield* freshKey()))
    })
  ),

  scenario(
    "gives every holder the session whole, as the one who renewed it got it",
    Effect.gen(function* () {
      for (const session of oddSessions) {
        const key = yield* freshKey()
        const a = yield* harness.holder(key)
        const b = yield* harness.holder(key)
        const answered = yield* put(a, session)
        yield* sameSession(answered.session, session, "what renew answers")
        yield* ensure(answered.version > 0, `a version is positive, not ${answered.version}`)
        yield* same(answered.refreshInFlight, false, "a new session is flagged as refresh in flight")
        for (const store of [a, b]) {
          const stored = yield* holds(store, session)
          yield* same(stored.version, answered.version, "the version that is read")
          yield* same(stored.refreshInFlight, false, "a new session is flagged as refresh in flight")
        }
      }
    })
  ),

  scenario(
    "keeps the session when its holder closes",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const session = sessionOf("kept")
      const { version } = yield* Effect.scoped(Effect.flatMap(harness.holder(key), (store) => put(store, session)))
      const stored = yield* holds(yield* harness.holder(key), session)
      yield* same(stored.version, version, "the version that is read")
    })
  ),

  scenario(
    "goes on above the versions it had, also after it lost them all",
    // An unused key stands for one whose entry was lost.
    Effect.gen(function* () {
      const before = yield* harness.holder(yield* freshKey())
      yield* put(before, sessionOf("first"))
      const { version } = yield* put(before, sessionOf("second"))
      yield* harness.pass("1 second")
      const later = yield* put(yield* harness.holder(yield* freshKey()), sessionOf("later"))
      yield* ensure(later.version > version, "a version is at least the store's time in milliseconds")
    }),
    "1 second"
  ),

  scenario(
    "counts down what is left of a session, and not below nothing",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      const b = yield* harness.holder(key)
      yield* put(a, sessionOf("long"), Duration.minutes(10))
      const before = (yield* holds(b, sessionOf("long"))).remaining
      yield* ensure(Duration.lessThanOrEqualTo(before, Duration.minutes(10)), "more is left than was granted")
      yield* ensure(Duration.greaterThan(before, Duration.minutes(9)), "much less is left than was granted")
      yield* harness.pass("2 seconds")
      const after = (yield* holds(b, sessionOf("long"))).remaining
      yield* ensure(Duration.lessThan(after, before), "what is left does not count down")
      yield* ensure(Duration.greaterThan(after, Duration.minutes(9)), "what is left counts down too fast")

      yield* put(a, sessionOf("short"), Duration.seconds(1))
      yield* harness.pass("2 seconds")
      const { remaining } = yield* holds(b, sessionOf("short"))
      yield* same(Duration.toMillis(remaining), 0, "what is left of an expired session")
    }),
    "4 seconds"
  ),

  scenario(
    "answers an adopted session with what is left of it",
    Effect.gen(function* () {
      const key = yield* freshKey()
      yield* put(yield* harness.holder(key), sessionOf("held"), Duration.minutes(10))
      const { obtain, runs } = yield* makeObtain(sessionOf("other"))
      const { remaining } = yield* Effect.flatMap(harness.holder(key), (_) => renew(_, adoptAny, obtain))
      yield* same(runs(), 0, "calls of obtain")
      yield* ensure(Duration.lessThanOrEqualTo(remaining, Duration.minutes(10)), "more is left than was granted")
      yield* ensure(Duration.greaterThan(remaining, Duration.minutes(9)), "much less is left than was granted")
    })
  ),

  scenario(
    "keeps the sessions and tombstones of keys that look alike apart",
    Effect.gen(function* () {
      for (const [one, other] of lookAlikes) {
        const clientId = globalThis.crypto.randomUUID()
        const a = yield* harness.holder(yield* freshKey({ clientId, ...one }))
        const b = yield* harness.holder(yield* freshKey({ clientId, ...other }))
        yield* put(a, sessionOf("a"))
        yield* holdsNothing(b)
        yield* put(b, sessionOf("b"))
        yield* holds(a, sessionOf("a"))
        const { current, revoke } = yield* makeRevoke()
        yield* b.logout(revoke)
        yield* sameSession((yield* some(current(), "what clear revokes")).session, sessionOf("b"), "what clear revokes")
        yield* holds(a, sessionOf("a"))
        yield* holdsNothing(b)
      }
    })
  ),

  scenario(
    "gives the lease of each key to a holder of its own",
    Effect.gen(function* () {
      const a = yield* harness.holder(yield* freshKey())
      const b = yield* harness.holder(yield* freshKey())
      const slow = yield* makeObtain(sessionOf("a"), { gated: true })
      const fiber = yield* Effect.fork(renew(a, adoptAny, slow.obtain))
      yield* slow.arrived
      yield* put(b, sessionOf("b"))
      yield* slow.open
      yield* Fiber.join(fiber)
      yield* holds(a, sessionOf("a"))
    })
  ),

  scenario(
    "announces each session and each tombstone to every holder of the key, and to no other",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const writer = yield* harness.holder(key)
      const stranger = yield* harness.holder(yield* freshKey())
      const other = yield* listen(yield* harness.holder(key))
      const own = yield* listen(writer)
      const strange = yield* listen(stranger)
      const isHeard = (test: (version: number) => boolean) =>
        soon(Effect.map(harness.settle, () => [other, own].every((heard) => heard.some(test))))

      const { version } = yield* put(writer, sessionOf("first"))
      yield* ensure(yield* isHeard((_) => _ === version), "a new session was not announced to every holder")
      const { revoke } = yield* makeRevoke()
      yield* writer.logout(revoke)
      yield* ensure(yield* isHeard((_) => _ > version), "a tombstone was not announced to every holder")
      yield* ensure(
        strange.every((_) => _ === 0),
        "a change was announced to the holder of another key"
      )
    }),
    "2 seconds"
  ),

  scenario(
    "hears a commit of another process after its key was opened, closed and opened at once",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const process = yield* harness.process
      const writer = yield* harness.holder(key)
      const open = Effect.flatMap(process.open(key, harness.requestTimeout), listen)
      yield* Effect.scoped(Effect.zipRight(open, harness.settle))
      const heard = yield* open
      yield* harness.settle
      const { version } = yield* put(writer, sessionOf("first"))
      const isHeard = yield* soon(Effect.map(harness.settle, () => heard.includes(version)))
      yield* ensure(isHeard, "a commit was not announced to a key that was opened again")
    }),
    "2 seconds"
  ),

  scenario(
    "closes one user of a key without touching the others",
    Effect.gen(function* () {
      const key = yield* freshKey()
      const a = yield* harness.holder(key)
      const b = yield* harness.holder(key)
      yield* put(a, sessionOf("held"))
      yield* same(yield* a.close, false, "whether it was the last user, while another one uses the key")
      yield* holds(b, sessionOf("held"))
      yield* put(b, sessionOf("next"))
      yield* holds(b, sessionOf("next"))
    })
  )
]
