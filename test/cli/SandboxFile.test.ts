import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, Redacted } from "effect"
import { Sandbox, type SandboxError } from "nomba-auth/sandbox"
import * as SandboxFile from "../../src/cli/SandboxFile.js"
import { leaks, printed } from "../support/leaks.js"

const read = (content: string) =>
  Effect.provide(
    SandboxFile.read("sandbox.json"),
    FileSystem.layerNoop({ readFileString: () => Effect.succeed(content) })
  )

/** Reads the file and starts a sandbox by it, as the command does. */
const started = (content: string): Effect.Effect<void, SandboxError> =>
  Effect.scoped(Effect.asVoid(Effect.flatMap(read(content), (options) => Sandbox.make(options))))

describe("the file of --config", () => {
  it.effect("takes clients, a seed, the place to listen and switches", () =>
    Effect.gen(function* () {
      const options = yield* read(
        JSON.stringify({
          clients: [{ clientId: "a", clientSecret: "sesame", accountId: "b" }],
          seed: 1,
          host: "127.0.0.1",
          port: 0,
          allowedHosts: ["sandbox"],
          dialect: "live",
          accessLifetime: "5 seconds"
        })
      )
      assert.deepStrictEqual(options, {
        clients: [{ clientId: "a", clientSecret: Redacted.make("sesame"), accountId: "b" }],
        seed: 1,
        host: "127.0.0.1",
        port: 0,
        allowedHosts: ["sandbox"],
        dialect: "live",
        accessLifetime: "5 seconds"
      })
      assert.deepStrictEqual(leaks(yield* printed(Effect.succeed(options)), ["sesame"]), [])
    })
  )

  it.effect("may be empty of choices", () => started("{}"))

  it.effect("takes a client without a secret, and where its end users come back to", () =>
    Effect.gen(function* () {
      const clients = [{ clientId: "a", redirectUris: ["http://127.0.0.1/callback"] }]
      const options = yield* read(JSON.stringify({ clients }))
      assert.deepStrictEqual(options, { clients })
      yield* started(JSON.stringify({ clients }))
    })
  )

  for (const [what, content, said] of [
    ["no JSON", "{ clients: sesame", "is not JSON"],
    ["no object", "[1]", "the file: must be an object"],
    ["a switch that there is not", '{"dialekt":"sesame"}', "sandbox.json: dialekt: is not known"],
    ["a switch turned too far", '{"dialect":"sesame"}', "dialect: must be one of both, spec, live"],
    ["clients that are no list", '{"clients":{"clientSecret":"sesame"}}', "clients: must be"],
    ["no clients", '{"clients":[]}', "clients: at least one is needed"],
    [
      "a client that nobody could use",
      '{"clients":[{"clientId":"a"}]}',
      "clients.0: has neither a clientSecret nor redirectUris"
    ],
    [
      "no secret where there is one",
      '{"clients":[{"clientId":"a","clientSecret":null}]}',
      "clients.0.clientSecret: must"
    ],
    [
      "a secret that is none",
      '{"clients":[{"clientId":"a","clientSecret":["sesame"]}]}',
      "clients.0.clientSecret: must"
    ],
    ["an empty secret", '{"clients":[{"clientId":"a","clientSecret":""}]}', "clients.0.clientSecret: is empty"],
    [
      "a redirect URI that is none",
      '{"clients":[{"clientId":"a","redirectUris":["sesame"]}]}',
      "clients.0.redirectUris.0: must be an absolute URI"
    ],
    [
      "redirect URIs that are no list",
      '{"clients":[{"clientId":"a","redirectUris":"sesame"}]}',
      "clients.0.redirectUris: must be a list of texts"
    ],
    [
      "a member of a client that there is not",
      '{"clients":[{"clientId":"a","clientSecret":"sesame","secret":"sesame"}]}',
      "clients.0.secret: is not known"
    ],
    ["a seed that is none", '{"seed":{"sesame":1}}', "seed: must be text or a number"],
    ["names that are no list", '{"allowedHosts":"sesame"}', "allowedHosts: must be a list of texts"],
    ["a port that is none", '{"port":"sesame"}', "port: must be a number"]
  ] as const) {
    it.effect(`with ${what} is refused in words that hold no value of it`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(started(content))
        assert.include(error.message, said)
        assert.deepStrictEqual(leaks(yield* printed(started(content)), ["sesame"]), [])
      })
    )
  }

  it.effect("that is not there is named", () =>
    Effect.gen(function* () {
      const missing = yield* Effect.either(Effect.provide(SandboxFile.read("nowhere.json"), FileSystem.layerNoop({})))
      assert.include(Either.isLeft(missing) ? missing.left.message : "", "nowhere.json: cannot be read (NotFound)")
    })
  )
})
