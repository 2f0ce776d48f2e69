import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, Schema, TestClock } from "effect"
import { Sandbox, SandboxError, Switches, type SwitchesInput } from "nomba-auth/sandbox"
import { descriptions } from "../../src/sandbox/config/Switches.js"
import { root } from "../support/pages.js"
import { type Answer, assertRefused, balance, bearer, credentials, issue, login, refresh, revoke } from "./support.js"

const { accountId, clientId } = Sandbox.defaultClient

/** The same test twice: switched at the start, and switched while it runs. */
const switched = <A, E>(name: string, switches: SwitchesInput, test: Effect.Effect<A, E, Sandbox>): void => {
  it.effect(`${name}, from the start`, () => Effect.provide(test, Sandbox.layer(switches)))
  it.effect(`${name}, from a moment on`, () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      yield* login
      yield* sandbox.configure(switches)
      yield* test
    }).pipe(Effect.provide(Sandbox.layer()))
  )
}

const statusOf = Effect.map((answer: Answer) => answer.status)

/** That an answer is a success by status, and a failure by its code. */
const assertFailureByCode = (answer: Answer, code: string): void => {
  assert.strictEqual(answer.status, 200)
  assert.sameMembers(Object.keys(answer.json), ["code", "description", "errors"])
  assert.strictEqual(answer.json.code, code)
}

