import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc, Option, Redacted, Schema } from "effect"
import { Switches } from "nomba-auth/sandbox"
import * as SandboxState from "../../src/sandbox/state/SandboxState.js"
import * as Sessions from "../../src/sandbox/state/Sessions.js"

const lifetime = 10
const refreshLifetime = 25

const newTokens =
  (n: number, now: number) =>
  (clientId: string): Sessions.NewTokens => ({
    clientId,
    tokenId: `${clientId}-${n}`,
    sessionId: `session ${clientId}-${n}`,
    accessToken: Redacted.make(`access ${clientId}-${n}`),
    refreshToken: Redacted.make(`refresh ${clientId}-${n}`),
    issuedAt: now,
    expiresAt: now + lifetime,
    refreshExpiresAt: now + refreshLifetime
  })

const standard = Schema.decodeSync(Switches)({})
const empty = SandboxState.initial(standard)

const presenting = (token: string, now: number, bearer?: string, client = "a"): Sessions.RefreshRequest => ({
  refreshToken: Redacted.make(token),
  bearer: Option.map(Option.fromNullable(bearer), (tokenId) => ({ clientId: client, tokenId })),
  admits: () => true,
  now
})

type Step =
  | {
      readonly do: "issue" | "steal" | "refresh" | "revoke" | "revoke all" | "expire access" | "expire refresh"
      readonly client: string
      readonly of: number
      readonly bearer: number | undefined
    }
  | { readonly do: "wait"; readonly millis: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "issue" as const,
        "steal" as const,
        "refresh" as const,
        "refresh" as const,
        "refresh" as const,
        "revoke" as const,
        "revoke all" as const,
        "expire access" as const,
        "expire refresh" as const
      ),
      client: fc.constantFrom("a", "b"),
      of: fc.nat(12),
      bearer: fc.option(fc.nat(12), { nil: undefined })
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), millis: fc.nat(12) }) }
)

const switches = fc.record({
  singleSession: fc.boolean(),
  refreshKillsAccessToken: fc.boolean(),
  refreshRotation: fc.boolean(),
  refreshReuse: fc.constantFrom("refused" as const, "killsSession" as const),
  refreshBearerExpired: fc.constantFrom("allowed" as const, "refused" as const)
})

/** A session, kept the simplest way there is: numbers of tokens, and until when each is good. */
interface Model {
  readonly client: string
  refresh: number
  refreshUntil: number
  newest: number
  readonly access: Map<number, number>
  readonly spent: Set<number>
}

