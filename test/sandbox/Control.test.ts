import { HttpApiClient, HttpClient } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Chunk, DateTime, Effect, Fiber, Option, Redacted, Stream, TestClock } from "effect"
import { ControlApi, Sandbox } from "nomba-auth/sandbox"
import { assertRefused, balance, bearer, credentials, issue, login, post, refresh, secretOf, send } from "./support.js"

const sandbox = Effect.provide(Sandbox.layer())

const { clientId } = Sandbox.defaultClient

const control = Effect.flatMap(Sandbox, ({ client, url }) =>
  Effect.provideService(HttpApiClient.make(ControlApi, { baseUrl: url }), HttpClient.HttpClient, client)
)

const masked = /^(eyJ)?….{3}$/u

const get = (path: string, headers: Record<string, string> = {}) =>
  Effect.flatMap(Sandbox, ({ client, url }) => send(client, `${url}${path}`, "GET", { headers }))

/** Every text among the values of a body. */
const textsIn = (value: unknown): ReadonlyArray<string> =>
  typeof value === "string" ? [value] : Object.values(value ?? {}).flatMap(textsIn)

describe("the control API, through its derived client", () => {
  it.effect("shows a session without secrets, expires it, revokes it and simulates another login", () =>
    Effect.gen(function* () {
      const { expireSession, getSessions, revokeSession, stealSession } = yield* control
      assert.deepStrictEqual(yield* getSessions(), [])
      const first = yield* login
      const [mine] = yield* getSessions()
      assert.include(mine, { clientId, startedBy: "client", refreshes: 0 })
      assert.strictEqual(mine?.accessToken, `eyJ…${first.access.slice(-3)}`)
      assert.strictEqual(mine?.refreshToken, `…${first.refresh.slice(-3)}`)

      yield* refresh(first.refresh)
      const [carriedOn] = yield* getSessions()
      assert.strictEqual(carriedOn?.id, mine?.id)
      assert.strictEqual(carriedOn?.refreshes, 1)

      const [stolen] = yield* stealSession({ payload: {} })
      assert.strictEqual(stolen?.startedBy, "another login")
      assert.notStrictEqual(stolen?.id, mine?.id)

      const second = yield* login
      yield* expireSession({ payload: { token: "access" } })
      assertRefused(yield* balance(bearer(second.access)), 401, "Authorization: the token is expired")
      yield* expireSession({ payload: { token: "refresh", clientId } })
      assertRefused(yield* refresh(second.refresh), 401, "refresh_token: has expired")

      const third = yield* login
      assert.deepStrictEqual(yield* revokeSession({ payload: {} }), [])
      assertRefused(yield* refresh(third.refresh), 401, "refresh_token: its session was revoked")
    }).pipe(sandbox)
  )

  it.effect("moves the clock, by which tokens expire", () =>
    Effect.gen(function* () {
      const { moveClock } = yield* control
      const { now } = yield* Sandbox
      const { access } = yield* login
      yield* moveClock({ payload: { advance: 1_799_999 } })
      assert.strictEqual((yield* balance(bearer(access))).status, 200)
      yield* TestClock.adjust("1 millis")
      assertRefused(yield* balance(bearer(access)), 401, "Authorization: the token is expired")
      const { expire, setTime } = yield* Sandbox
      yield* expire("access")
      yield* setTime(0)
      assert.strictEqual((yield* balance(bearer(access))).status, 200)
      const newYear = DateTime.unsafeMake("1972-01-01T00:00:00Z")
      assert.deepStrictEqual((yield* moveClock({ payload: { set: newYear } })).now, newYear)
      yield* TestClock.adjust("1 hour")
      assert.strictEqual(DateTime.formatIso(yield* now), "1972-01-01T01:00:00.000Z")
      const { headers, json } = yield* issue()
      assert.strictEqual(headers["date"], "Sat, 01 Jan 1972 01:00:00 GMT")
      assert.strictEqual(json.data.expiresAt, "1972-01-01T01:30:00.000Z")
    }).pipe(sandbox)
  )

  it.effect("adds faults, lists the queued ones, and clears them", () =>
    Effect.gen(function* () {
      const { addFault, clearFaults } = yield* control
      yield* addFault({
        payload: { target: "issue", fault: { answer: { status: 503, body: "SENTINEL" }, times: 2 } }
      })
      yield* issue()
      const waiting = yield* addFault({
        payload: { target: "issue", fault: { answer: "truncated", during: 60_000, latency: 5 } }
      })
      assert.deepStrictEqual(waiting["issue"], [
        { left: 1, answer: { status: 503 }, processed: false },
        { left: "always", until: DateTime.unsafeMake(60_000), latency: 5, answer: "truncated", processed: true }
      ])
      assert.notInclude((yield* get("/_sandbox/state")).text, "SENTINEL")
      assert.deepStrictEqual(yield* clearFaults(), {})
      assert.strictEqual((yield* issue()).status, 200)
    }).pipe(sandbox)
  )

  it.effect("changes switches and shows them", () =>
    Effect.gen(function* () {
      const { getSwitches, setSwitches } = yield* control
      const turned = yield* setSwitches({ payload: { dialect: "spec", accessLifetime: 60_000 } })
      assert.include(turned, { dialect: "spec", accessLifetime: 60_000, accountHeader: "optional" })
      assert.deepStrictEqual(yield* getSwitches(), turned)
      const { data } = (yield* issue()).json
      assert.strictEqual(data.expires_in, 60)
      assert.notProperty(data, "expiresAt")
      const answer = yield* Effect.flatMap(Sandbox, ({ client, url }) =>
        send(client, `${url}/_sandbox/switches`, "PATCH", { body: '{"accessLifetime":"2 minutes"}' })
      )
      assert.strictEqual(answer.json.accessLifetime, 120_000)
    }).pipe(sandbox)
  )

  it.effect("counts per operation, outcome and status", () =>
    Effect.gen(function* () {
      const { getCounters } = yield* control
      yield* login
      yield* issue({})
      yield* issue({ ...credentials, client_secret: "wrong" })
      yield* get("/nowhere")
      const { issue: tally, issued, other } = yield* getCounters()
      const statuses = { "200": 1, "400": 1, "401": 1 }
      assert.deepStrictEqual(tally, { requests: 3, succeeded: 1, refused: 2, faulted: 0, statuses })
      assert.deepStrictEqual(other, { requests: 1, succeeded: 0, refused: 1, faulted: 0, statuses: { "404": 1 } })
      assert.strictEqual(issued, 1)
    }).pipe(sandbox)
  )

  it.effect("returns to the start with a reset: switches, clock, faults, sessions, counters and log", () =>
    Effect.gen(function* () {
      const { addFault, getState, moveClock, reset, setSwitches } = yield* control
      const before = yield* getState()
      yield* login
      yield* setSwitches({ payload: { dialect: "live", rateLimit: "regular" } })
      yield* moveClock({ payload: { advance: 60_000 } })
      yield* addFault({ payload: { target: "issue", fault: { answer: "connectionReset" } } })
      assert.notDeepEqual(yield* getState(), before)
      const after = yield* reset()
      assert.notStrictEqual(after.epoch, before.epoch)
      assert.deepStrictEqual({ ...after, epoch: before.epoch }, before)
      assert.deepStrictEqual(yield* getState(), after)
    }).pipe(Effect.provide(Sandbox.layer({ clockOffset: 5000, dialect: "spec" })))
  )
})

