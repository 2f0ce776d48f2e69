import { readFileSync } from "node:fs"
import { type RequestOptions, request } from "node:https"
import { inspect } from "node:util"
import { type LoggedRequest, SandboxError, type StartOptions, startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { authorizePage } from "../support/authorizePage.js"

const refused = async (promise: Promise<unknown>): Promise<SandboxError> => {
  try {
    await promise
  } catch (error) {
    assert.instanceOf(error, SandboxError)
    return error
  }
  throw new Error("it was not refused")
}

const login = async (url: string, { clientId, clientSecret }: { clientId: string; clientSecret: string }) => {
  const response = await fetch(`${url}/v1/auth/token/issue`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret })
  })
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever came
  return { status: response.status, json: (await response.json()) as any }
}

const balance = async (url: string, token: string) =>
  (await fetch(`${url}/v1/accounts/balance`, { headers: { authorization: `Bearer ${token}` } })).status

describe("startSandbox", () => {
  it("starts a sandbox with all controls", async () => {
    const sandbox = await startSandbox({ accessLifetime: "1 minute" })
    try {
      const { json } = await login(sandbox.url, sandbox.credentials())
      const token = json.data.access_token
      assert.strictEqual(json.data.expires_in, 60)
      assert.strictEqual((await sandbox.session())?.accessToken, token)
      assert.strictEqual(await balance(sandbox.url, token), 200)

      const before = await sandbox.now()
      const after = await sandbox.advance("1 minute")
      assert.isAtLeast(after.getTime() - before.getTime(), 60_000)
      assert.strictEqual(await balance(sandbox.url, token), 401)

      const stolen = await sandbox.steal()
      assert.strictEqual(await balance(sandbox.url, stolen.accessToken), 200)
      assert.instanceOf(stolen.expiresAt, Date)
      await sandbox.expire("access")
      assert.strictEqual(await balance(sandbox.url, stolen.accessToken), 401)
      await sandbox.revoke()
      assert.isUndefined(await sandbox.session())

      await sandbox.fault("issue", { answer: { status: 503 }, times: "always" })
      assert.strictEqual((await login(sandbox.url, sandbox.credentials())).status, 503)
      await sandbox.clearFaults()
      assert.include(await sandbox.configure({ badCredentials: 403 }), { badCredentials: 403 })
      const wrong = { ...sandbox.credentials(), clientSecret: "wrong" }
      assert.strictEqual((await login(sandbox.url, wrong)).status, 403)
      assert.strictEqual((await sandbox.counts()).issue.requests, 3)
      assert.strictEqual((await sandbox.view()).requests[0]?.status, 403)
      assert.strictEqual((await sandbox.switches()).badCredentials, 403)

      await sandbox.setTime("2030-01-01T00:00:00Z")
      assert.strictEqual((await sandbox.now()).getUTCFullYear(), 2030)
      await sandbox.reset()
      assert.isBelow(Math.abs((await sandbox.now()).getTime() - Date.now()), 60_000)
      assert.strictEqual((await sandbox.counts()).issue.requests, 0)
      assert.strictEqual((await sandbox.switches()).badCredentials, 401)
    } finally {
      await sandbox.close()
    }
  })

  it("closes once, however often it is called, and with `await using`", async () => {
    const sandbox = await startSandbox()
    await sandbox[Symbol.asyncDispose]()
    await Promise.all([sandbox.close(), sandbox.close()])
    assert.match((await refusedFetch(sandbox.url)).message, /fetch failed/)
  })

  it("knows the given clients, and prints no secret", async () => {
    const clients = [
      { clientId: "one", clientSecret: "first-secret" },
      { clientId: "two", clientSecret: "second-secret", accountId: "account" }
    ]
    const sandbox = await startSandbox({ clients, seed: 7 })
    try {
      assert.deepStrictEqual(sandbox.credentials("two"), clients[1])
      assert.strictEqual((await login(sandbox.url, sandbox.credentials("two"))).status, 200)
      assert.throws(() => sandbox.credentials("three"), SandboxError)
      for (const printed of [inspect(sandbox, { depth: 9, showHidden: true }), JSON.stringify(sandbox)]) {
        for (const { clientSecret } of clients) assert.notInclude(printed, clientSecret)
      }
    } finally {
      await sandbox.close()
    }
  })

  it("lets a user log in at a public client, which has no credentials", async () => {
    const redirectUri = "http://127.0.0.1:1/callback"
    const sandbox = await startSandbox({ clients: [{ clientId: "public", redirectUris: [redirectUri] }] })
    try {
      assert.include(await authorizePage(sandbox.url, "public", redirectUri), "Approve")
      assert.throws(() => sandbox.credentials(), /clientSecret/)
      assert.strictEqual((await login(sandbox.url, { clientId: "public", clientSecret: "any" })).status, 401)
    } finally {
      await sandbox.close()
    }
  })

  it("lets a user log in at the default client", async () => {
    const sandbox = await startSandbox()
    try {
      const { clientId, redirectUris = [] } = sandbox.credentials()
      assert.isAbove(redirectUris.length, 0)
      for (const uri of redirectUris) assert.include(await authorizePage(sandbox.url, clientId, uri), "Approve")
    } finally {
      await sandbox.close()
    }
  })

  const wrong: ReadonlyArray<readonly [string, object]> = [
    ["port", { port: -1 }],
    ["dialect", { dialect: "french" }],
    ["dialct", { dialct: "spec" }],
    ["clients", { clients: [] }],
    ["clients.0", { clients: [{ clientId: "c" }] }],
    ["clients.0.clientSecret", { clients: [{ clientId: "c", clientSecret: "" }] }],
    [
      "clients.0.subAccountIds.0",
      { clients: [{ clientId: "c", clientSecret: "s", accountId: "a", subAccountIds: ["a"] }] }
    ],
    ["port", { port: 6000 }],
    ["port", { port: 10_080 }],
    ["tls", { tls: { cert: "a certificate" } }],
    ["tls", { tls: { cert: "not PEM", key: "not PEM" } }],
    ["onRequest", { onRequest: "console.log" }],
    ["builtInResources", { builtInResources: "yes" }],
    ["resources.0.path", { resources: [{ method: "GET", path: "/elsewhere" }] }]
  ]
  for (const [name, options] of wrong) {
    it(`rejects with what to change: ${JSON.stringify(options)}`, async () => {
      const error = await refused(startSandbox(options as StartOptions))
      assert.strictEqual(error.reason, "Options")
      assert.lengthOf(error.issues, 1)
      assert.isTrue(error.issues[0]?.startsWith(`${name}: `), error.message)
    })
  }

  it("serves HTTPS with a certificate, its control API and page guard included", async () => {
    const pem = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}.pem`, import.meta.url), "utf8")
    await using sandbox = await startSandbox({ tls: { cert: pem("certificate"), key: pem("key") } })
    const status = (path: string, options: RequestOptions = {}, body = "") =>
      new Promise<number | undefined>((resolve, reject) => {
        const asked = request(`${sandbox.url}${path}`, { rejectUnauthorized: false, ...options }, (response) => {
          response.resume()
          resolve(response.statusCode)
        })
        asked.on("error", reject).end(body)
      })
    assert.match(sandbox.url, /^https:\/\/127\.0\.0\.1:\d+$/)
    assert.strictEqual(await status("/"), 200)
    const headers = { "content-type": "application/json", origin: sandbox.url, "sec-fetch-site": "same-origin" }
    const steal = (more: object) =>
      status("/_sandbox/sessions/steal", { method: "POST", headers: { ...headers, ...more } }, "{}")
    assert.strictEqual(await steal({}), 200)
    assert.strictEqual(await steal({ origin: "https://evil.example", "sec-fetch-site": "cross-site" }), 403)
    assert.strictEqual(await status("/", { headers: { host: "sandbox.nomba.com" } }), 403)
    assert.strictEqual(await status("/health", { headers: { host: "sandbox.nomba.com" } }), 200)
  })

  it("calls onRequest after each request, without its query and its secrets", async () => {
    const requests: Array<LoggedRequest> = []
    await using sandbox = await startSandbox({ onRequest: (request) => requests.push(request) })
    const { clientSecret } = sandbox.credentials()
    await fetch(`${sandbox.url}/v1/accounts/balance?secret=${clientSecret}`)
    await fetch(`${sandbox.url}/v1/${encodeURIComponent(clientSecret)}`)
    assert.deepStrictEqual(
      requests.map(({ took: _, ...request }) => request),
      ["/v1/accounts/balance", "/v1/…"].map((path) => ({
        method: "GET",
        path,
        clientId: undefined,
        status: 401,
        outcome: "refused" as const,
        why: "Authorization: is missing"
      }))
    )
  })

  it("answers although onRequest throws", async () => {
    await using sandbox = await startSandbox({
      onRequest: () => {
        throw new Error("a mistake in the test")
      }
    })
    assert.strictEqual((await fetch(`${sandbox.url}/v1/accounts/balance`)).status, 401)
    assert.strictEqual((await sandbox.counts()).resource.refused, 1)
  })

  it("rejects with the SandboxError itself", async () => {
    const sandbox = await startSandbox()
    try {
      assert.strictEqual((await refused(sandbox.expire("access"))).reason, "Session")
      assert.strictEqual((await refused(sandbox.steal("nobody"))).reason, "Client")
      assert.strictEqual((await refused(sandbox.fault("issue", { times: 0 }))).reason, "Fault")
      for (const duration of ["4000 days", -1, "-1 minute", Number.NaN, "soon" as "1 minute"] as const) {
        assert.strictEqual((await refused(sandbox.advance(duration))).reason, "Clock")
      }
      assert.strictEqual((await refused(startSandbox({ port: Number(new URL(sandbox.url).port) }))).reason, "Listen")
    } finally {
      await sandbox.close()
    }
  })
})

const refusedFetch = async (url: string): Promise<Error> => {
  try {
    await fetch(url)
  } catch (error) {
    return error as Error
  }
  throw new Error("it answered")
}

describe("startSandbox with options that TypeScript would refuse", () => {
  for (const [name, clients] of [
    ["clients", null],
    ["clients", "c"],
    ["clients.0", [null]],
    ["clients.0.clientSecret", [{ clientId: "c", clientSecret: null }]]
  ] as const) {
    it(`rejects with an error that names ${name}: ${JSON.stringify(clients)}`, async () => {
      const error = await startSandbox({ clients } as unknown as StartOptions).then(
        () => undefined,
        (error: unknown) => error
      )
      assert.instanceOf(error, SandboxError)
      assert.match(error.message, new RegExp(`^${name}: `))
    })
  }
})