describe("the switches", () => {
  it("have a default and a description each", () => {
    const defaults: Record<string, unknown> = { ...Schema.decodeSync(Switches)({}) }
    assert.sameMembers(
      descriptions.map(({ name }) => String(name)),
      Object.keys(defaults)
    )
    for (const { description, name, standard, values } of descriptions) {
      assert.isNotEmpty(description, name)
      assert.strictEqual(standard, defaults[name] as typeof standard)
      if (values.length > 0) assert.strictEqual(values[0], standard, `${name}: the default comes first`)
    }
  })

  it("are each read by the code that handles requests", () => {
    const handlers = ["nomba", "resources", "login", "state", "http"].flatMap((folder) =>
      readdirSync(`${root}src/sandbox/${folder}`, { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => readFileSync(`${root}src/sandbox/${folder}/${name}`, "utf8"))
    )
    for (const { name } of descriptions) {
      assert.isTrue(
        handlers.some((code) => new RegExp(`\\b${name}\\b`).test(code)),
        `no handler reads the switch ${name}`
      )
    }
  })

  it.effect("are rejected with a message if invalid or unknown, and nothing changes", () =>
    Effect.gen(function* () {
      const { configure, switches } = yield* Sandbox
      const before = yield* switches
      const wrong: ReadonlyArray<readonly [string, object]> = [
        ["dialect", { dialect: "french" }],
        ["singleSession", { singleSession: "yes", rateLimit: "regular" }],
        ["badCredentials", { badCredentials: 500 }],
        ["accessLifetime", { accessLifetime: "soon" }],
        ["refreshLifetime", { refreshLifetime: 0 }],
        ["clockOffset", { clockOffset: "5" }],
        ["dialct", { dialct: "live" }],
        ["switches", []]
      ]
      for (const [name, input] of wrong) {
        const error = yield* Effect.flip(configure(input as SwitchesInput))
        assert.instanceOf(error, SandboxError)
        assert.strictEqual(error.reason, "Options")
        assert.lengthOf(error.issues, 1)
        assert.isTrue(error.issues[0]?.startsWith(`${name}: `), error.message)
      }
      assert.deepStrictEqual(yield* switches, before)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("do not change if none is given", () =>
    Effect.gen(function* () {
      const { configure } = yield* Sandbox
      const turned = yield* configure({ dialect: "live", refreshRotation: undefined })
      assert.include(turned, { dialect: "live", accountHeader: "required", refreshRotation: true })
    }).pipe(Effect.provide(Sandbox.layer({ accountHeader: "required" })))
  )
})

describe("singleSession", () => {
  switched(
    "off lets an issue and another login leave the other sessions alone",
    { singleSession: false },
    Effect.gen(function* () {
      const { sessions, steal } = yield* Sandbox
      const before = (yield* sessions).length
      const [one, two] = yield* Effect.all([login, login])
      const theirs = yield* steal()
      for (const token of [one.access, two.access, Redacted.value(theirs.accessToken)]) {
        assert.strictEqual(yield* statusOf(balance(bearer(token))), 200)
      }
      assert.lengthOf(yield* sessions, before + 3)
      assert.strictEqual(yield* statusOf(revoke(one.access)), 200)
      assert.strictEqual(yield* statusOf(balance(bearer(one.access))), 401)
      assert.strictEqual(yield* statusOf(refresh(two.refresh)), 200)
      assert.lengthOf(yield* sessions, before + 2)
    })
  )

  it.effect("turned on again lets the next issue end all sessions", () =>
    Effect.gen(function* () {
      const { configure, sessions } = yield* Sandbox
      const [one, two] = yield* Effect.all([login, login])
      yield* configure({ singleSession: true })
      yield* login
      assert.lengthOf(yield* sessions, 1)
      for (const { access } of [one, two]) assertRefused(yield* balance(bearer(access)), 401)
    }).pipe(Effect.provide(Sandbox.layer({ singleSession: false })))
  )
})

describe("refreshKillsAccessToken", () => {
  switched(
    "off leaves the old access token alive until its expiry",
    { refreshKillsAccessToken: false, accessLifetime: "10 minutes" },
    Effect.gen(function* () {
      const first = yield* login
      yield* TestClock.adjust("9 minutes")
      const second = (yield* refresh(first.refresh, bearer(first.access))).json.data
      assert.strictEqual(yield* statusOf(balance(bearer(first.access))), 200)
      assert.strictEqual(yield* statusOf(balance(bearer(second.access_token))), 200)
      yield* TestClock.adjust("1 minutes")
      assertRefused(yield* balance(bearer(first.access)), 401, "Authorization: the token is expired")
      assert.strictEqual(yield* statusOf(balance(bearer(second.access_token))), 200)
    })
  )

  it.effect("off lets an older token end the session, with all of its tokens", () =>
    Effect.gen(function* () {
      const first = yield* login
      const second = (yield* refresh(first.refresh)).json.data
      assert.strictEqual(yield* statusOf(revoke(first.access)), 200)
      for (const token of [first.access, second.access_token]) assertRefused(yield* balance(bearer(token)), 401)
      assertRefused(yield* refresh(second.refresh_token), 401, "refresh_token: its session was revoked")
    }).pipe(Effect.provide(Sandbox.layer({ refreshKillsAccessToken: false })))
  )
})

describe("refreshRotation", () => {
  switched(
    "off answers no refresh token, and the one that is there works again and again",
    { refreshRotation: false },
    Effect.gen(function* () {
      const first = yield* login
      for (let times = 0; times < 3; times++) {
        const { json, status } = yield* refresh(first.refresh)
        assert.strictEqual(status, 200)
        assert.notProperty(json.data, "refresh_token")
        assert.strictEqual(yield* statusOf(balance(bearer(json.data.access_token))), 200)
      }
    })
  )
})

describe("refreshReuse", () => {
  switched(
    "killsSession ends the session when a spent refresh token comes again",
    { refreshReuse: "killsSession" },
    Effect.gen(function* () {
      const first = yield* login
      const second = (yield* refresh(first.refresh)).json.data
      assertRefused(yield* refresh(first.refresh), 401, "refresh_token: was used before; it works once")
      assertRefused(yield* balance(bearer(second.access_token)), 401)
      assertRefused(
        yield* refresh(second.refresh_token),
        401,
        "refresh_token: its session ended because a refresh token was used twice"
      )
    })
  )

  it.effect("refused leaves the session valid", () =>
    Effect.gen(function* () {
      const first = yield* login
      const second = (yield* refresh(first.refresh)).json.data
      assertRefused(yield* refresh(first.refresh), 401)
      assert.strictEqual(yield* statusOf(balance(bearer(second.access_token))), 200)
    }).pipe(Effect.provide(Sandbox.layer()))
  )
})

describe("refreshBearer", () => {
  switched(
    "required refuses a refresh without one, and does not spend the refresh token on it",
    { refreshBearer: "required" },
    Effect.gen(function* () {
      const first = yield* login
      assertRefused(yield* refresh(first.refresh), 401, "Authorization: is missing")
      assert.strictEqual(yield* statusOf(refresh(first.refresh, bearer(first.access))), 200)
    })
  )

  switched(
    "ignored looks at none, whatever it is",
    { refreshBearer: "ignored" },
    Effect.gen(function* () {
      const first = yield* login
      assert.strictEqual(yield* statusOf(refresh(first.refresh, { authorization: "nonsense" })), 200)
    })
  )
})

describe("refreshBearerExpired", () => {
  switched(
    "refused refuses a bearer past its expiry, and does not spend the refresh token on it",
    { refreshBearerExpired: "refused" },
    Effect.gen(function* () {
      const first = yield* login
      yield* TestClock.adjust("30 minutes")
      const refusal = yield* refresh(first.refresh, bearer(first.access))
      assertRefused(refusal, 401, "Authorization: the token is expired")
      assert.strictEqual(yield* statusOf(refresh(first.refresh)), 200)
    })
  )
})

describe("revokeMembers and revokeUnknownMembers", () => {
  const forms = (token: string) => ({
    spec: { token },
    live: { clientId, access_token: token },
    all: { token, clientId, access_token: token },
    odd: { token, clientId, access_token: token, token_type_hint: "access_token" }
  })

  const statuses = Effect.gen(function* () {
    const results: Record<string, number> = {}
    for (const form of ["spec", "live", "all", "odd"] as const) {
      const { access } = yield* login
      const answer = yield* revoke(access, forms(access)[form])
      if (answer.status === 400) assertRefused(answer, 400)
      results[form] = answer.status
    }
    return results
  })

  const table: ReadonlyArray<readonly [SwitchesInput, Record<string, number>]> = [
    [{ revokeMembers: "any" }, { spec: 200, live: 200, all: 200, odd: 200 }],
    [{ revokeMembers: "spec" }, { spec: 200, live: 400, all: 200, odd: 200 }],
    [{ revokeMembers: "live" }, { spec: 400, live: 200, all: 200, odd: 200 }],
    [
      { revokeMembers: "any", revokeUnknownMembers: "refused" },
      { spec: 200, live: 200, all: 200, odd: 400 }
    ],
    [
      { revokeMembers: "spec", revokeUnknownMembers: "refused" },
      { spec: 200, live: 400, all: 400, odd: 400 }
    ],
    [
      { revokeMembers: "live", revokeUnknownMembers: "refused" },
      { spec: 400, live: 200, all: 400, odd: 400 }
    ]
  ]
  for (const [switches, expected] of table) {
    switched(
      JSON.stringify(switches),
      switches,
      Effect.map(statuses, (results) => assert.deepStrictEqual(results, expected))
    )
  }

  it.effect("name the accepted members, and echo none of the request", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      const answer = yield* revoke(access, { token: access, SENTINEL: 1 })
      assertRefused(answer, 400, "body: must be token and nothing else")
    }).pipe(Effect.provide(Sandbox.layer({ revokeMembers: "spec", revokeUnknownMembers: "refused" })))
  )
})

for (const status of [401, 403, 400, 200] as const) {
  const assertAnswered = (answer: Answer, code: string) =>
    status === 200 ? assertFailureByCode(answer, code) : assertRefused(answer, status)

  describe(`badCredentials ${status}`, () => {
    switched(
      "answers a wrong id and a wrong secret, and nothing else",
      { badCredentials: status },
      Effect.gen(function* () {
        const { counts } = yield* Sandbox
        assertAnswered(yield* issue({ ...credentials, client_secret: "wrong" }), "01")
        assertAnswered(yield* issue({ ...credentials, client_id: accountId }), "01")
        assert.strictEqual((yield* counts).issue.refused, 2)
        assertRefused(yield* issue({ ...credentials, client_secret: 7 }), 400)
        assertRefused(yield* issue(credentials, { accountId: clientId }), 401)
        assertRefused(yield* refresh("bogus"), 401)
        assert.strictEqual(yield* statusOf(issue()), 200)
      })
    )
  })

  describe(`invalidRefreshToken ${status}`, () => {
    switched(
      "answers a refresh token that is no good for any reason, and nothing else",
      { invalidRefreshToken: status },
      Effect.gen(function* () {
        const { counts, expire, revoke } = yield* Sandbox
        assertAnswered(yield* refresh("bogus"), "02")
        const first = yield* login
        const second = (yield* refresh(first.refresh)).json.data
        assertAnswered(yield* refresh(first.refresh), "02")
        assertRefused(yield* refresh(second.refresh_token, bearer(first.access)), 401)
        yield* expire("refresh")
        assertAnswered(yield* refresh(second.refresh_token), "02")
        const third = yield* login
        yield* revoke()
        assertAnswered(yield* refresh(third.refresh), "02")
        assert.strictEqual((yield* counts).refresh.refused, 5)
        assertRefused(yield* refresh(7), 400)
        assertRefused(yield* issue({ ...credentials, client_secret: "wrong" }), 401)
      })
    )
  })
}

describe("accessLifetime and refreshLifetime", () => {
  switched(
    "hold for tokens from now on",
    { accessLifetime: "1 minute", refreshLifetime: 120_000 },
    Effect.gen(function* () {
      const { json } = yield* issue()
      assert.strictEqual(json.data.expires_in, 60)
      yield* TestClock.adjust("1 minute")
      assertRefused(yield* balance(bearer(json.data.access_token)), 401)
      yield* TestClock.adjust("1 minute")
      assertRefused(yield* refresh(json.data.refresh_token), 401, "refresh_token: has expired")
    })
  )

  it.effect("do not change existing tokens", () =>
    Effect.gen(function* () {
      const { access } = yield* login
      yield* (yield* Sandbox).configure({ accessLifetime: "1 minute" })
      yield* TestClock.adjust("29 minutes")
      assert.strictEqual(yield* statusOf(balance(bearer(access))), 200)
    }).pipe(Effect.provide(Sandbox.layer()))
  )
})

describe("rateLimit", () => {
  const quota = ({ headers }: Answer) => [
    headers["x-rate-limit-limit"],
    headers["x-rate-limit-remaining"],
    headers["x-rate-limit-window"]
  ]

  switched(
    "regular lets fifteen POSTs of an account through in a second, token calls of every kind included",
    { rateLimit: "regular" },
    Effect.gen(function* () {
      const { counts } = yield* Sandbox
      yield* TestClock.adjust("1 second")
      const before = (yield* counts).issued
      const first = yield* issue()
      assert.deepStrictEqual(quota(first), ["15", "14", "1s"])
      const refreshed = yield* refresh(first.json.data.refresh_token)
      assert.deepStrictEqual(quota(refreshed), ["15", "13", "1s"])
      assert.deepStrictEqual(quota(yield* revoke(refreshed.json.data.access_token)), ["15", "12", "1s"])
      assert.deepStrictEqual(quota(yield* issue({ ...credentials, client_secret: "wrong" })), ["15", "11", "1s"])
      for (let left = 10; left >= 0; left--) assert.strictEqual(quota(yield* issue())[1], String(left))
      const beyond = yield* issue()
      assertRefused(beyond, 429)
      assert.deepStrictEqual(quota(beyond), ["15", "0", "1s"])
      assert.strictEqual((yield* counts).issued, before + 12)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(quota(yield* issue()), ["15", "14", "1s"])
    })
  )

  it.effect("ends a window on the full second, whenever its first request came", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("999 millis")
      for (let n = 0; n < 15; n++) yield* issue()
      assertRefused(yield* issue(), 429)
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* statusOf(issue()), 200)
    }).pipe(Effect.provide(Sandbox.layer({ rateLimit: "regular" })))
  )

  switched(
    "lowTraffic lets one POST through in a minute, and any number of GETs",
    { rateLimit: "lowTraffic" },
    Effect.gen(function* () {
      yield* TestClock.adjust("1 minute")
      const first = yield* issue()
      assert.deepStrictEqual(quota(first), ["1", "0", "60s"])
      const token = first.json.data.access_token
      for (let n = 0; n < 5; n++) {
        const read = yield* balance(bearer(token))
        assert.strictEqual(read.status, 200)
        assert.deepStrictEqual(quota(read), [undefined, undefined, undefined])
      }
      assertRefused(yield* revoke(token), 429)
      assertRefused(yield* refresh(first.json.data.refresh_token), 429)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(yield* statusOf(refresh(first.json.data.refresh_token)), 200)
    })
  )

  it.effect("counts each account separately, and two clients of one account together", () =>
    Effect.gen(function* () {
      const as = (client_id: string) => issue({ ...credentials, client_id, client_secret: "s" })
      assert.strictEqual(yield* statusOf(as("a")), 200)
      assertRefused(yield* as("b"), 429)
      assert.strictEqual(yield* statusOf(as("c")), 200)
    }).pipe(
      Effect.provide(
        Sandbox.layer({
          rateLimit: "lowTraffic",
          clients: [
            { clientId: "a", clientSecret: Redacted.make("s"), accountId },
            { clientId: "b", clientSecret: Redacted.make("s"), accountId },
            { clientId: "c", clientSecret: Redacted.make("s") }
          ]
        })
      )
    )
  )

  it.effect("off has no headers", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(quota(yield* issue()), [undefined, undefined, undefined])
    }).pipe(Effect.provide(Sandbox.layer()))
  )
})
