import { once } from "node:events"
import { setTimeout } from "node:timers/promises"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { BALANCE, tokenRequests, withoutTime } from "./calls.js"
import { credentialsOf, type Start, start, tsx } from "./program.js"

/** Lambda stops the process between two invocations, and lets it run for the next one. */
const startFunction = async (options: Start) => {
  const program = start(tsx("test/lambdaRuntime.ts"), { ...options, ipc: true })
  const { child } = program
  await Promise.race([once(child, "message"), program.printed(/Error/).then(() => Promise.reject(program.output()))])
  child.kill("SIGSTOP")
  const invoke = async (): Promise<string> => {
    child.kill("SIGCONT")
    const answer = once(child, "message")
    child.send({})
    const [{ statusCode, body }] = await answer
    child.kill("SIGSTOP")
    return `${statusCode} ${withoutTime(body)}`
  }
  return { invoke, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() }
}

describe.concurrent("lambda.ts", () => {
  it("keeps its token while it is frozen, and survives another login", async () => {
    await using sandbox = await startSandbox()
    await using shop = await startFunction({ env: credentialsOf(sandbox) })
    assert.strictEqual(await shop.invoke(), `200 ${BALANCE}`)
    assert.strictEqual(await shop.invoke(), `200 ${BALANCE}`)
    assert.strictEqual(await tokenRequests(sandbox), 1)
    await sandbox.steal()
    assert.strictEqual(await shop.invoke(), `200 ${BALANCE}`)
    assert.strictEqual(await tokenRequests(sandbox), 2)
  })

  it("renews a token that expired while it was frozen, over connections that were closed meanwhile", async () => {
    await using sandbox = await startSandbox({ accessLifetime: "3 seconds" })
    await using shop = await startFunction({ env: credentialsOf(sandbox) })
    assert.strictEqual(await shop.invoke(), `200 ${BALANCE}`)
    // The sandbox closes an idle connection after 5 seconds, as Node.js does.
    await setTimeout(7_000)
    assert.strictEqual(await shop.invoke(), `200 ${BALANCE}`)
    assert.strictEqual(await tokenRequests(sandbox), 2)
  })
})