describe("the control API", () => {
  it.effect("names each problem of an invalid body", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const before = yield* get("/_sandbox/state")
      const eitherOr = "body: must be either advance, a duration, or set, a time such as 2030-01-01T00:00:00Z"
      const upToTenYears = "must be a duration, at most ten years"
      const table: ReadonlyArray<readonly ["POST" | "PATCH", string, unknown, number, ReadonlyArray<string>]> = [
        ["POST", "/faults", {}, 400, ["target: is missing", "fault: is missing"]],
        [
          "POST",
          "/faults",
          { target: "GET /health", fault: {} },
          400,
          ["target: faults do not apply to the sandbox's own pages, its health and its control API"]
        ],
        [
          "POST",
          "/faults",
          { target: "all", fault: {} },
          400,
          [
            "target: must be one of issue, refresh, revoke, resource, or a method and a path such as POST /v2/transfers/bank"
          ]
        ],
        [
          "POST",
          "/faults",
          { target: "issue", fault: { times: 0 } },
          400,
          ["times: must be a whole number, 1 or more, or always"]
        ],
        ["POST", "/faults", { target: "issue", fault: { tims: 1 } }, 400, ["tims: is not known"]],
        ["POST", "/sessions/expire", { token: "both" }, 400, ["token: must be access or refresh"]],
        ["POST", "/sessions/expire", { token: "access" }, 409, ["clientId: has no session"]],
        [
          "POST",
          "/sessions/expire",
          { token: "access", clientId: "nobody" },
          404,
          ["clientId: is not known to this sandbox"]
        ],
        ["POST", "/sessions/revoke", {}, 409, ["clientId: has no session"]],
        ["POST", "/sessions/steal", { clientId: "nobody" }, 404, ["clientId: is not known to this sandbox"]],
        ["POST", "/sessions/steal", { clientId: 7 }, 400, ["clientId: must be a string"]],
        ["POST", "/sessions/steal", { client_id: "nobody" }, 400, ["client_id: is not known"]],
        ["POST", "/sessions/revoke", { client: "nobody" }, 400, ["client: is not known"]],
        ["POST", "/sessions/expire", { token: "access", clientID: "nobody" }, 400, ["clientID: is not known"]],
        ["POST", "/faults", { target: "issue", times: 5, fault: {} }, 400, ["times: is not known"]],
        ["POST", "/faults", { target: "issue", fault: { latency: -5 } }, 400, [`latency: ${upToTenYears}`]],
        ["POST", "/faults", { target: "issue", fault: { during: "-1 minute" } }, 400, [`during: ${upToTenYears}`]],
        ["POST", "/clock", { set: "soon" }, 400, [eitherOr]],
        ["POST", "/clock", { set: "eyJhbGciOiJIUzI1NiJ9.SENTINEL" }, 400, [eitherOr]],
        ["POST", "/clock", { set: 5 }, 400, [eitherOr]],
        ["POST", "/clock", { advance: -5 }, 400, [eitherOr]],
        ["POST", "/clock", { advance: "-5 seconds" }, 400, [eitherOr]],
        ["POST", "/clock", { advance: 1000, set: "2031-02-03T00:00:00Z" }, 400, [eitherOr]],
        ["POST", "/clock", { advance: 1000, to: "2031-02-03T00:00:00Z" }, 400, [eitherOr]],
        ["POST", "/clock", {}, 400, [eitherOr]],
        [
          "POST",
          "/clock",
          { set: "9999-01-01T00:00:00Z" },
          400,
          ["set: must stay within ten years of the machine's clock"]
        ],
        [
          "POST",
          "/clock",
          { advance: "3651 days" },
          400,
          ["advance: must stay within ten years of the machine's clock"]
        ],
        ["POST", "/clock", [], 400, [eitherOr]],
        ["PATCH", "/switches", { dialect: "french" }, 400, ["dialect: must be one of both, spec, live"]],
        ["PATCH", "/switches", { french: true }, 400, ["french: is not known"]],
        ["PATCH", "/switches", null, 400, ["body: must be an object"]]
      ]
      for (const [method, path, body, status, errors] of table) {
        const answer = yield* send(client, `${url}/_sandbox${path}`, method, { body: JSON.stringify(body) })
        assertRefused(answer, status, ...errors)
        for (const value of textsIn(body)) assert.notInclude(answer.text, value)
      }
      assert.deepStrictEqual(yield* get("/_sandbox/state"), before)
    }).pipe(sandbox)
  )

  it.effect("rejects a body that is not JSON, another method and another path", () =>
    Effect.gen(function* () {
      const { client, counts, url } = yield* Sandbox
      const at = (path: string) => `${url}/_sandbox${path}`
      assertRefused(yield* send(client, at("/clock"), "POST", { body: "{" }), 400, "body: is not JSON")
      assertRefused(yield* send(client, at("/clock"), "POST", { body: "a=1", contentType: "text/plain" }), 415)
      assertRefused(yield* send(client, at("/clock"), "POST", { body: " ".repeat(70_000) }), 413)
      const wrongMethod = yield* send(client, at("/faults"), "GET")
      assertRefused(wrongMethod, 405)
      assert.strictEqual(wrongMethod.headers["allow"], "POST, DELETE")
      assertRefused(yield* send(client, at(""), "GET"), 404)
      assertRefused(yield* send(client, at("/nowhere"), "GET"), 404)
      assert.strictEqual((yield* counts).other.requests, 0)
    }).pipe(sandbox)
  )
})

