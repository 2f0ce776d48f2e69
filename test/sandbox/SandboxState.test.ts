import { assert, describe, it } from "@effect/vitest"
import { Either, FastCheck as fc, HashMap, Option, Redacted } from "effect"
import * as SandboxState from "../../src/sandbox/SandboxState.js"

const lifetime = 10
const refreshLifetime = 25

const minting = (n: number, now: number) => (clientId: string) => ({
  clientId,
  tokenId: `${clientId}-${n}`,
  accessToken: Redacted.make(`access ${clientId}-${n}`),
  refreshToken: Redacted.make(`refresh ${clientId}-${n}`),
  issuedAt: now,
  expiresAt: now + lifetime,
  refreshExpiresAt: now + refreshLifetime
})

type Step =
  | {
      readonly do: "issue" | "refresh" | "revoke" | "expire access" | "expire refresh"
      readonly client: string
      readonly of: number
    }
  | { readonly do: "wait"; readonly millis: number }

const act = fc.constantFrom(
  "issue" as const,
  "refresh" as const,
  "revoke" as const,
  "expire access" as const,
  "expire refresh" as const
)

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: act, client: fc.constantFrom("a", "b"), of: fc.nat(12) }),
  fc.record({ do: fc.constant("wait" as const), millis: fc.nat(12) })
)

/** What a client may still use, kept the simplest way there is. */
interface Model {
  readonly n: number
  readonly accessUntil: number
  readonly refreshUntil: number
}

describe("the state of the sandbox", () => {
  it("lets a client use its last session and nothing older, through any history", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const model = new Map<string, Model>()
        let state = SandboxState.empty
        let now = 0
        let n = 0
        const run = <A>(transition: SandboxState.Transition<A>): A => {
          const [value, next] = transition(state)
          state = next
          return value
        }
        const begins = (client: string) =>
          model.set(client, { n, accessUntil: now + lifetime, refreshUntil: now + refreshLifetime })

        for (const one of steps) {
          n++
          if (one.do === "wait") {
            now += one.millis
            continue
          }
          const { client, of } = one
          const held = model.get(client)
          if (one.do === "issue") {
            run(SandboxState.issue(minting(n, now)(client)))
            begins(client)
          } else if (one.do === "refresh") {
            const chosen = of === 0 && held !== undefined ? held.n : of
            const presented = {
              refreshToken: Redacted.make(`refresh ${client}-${chosen}`),
              bearer: Option.none(),
              admits: () => true,
              now
            }
            const allowed = held?.n === chosen && now < held.refreshUntil
            assert.strictEqual(Either.isRight(run(SandboxState.refresh(presented, minting(n, now)))), allowed)
            if (allowed) begins(client)
          } else if (one.do === "revoke") {
            const chosen = of === 0 && held !== undefined ? held.n : of
            const bearer = { clientId: client, tokenId: `${client}-${chosen}` }
            const allowed = held?.n === chosen && now < held.accessUntil
            assert.strictEqual(Either.isRight(run(SandboxState.revoke(bearer, bearer.tokenId, now))), allowed)
            if (allowed) model.delete(client)
          } else {
            const which = one.do === "expire access" ? "access" : "refresh"
            assert.strictEqual(run(SandboxState.expire(client, which, now)), held !== undefined)
            if (held !== undefined) model.set(client, { ...held, [`${which}Until`]: now })
          }
          assert.strictEqual(HashMap.size(state.sessions), model.size)
          for (const [clientId, { accessUntil, n }] of model) {
            const alive = SandboxState.authenticate({ clientId, tokenId: `${clientId}-${n}` }, now)(state)
            assert.strictEqual(Either.isRight(alive), now < accessUntil)
          }
        }
      }),
      { numRuns: 300 }
    )
  })

  it("does not grow with the number of sessions", () => {
    let state = SandboxState.empty
    for (let n = 0; n < 1000; n++) state = SandboxState.issue(minting(n, n)("a"))(state)[1]
    assert.strictEqual(HashMap.size(state.sessions), 1)
    assert.strictEqual(state.ended.length, 256)
    assert.strictEqual(state.counts.issued, 1000)
  })

  it("says why a refresh token is no good as long as it remembers, and refuses it afterwards too", () => {
    const present = (token: string) =>
      SandboxState.refresh(
        { refreshToken: Redacted.make(token), bearer: Option.none(), admits: () => true, now: 0 },
        minting(-1, 0)
      )
    let state = SandboxState.issue(minting(0, 0)("a"))(SandboxState.empty)[1]
    state = SandboxState.issue(minting(1, 0)("a"))(state)[1]
    assert.deepStrictEqual(present("refresh a-0")(state)[0], Either.left("replaced"))
    for (let n = 2; n < 300; n++) state = SandboxState.issue(minting(n, 0)("a"))(state)[1]
    assert.deepStrictEqual(present("refresh a-0")(state)[0], Either.left("unknown"))
  })
})
