import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Sandbox, type SandboxService } from "nomba-auth/sandbox"
import { credentials, issue, refresh } from "../sandbox/support.js"
import { leaks, printed } from "../support/leaks.js"

const client = {
  clientId: Sandbox.defaultClient.clientId,
  clientSecret: Redacted.make("bm9ib2R5IHNoYWxsIGV2ZXIgcmVhZCB0aGlzIHNlY3I=")
}
const secret = Redacted.value(client.clientSecret)

describe("no secret is printed by", () => {
  const surfaces: Readonly<Record<string, (sandbox: SandboxService) => Effect.Effect<unknown, unknown>>> = {
    "the sandbox itself": Effect.succeed,
    "a session": ({ session }) => session(),
    "the sessions": ({ sessions }) => sessions,
    "the view": ({ view }) => view,
    "the counts": ({ counts }) => counts,
    "the switches": ({ switches }) => switches,
    "a theft": ({ steal }) => steal(),
    "a fault that cannot be": ({ fault }) => fault("issue", { times: 0, answer: { status: 200, body: secret } }),
    "a client that is not known": ({ expire }) => expire("access", secret),
    "a switch that cannot be": ({ configure }) => configure({ dialect: secret as "spec" }),
    "options that cannot be": () =>
      Effect.scoped(Sandbox.make({ clients: [client, client], dialect: secret as "spec", seed: Number.NaN }))
  }
  for (const [name, surface] of Object.entries(surfaces)) {
    it.effect(name, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox
        const first = (yield* issue({ ...credentials, client_secret: secret })).json.data
        const second = (yield* refresh(first.refresh_token)).json.data
        yield* issue({ ...credentials, client_secret: first.access_token })
        const tokens = [first, second].flatMap((one) => [String(one.access_token), String(one.refresh_token)])
        const texts = yield* printed(surface(sandbox))
        assert.isNotEmpty(texts)
        assert.deepStrictEqual(leaks(texts, [secret, ...tokens]), [])
      }).pipe(Effect.provide(Sandbox.layer({ clients: [client], refreshKillsAccessToken: false })))
    )
  }
})