describe("the request log", () => {
  it.effect("has client, request, time and reason of each request", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      const { getRequests } = yield* control
      const { access } = yield* login
      yield* TestClock.adjust("1 minute")
      yield* issue({ ...credentials, client_secret: "wrong" })
      yield* fault("resource", { answer: { status: 503 }, latency: "2 seconds" })
      const late = yield* Effect.fork(balance(bearer(access)))
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(late)
      yield* fault("resource", { answer: "connectionReset", processed: true })
      yield* Effect.exit(balance(bearer(access)))
      yield* post("/nowhere?x=1", {})
      const minute = DateTime.unsafeMake(60_000)
      const after = DateTime.unsafeMake(62_000)
      assert.deepStrictEqual(yield* getRequests(), [
        {
          id: 5,
          at: after,
          method: "POST",
          path: "/nowhere",
          operation: "other",
          status: 404,
          outcome: "refused",
          why: "the sandbox has no response for this path",
          took: 0
        },
        {
          id: 4,
          at: after,
          method: "GET",
          path: "/v1/accounts/balance",
          operation: "resource",
          status: "dropped",
          outcome: "faulted",
          why: "fault: connectionReset, after it was processed",
          clientId,
          took: 0
        },
        {
          id: 3,
          at: minute,
          method: "GET",
          path: "/v1/accounts/balance",
          operation: "resource",
          status: 503,
          outcome: "faulted",
          why: "fault: 503, 2000 ms late",
          took: 2000
        },
        {
          id: 2,
          at: minute,
          method: "POST",
          path: "/v1/auth/token/issue",
          operation: "issue",
          status: 401,
          outcome: "refused",
          why: "client_secret: is not that of this client_id",
          clientId,
          took: 0
        },
        {
          id: 1,
          at: DateTime.unsafeMake(0),
          method: "POST",
          path: "/v1/auth/token/issue",
          operation: "issue",
          status: 200,
          outcome: "succeeded",
          clientId,
          took: 0
        }
      ])
    }).pipe(sandbox)
  )

  it.effect("says that a client disconnected before the response", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      const { getRequests } = yield* control
      yield* fault("issue", { latency: "1 minute" })
      const fiber = yield* Effect.fork(issue())
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)
      const [entry] = yield* getRequests()
      assert.include(entry, {
        status: "dropped",
        why: "the client disconnected before the response",
        took: 10_000,
        clientId
      })
    }).pipe(sandbox)
  )

  it.effect("names the client of a processed request, even if a fault replaced the response", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      const { getRequests } = yield* control
      const whose = Effect.map(getRequests(), ([entry]) => [entry?.outcome, entry?.clientId])
      for (const answer of ["connectionReset", "truncated", "invalidBody", { status: 502 }] as const) {
        yield* fault("issue", { answer, processed: true })
        yield* Effect.exit(issue())
        assert.deepStrictEqual(yield* whose, ["faulted", clientId], JSON.stringify(answer))
      }
      yield* fault("issue", { answer: "connectionReset" })
      yield* Effect.exit(issue())
      assert.deepStrictEqual(yield* whose, ["faulted", undefined])
    }).pipe(sandbox)
  )

  it.effect("ignores a request that arrived before a reset, and so do the counters", () =>
    Effect.gen(function* () {
      const { counts, fault, reset, view } = yield* Sandbox
      const before = yield* counts
      for (const answer of [undefined, "connectionReset", { status: 503 }] as const) {
        yield* fault("issue", { latency: "1 minute", answer })
        const late = yield* Effect.fork(Effect.exit(issue()))
        yield* TestClock.adjust("10 seconds")
        yield* reset
        yield* TestClock.adjust("1 minute")
        yield* Fiber.join(late)
        assert.deepStrictEqual(yield* counts, before)
        assert.deepStrictEqual((yield* view).requests, [])
      }
      yield* issue()
      assert.strictEqual((yield* counts).issue.succeeded, 1)
    }).pipe(sandbox)
  )
})

