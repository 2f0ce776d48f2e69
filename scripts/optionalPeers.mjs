// What npm run package runs in a folder with the package, effect and @effect/platform alone ("missing"), and again after the
// commands that it prints ("installed").
import assert from "node:assert/strict"
import { execFileSync } from "node:child_process"
import { Cause, Effect, Exit, Layer, Redacted } from "effect"
import { SessionCodec } from "nomba-auth"
import { TokenStoreEnv } from "nomba-auth/node"
import { createNomba } from "nomba-auth/promise"
import { redisStore } from "nomba-auth/promise/redis"
import { TokenStoreRedis } from "nomba-auth/redis"
import { Sandbox, startSandbox } from "nomba-auth/sandbox"
import { NombaTest, tokenStoreContract } from "nomba-auth/testing"

const url = "redis://127.0.0.1:1"
process.env.NOMBA_TOKEN_STORE = url
const client = { baseUrl: "https://nomba.example", clientId: "one", clientSecret: "two", accountId: "three" }

const problemOf = (cause) => String(Cause.squash(cause).message)
const failureOf = async (layer) =>
  Exit.match(await Effect.runPromiseExit(Effect.scoped(Layer.build(layer))), {
    onFailure: problemOf,
    onSuccess: () => undefined
  })
const rejectionOf = (promise) =>
  promise.then(
    () => undefined,
    ({ message }) => message
  )

const nomba = createNomba({ ...client, tokenStore: redisStore(url) })
const server = Effect.scoped(Layer.build(Sandbox.layerServer()))
const messages = {
  redis: {
    "TokenStoreRedis.layer": await failureOf(
      TokenStoreRedis.layer({ url: Redacted.make(url), codec: SessionCodec.plain })
    ),
    "TokenStoreRedis.layerConfig": await failureOf(TokenStoreRedis.layerConfig()),
    "TokenStoreEnv.layer": await failureOf(TokenStoreEnv.layer),
    redisStore: await rejectionOf(nomba.token())
  },
  sandbox: {
    startSandbox: await rejectionOf(startSandbox().then((sandbox) => sandbox.close())),
    "Sandbox.layerServer": await rejectionOf(Effect.runPromise(server))
  }
}
await nomba.close()

// What needs neither.
await Effect.runPromise(Effect.scoped(Layer.build(Sandbox.layer())))
assert.ok(NombaTest !== undefined && tokenStoreContract !== undefined)
const env = {
  ...process.env,
  NOMBA_CLIENT_ID: "one",
  NOMBA_CLIENT_SECRET: "two",
  NOMBA_BASE_URL: "https://nomba.example"
}
const bin = (...args) =>
  execFileSync("npx", ["--no-install", "nomba-auth", ...args], { encoding: "utf8", env, stdio: "pipe" })
const viewer = `
  const response = await fetch(process.env.NOMBA_BASE_URL + "/docs/scalar.js")
  process.exit((await response.text()).includes("@scalar/api-reference") ? 0 : 1)`
bin("sandbox", "--port", "0", "--quiet", "--", "node", "--input-type=module", "-e", viewer)
assert.throws(
  () => bin("status"),
  ({ stderr }) => /Redis at 127\.0\.0\.1:1/.test(stderr) && !/MODULE_NOT_FOUND/.test(stderr)
)

if (process.argv[2] === "missing") {
  const lines = { redis: "npm install ioredis@5", sandbox: "npm install @effect/platform-node@0.108" }
  for (const [peer, line] of Object.entries(lines)) {
    for (const [name, message] of Object.entries(messages[peer])) {
      assert.ok(message?.includes(line), `${name} says ${message}`)
      assert.doesNotMatch(message, /ERR_MODULE_NOT_FOUND|Cannot find/)
    }
    console.log(line)
  }
} else {
  const { redisStore: unreachable, ...layers } = messages.redis
  assert.match(unreachable, /Redis at 127\.0\.0\.1:1.*ECONNREFUSED/)
  for (const message of [...Object.values(layers), ...Object.values(messages.sandbox)]) assert.equal(message, undefined)
}