describe("the state of the sandbox", () => {
  it("accepts exactly the tokens that the switches leave valid, through any history", () => {
    fc.assert(
      fc.property(switches, fc.array(step, { maxLength: 40 }), (turned, steps) => {
        let models: Array<Model> = []
        let state = SandboxState.initial({ ...standard, ...turned })
        let now = 0
        let n = 0
        const run = <A>(transition: SandboxState.Transition<A>): A => {
          const [value, next] = transition(state)
          state = next
          return value
        }

        for (const one of steps) {
          n++
          if (one.do === "wait") {
            now += one.millis
            continue
          }
          const { client } = one
          const own = models.filter((model) => model.client === client)
          const chosen = one.of === 0 ? (own.at(-1)?.refresh ?? 0) : one.of
          if (one.do === "issue" || one.do === "steal") {
            const start = one.do === "issue" ? SandboxState.issue : SandboxState.steal
            run(start(newTokens(n, now)(client)))
            if (turned.singleSession) models = models.filter((model) => model.client !== client)
            const access = new Map([[n, now + lifetime]])
            models.push({
              client,
              refresh: n,
              refreshUntil: now + refreshLifetime,
              newest: n,
              access,
              spent: new Set()
            })
          } else if (one.do === "refresh") {
            const bearer = one.bearer === 0 ? own.at(-1)?.newest : one.bearer
            const model = own.find(({ refresh }) => refresh === chosen)
            const fits = (until: number | undefined) =>
              until !== undefined && (turned.refreshBearerExpired === "allowed" || now < until)
            const allowed =
              model !== undefined &&
              now < model.refreshUntil &&
              (bearer === undefined || fits(model.access.get(bearer)))
            const presented = presenting(
              `refresh ${client}-${chosen}`,
              now,
              bearer === undefined ? undefined : `${client}-${bearer}`,
              client
            )
            const outcome = run(SandboxState.refresh(presented, newTokens(n, now)))
            assert.strictEqual(Either.isRight(outcome), allowed)
            if (model !== undefined && allowed) {
              for (const [token, until] of model.access) {
                if (turned.refreshKillsAccessToken || until <= now) model.access.delete(token)
              }
              model.access.set(n, now + lifetime)
              model.newest = n
              if (turned.refreshRotation) {
                model.spent.add(chosen)
                model.refresh = n
                model.refreshUntil = now + refreshLifetime
              }
            } else if (turned.refreshReuse === "killsSession") {
              models = models.filter((model) => model.client !== client || !model.spent.has(chosen))
            }
          } else if (one.do === "revoke") {
            const bearer = { clientId: client, tokenId: `${client}-${chosen}` }
            const model = own.find(({ access }) => now < (access.get(chosen) ?? 0))
            assert.strictEqual(
              Either.isRight(run(SandboxState.revoke(bearer, bearer.tokenId, now))),
              model !== undefined
            )
            models = models.filter((other) => other !== model)
          } else if (one.do === "revoke all") {
            assert.strictEqual(run(SandboxState.revokeAll(client)), own.length)
            models = models.filter((model) => model.client !== client)
          } else {
            const which = one.do === "expire access" ? "access" : "refresh"
            assert.strictEqual(run(SandboxState.expire(client, which, now)), own.length)
            for (const model of own) {
              if (which === "refresh") model.refreshUntil = now
              else for (const token of model.access.keys()) model.access.set(token, now)
            }
          }
          assert.strictEqual(Sessions.all(state.sessions).length, models.length)
          for (const clientId of ["a", "b"]) {
            for (let token = 0; token <= n; token++) {
              const alive = Sessions.authenticate({ clientId, tokenId: `${clientId}-${token}` }, now)(state.sessions)
              const expected = models.some(
                ({ access, client }) => client === clientId && now < (access.get(token) ?? 0)
              )
              assert.strictEqual(Either.isRight(alive), expected, `${clientId}-${token}`)
            }
          }
        }
      }),
      { numRuns: 300 }
    )
  })

  const issues = (times: number, from = 0, state = empty) => {
    let after = state
    for (let n = from; n < from + times; n++) after = SandboxState.issue(newTokens(n, n)("a"))(after)[1]
    return after
  }

  it("does not grow with the number of sessions", () => {
    const { counts, sessions } = issues(1000)
    assert.lengthOf(Sessions.all(sessions), 1)
    assert.lengthOf(sessions.ended, 256)
    assert.strictEqual(counts.issued, 1000)
  })

  it("keeps the newest 16 sessions of a client if several are allowed", () => {
    const { sessions } = issues(1000, 0, SandboxState.initial({ ...standard, singleSession: false }))
    assert.deepStrictEqual(
      Sessions.all(sessions).map(({ tokenId }) => tokenId),
      Array.from({ length: 16 }, (_, n) => `a-${984 + n}`)
    )
    assert.lengthOf(sessions.ended, 256)
  })

  it("keeps 8 earlier access tokens of a session if a refresh leaves them valid", () => {
    const lenient = SandboxState.initial({ ...standard, refreshKillsAccessToken: false, refreshRotation: false })
    let state = issues(1, 0, lenient)
    for (let n = 1; n < 100; n++) {
      state = SandboxState.refresh(presenting("refresh a-0", 0), newTokens(n, 0))(state)[1]
    }
    assert.lengthOf(Sessions.all(state.sessions)[0]?.earlier ?? [], 8)
    assert.lengthOf(state.sessions.ended, 0)
  })

  it("says why a refresh token is invalid, and rejects it even after it forgot the reason", () => {
    const outcome = (state: SandboxState.State, token: string) =>
      SandboxState.refresh(presenting(token, 0), newTokens(-1, 0))(state)[0]
    assert.deepStrictEqual(outcome(issues(2), "refresh a-0"), Either.left("replaced" as const))
    assert.deepStrictEqual(outcome(issues(300), "refresh a-0"), Either.left("unknown" as const))
  })

  it("says that a session ended because its refresh token was used twice", () => {
    const strict = SandboxState.initial({ ...standard, refreshReuse: "killsSession" })
    const refreshing = (token: string, n: number) => SandboxState.refresh(presenting(token, 0), newTokens(n, 0))
    const once = refreshing("refresh a-0", 1)(issues(1, 0, strict))[1]
    const [again, after] = refreshing("refresh a-0", 2)(once)
    assert.deepStrictEqual(again, Either.left("used" as const))
    assert.deepStrictEqual(refreshing("refresh a-1", 3)(after)[0], Either.left("reused" as const))
  })

  it("keeps exactly the last 200 requests", () => {
    let state = empty
    const entry = {
      at: 0,
      took: 0,
      method: "GET",
      path: "/",
      operation: "other",
      status: 404,
      outcome: "refused"
    } as const
    for (let n = 0; n < 1000; n++) state = SandboxState.recordAnswer(empty, entry)(state)[1]
    assert.lengthOf(state.log.entries, 200)
    assert.deepStrictEqual([state.log.entries[0]?.id, state.log.entries[199]?.id], [1000, 801])
    assert.deepStrictEqual(state.counts.other.statuses, { 404: 1000 })
  })
})
