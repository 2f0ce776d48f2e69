/** One session for several clients over the stores of `nomba-auth/promise`. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect } from "effect"
import { Redis } from "ioredis"
import { createNomba, type NombaStore } from "nomba-auth/promise"
import { fileStore } from "nomba-auth/promise/file"
import { redisStore } from "nomba-auth/promise/redis"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { describeRedis } from "../support/describeRedis.js"

const keys = [{ id: "2026-11", key: Buffer.alloc(32, 7).toString("base64") }]

/** Each store stands for a process of its own. */
const shareOneSession = async (stores: ReadonlyArray<NombaStore>): Promise<void> => {
  await using sandbox = await startSandbox()
  const { clientId, clientSecret } = sandbox.credentials()
  const clients = stores.map((tokenStore) => createNomba({ baseUrl: sandbox.url, clientId, clientSecret, tokenStore }))
  try {
    const tokens = await Promise.all(clients.map((nomba) => nomba.token()))
    assert.strictEqual(new Set(tokens).size, 1)
    assert.strictEqual((await sandbox.counts()).issue.requests, 1)
    assert.sameMembers(
      clients.map((nomba) => nomba.peek()?.origin),
      ["nomba", "store"]
    )
  } finally {
    await Promise.all(clients.map((nomba) => nomba.close()))
  }
}

describe("fileStore", () => {
  it("shares one encrypted session between two processes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "nomba-auth-promise-"))
    try {
      await shareOneSession([fileStore(folder, { keys }), fileStore(folder, { keys })])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describeRedis("redisStore", (server) => {
  it("shares one session between a process with a URL and one with a client of ioredis", async () => {
    const { url } = await Effect.runPromise(server)
    const client = new Redis(url)
    try {
      await shareOneSession([redisStore(url, { keys, commandTimeout: "2 seconds" }), redisStore(client, { keys })])
      assert.strictEqual(client.status, "ready")
    } finally {
      client.disconnect()
    }
  })
})