describe("the output of the control API", () => {
  it.effect("masks every part of a client secret that contains slashes", () => {
    const clientSecret = "abcdefgh/ij/klmnopqrstu="
    return Effect.gen(function* () {
      const { view } = yield* Sandbox
      for (const path of [
        `/v1/${clientSecret}`,
        `/v1/x/abcdefgh.txt`,
        "/v1/%61bcdefgh",
        `/v1/${encodeURIComponent(clientSecret)}`
      ])
        yield* get(path)
      const paths = (yield* view).requests.map(({ path }) => path)
      assert.lengthOf(paths, 4)
      for (const path of paths) assert.match(path, /^\/v1(\/(x|…))+$/)
    }).pipe(Effect.provide(Sandbox.layer({ clients: [{ clientId: "c", clientSecret: Redacted.make(clientSecret) }] })))
  })

  it.effect("contains no secret, wherever one was sent", () =>
    Effect.gen(function* () {
      const { client, configure, fault, url } = yield* Sandbox
      yield* configure({ refreshKillsAccessToken: false, singleSession: false })
      const first = yield* login
      const second = (yield* refresh(first.refresh, bearer(first.access))).json.data
      const tokens = [first.access, first.refresh, String(second.access_token), String(second.refresh_token)]
      const secrets = [...tokens, secretOf]
      for (const secret of secrets) {
        const part = encodeURIComponent(secret)
        yield* fault("resource", { answer: { status: 400, headers: { "x-secret": secret }, body: secret } })
        yield* balance(bearer(secret))
        yield* send(client, `${url}/${part}?token=${part}`, "GET")
        yield* post(`/v1/auth/token/issue?${part}`, { client_secret: secret, client_id: secret, grant_type: secret })
        yield* refresh(secret, { accountId: secret })
        yield* send(client, `${url}/v1/${part}`, "DELETE")
      }
      for (const session of (yield* (yield* Sandbox).view).sessions) {
        for (const { accessToken } of [session, ...session.earlier]) assert.match(accessToken, masked)
        assert.match(session.refreshToken, masked)
      }
      const said = yield* Effect.forEach(
        ["state", "sessions", "counters", "requests", "switches", "openapi.json"],
        (path) => get(`/_sandbox/${path}`)
      )
      for (const { status, text } of said) {
        assert.strictEqual(status, 200)
        for (const secret of secrets) {
          for (let at = 0; at + 8 <= secret.length; at++) assert.notInclude(text, secret.slice(at, at + 8))
        }
      }
    }).pipe(sandbox)
  )
})

