/** The recipes that are modules of an Effect program. */

import { FetchHttpClient } from "@effect/platform"
import { RpcClient, RpcSerialization } from "@effect/rpc"
import { Duration, Effect, Either, Layer, ManagedRuntime, Redacted } from "effect"
import { Nomba, TokenStoreMemory } from "nomba-auth"
import { type SandboxHandle, startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { Merchants as PromiseMerchants } from "../merchants.js"
import { balance, Credentials, Merchants } from "../merchantsEffect.js"
import { resources } from "../resources.js"
import { BalanceRpcs, NombaUnavailable } from "../rpcContract.js"
import { BALANCE, tokenRequests, withoutTime } from "./calls.js"
import { credentialsOf, freePort, start, tsx } from "./program.js"

const names = ["bakery", "garage", "school"]
const clients = names.map((name, index) => ({
  clientId: `the-client-of-the-${name}`,
  clientSecret: `c2VjcmV0IG9mIHRoZSA${name}`,
  accountId: `0000000${index}-1111-4222-8333-444444444444`
}))
const clientOf = (name: string) => {
  const client = clients[names.indexOf(name)]
  if (client === undefined) throw new Error(`there is no ${name}`)
  return client
}

/** Which client asked for the balance, and how often. */
const balancesBy = async (sandbox: SandboxHandle) => {
  const { requests } = await sandbox.view()
  const asked = requests.filter(({ path, status }) => path === "/v1/accounts/balance" && status === 200)
  return names.map((name) => asked.filter(({ clientId }) => clientId === clientOf(name).clientId).length)
}

describe.concurrent("several merchants in one process", () => {
  it("merchants.ts makes one token request for each, and another login as one costs the others nothing", async () => {
    await using sandbox = await startSandbox({ clients })
    const merchants = new PromiseMerchants((name) => ({ ...clientOf(name), baseUrl: sandbox.url }))
    const ask = async (name: string) =>
      withoutTime(JSON.stringify(await merchants.client(name).request("/v1/accounts/balance")))
    const all = () => Promise.all(Array.from({ length: 10 }, () => names.map(ask)).flat())
    await sandbox.fault("issue", { latency: "100 millis", times: "always" })
    assert.deepStrictEqual(new Set(await all()), new Set([BALANCE]))
    assert.deepStrictEqual(await balancesBy(sandbox), [10, 10, 10])
    assert.strictEqual(await tokenRequests(sandbox), 3)
    await sandbox.steal(clientOf("garage").clientId)
    await all()
    assert.strictEqual(await tokenRequests(sandbox), 4)
    await merchants.close()
  })

  it("merchantsEffect.ts makes one token request for each, and another login as one costs the others nothing", async () => {
    await using sandbox = await startSandbox({ clients })
    const CredentialsTest = Layer.succeed(Credentials, {
      find: (name) => {
        const { clientSecret, ...client } = clientOf(name)
        return Effect.succeed({ ...client, clientSecret: Redacted.make(clientSecret), baseUrl: sandbox.url })
      }
    })
    const runtime = ManagedRuntime.make(Merchants.Default.pipe(Layer.provide(CredentialsTest)))
    const all = Effect.forEach(Array.from({ length: 10 }, () => names).flat(), (name) => balance(name), {
      concurrency: "unbounded"
    })
    assert.deepStrictEqual(await runtime.runPromise(all), Array(30).fill(JSON.parse(BALANCE)))
    assert.deepStrictEqual(await balancesBy(sandbox), [10, 10, 10])
    assert.strictEqual(await tokenRequests(sandbox), 3)
    await sandbox.steal(clientOf("garage").clientId)
    await runtime.runPromise(all)
    assert.strictEqual(await tokenRequests(sandbox), 4)
    await runtime.dispose()
  })
})

describe.concurrent("resources.ts", () => {
  const using = async <A, E>(sandbox: SandboxHandle, effect: Effect.Effect<A, E, Nomba.Services>) => {
    const { clientId, clientSecret } = sandbox.credentials()
    const NombaLive = Nomba.layer({
      baseUrl: sandbox.url,
      clientId,
      clientSecret: Redacted.make(clientSecret)
    }).pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))
    return await Effect.runPromise(Effect.provide(effect, NombaLive))
  }

  it("decodes the data of a response", async () => {
    await using sandbox = await startSandbox()
    const answer = await using(
      sandbox,
      Effect.flatMap(resources, ({ accounts }) => accounts.balance())
    )
    assert.deepStrictEqual(answer, { amount: 250_000, currency: "NGN" })
  })

  it("fails if Nomba says so with HTTP 200, and sends a transfer's payload", async () => {
    await using sandbox = await startSandbox()
    const payload = { amount: 5_000, accountNumber: "0000000000", merchantTxRef: "order-1234" }
    await sandbox.respond({
      method: "POST",
      path: "/v2/transfers/bank",
      body: { code: "400", description: "Insufficient balance", status: false }
    })
    const failure = await using(
      sandbox,
      Effect.flatMap(resources, ({ transfers }) => Effect.flip(transfers.bank({ payload })))
    )
    assert.deepInclude(failure, { _tag: "NombaRequestFailed", description: "Insufficient balance" })
  })
})

describe.concurrent("rpc.ts", () => {
  it("answers with one token request for 20 cold calls, tells that Nomba is down, survives another login, and ends cleanly", async () => {
    await using sandbox = await startSandbox()
    const port = await freePort()
    const env = { ...credentialsOf(sandbox), HOST: "127.0.0.1", PORT: String(port) }
    await using program = start(tsx("rpc.ts"), { env })
    await program.printed("Listening on")
    const ProtocolLive = RpcClient.layerProtocolHttp({ url: `http://127.0.0.1:${port}/rpc` }).pipe(
      Layer.provide([FetchHttpClient.layer, RpcSerialization.layerNdjson])
    )
    // One client: a protocol serves one at a time.
    const call = async (count: number) => {
      const calls = Effect.gen(function* () {
        const client = yield* RpcClient.make(BalanceRpcs)
        return yield* Effect.replicateEffect(Effect.either(client.Balance()), count, { concurrency: "unbounded" })
      })
      return await Effect.runPromise(Effect.scoped(calls).pipe(Effect.provide(ProtocolLive)))
    }
    const amounts = async () => new Set((await call(20)).map((answer) => Either.isRight(answer) && answer.right.amount))
    assert.deepStrictEqual(await amounts(), new Set(["250000.00"]))
    assert.strictEqual(await tokenRequests(sandbox), 1)
    await sandbox.steal()
    assert.deepStrictEqual(await amounts(), new Set(["250000.00"]))
    assert.strictEqual(await tokenRequests(sandbox), 2)
    await sandbox.steal()
    await sandbox.fault("issue", { answer: { status: 503, headers: { "retry-after": "60" } } })
    const [failed] = await call(1)
    if (failed === undefined || Either.isRight(failed)) assert.fail("it succeeded")
    assert.instanceOf(failed.left, NombaUnavailable)
    assert.isAbove(Duration.toSeconds(failed.left.retryAfter), 30)
    program.child.kill("SIGTERM")
    assert.deepStrictEqual(await program.ended, { code: 0, signal: null }, program.output())
  })
})