describe("the events of the control API", () => {
  it.effect("send the state at once and after each change, at most ten times a second", () =>
    Effect.gen(function* () {
      const { views } = yield* Sandbox
      const fiber = yield* Effect.fork(Stream.runCollect(Stream.take(views, 3)))
      yield* TestClock.adjust("1 minute")
      yield* Effect.replicateEffect(login, 50)
      yield* TestClock.adjust("100 millis")
      yield* login
      yield* TestClock.adjust("100 millis")
      const issued = Chunk.map(yield* Fiber.join(fiber), ({ counters }) => counters.issued)
      assert.deepStrictEqual(Chunk.toReadonlyArray(issued), [0, 50, 51])
    }).pipe(sandbox)
  )

  it.effect("arrive as server-sent events", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const response = yield* client.get(`${url}/_sandbox/events`)
      assert.strictEqual(response.headers["content-type"], "text/event-stream")
      assert.strictEqual(response.headers["cache-control"], "no-store")
      const first = Option.getOrThrow(yield* Stream.runHead(Stream.decodeText(response.stream)))
      const data = /^event: state\ndata: (.*)\n\n$/.exec(first)?.[1] ?? ""
      assert.deepStrictEqual(JSON.parse(data), (yield* get("/_sandbox/state")).json)
    }).pipe(sandbox)
  )
})

describe("with a seed", () => {
  const run = Effect.gen(function* () {
    const first = yield* login
    const second = yield* refresh(first.refresh)
    const { steal, view } = yield* Sandbox
    const theirs = Redacted.value((yield* steal()).accessToken)
    return { first, second: second.json, theirs, sessions: (yield* view).sessions }
  })

  it.effect("the same requests get the same ids and tokens, also after a reset", () =>
    Effect.gen(function* () {
      const one = yield* Effect.provide(run, Sandbox.layer({ seed: 42 }))
      yield* Effect.gen(function* () {
        assert.deepStrictEqual(yield* run, one)
        yield* (yield* Sandbox).reset
        assert.deepStrictEqual(yield* run, one)
      }).pipe(Effect.provide(Sandbox.layer({ seed: 42 })))
      const other = yield* Effect.provide(run, Sandbox.layer({ seed: 43 }))
      assert.notStrictEqual(other.first.refresh, one.first.refresh)
      assert.notStrictEqual(other.first.access, one.first.access)
      const text = yield* Effect.provide(run, Sandbox.layer({ seed: "forty-two" }))
      assert.notStrictEqual(text.first.refresh, one.first.refresh)
      assert.deepStrictEqual(yield* Effect.provide(run, Sandbox.layer({ seed: "42" })), one)
    })
  )

  it.effect("no two tokens are the same, and without a seed no two runs are", () =>
    Effect.gen(function* () {
      const many = yield* Effect.provide(Effect.replicateEffect(login, 50), Sandbox.layer({ seed: "x" }))
      assert.strictEqual(new Set(many.flatMap(({ access, refresh }) => [access, refresh])).size, 100)
      const [one, two] = yield* Effect.all([
        Effect.provide(login, Sandbox.layer()),
        Effect.provide(login, Sandbox.layer())
      ])
      assert.notStrictEqual(one.refresh, two.refresh)
    })
  )
})
