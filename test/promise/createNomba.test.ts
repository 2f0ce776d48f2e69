import { once } from "node:events"
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"
import { setImmediate } from "node:timers/promises"
import { inspect } from "node:util"
import { Schema } from "effect"
import {
  createNomba,
  InvalidCredentials,
  InvalidRequest,
  isNombaError,
  type Nomba,
  NombaConfigError,
  type NombaOptions,
  NombaRequestFailed,
  type NombaSessionEvent,
  type NombaStore,
  Unavailable,
  UnexpectedResponse
} from "nomba-auth/promise"
import { fileStore } from "nomba-auth/promise/file"
import { redisStore } from "nomba-auth/promise/redis"
import { type SandboxHandle, startSandbox } from "nomba-auth/sandbox"
import { afterAll, assert, beforeAll, describe, expectTypeOf, it } from "vitest"

const rejection = async (promise: Promise<unknown>): Promise<unknown> => {
  try {
    await promise
  } catch (error) {
    return error
  }
  return assert.fail("it did not reject")
}

const firstFrame = ({ stack }: Error): string | undefined => stack?.split("\n").find((line) => line.includes(" at "))

const settings = (sandbox: SandboxHandle): NombaOptions => {
  const { accountId, clientId, clientSecret } = sandbox.credentials()
  return { baseUrl: sandbox.url, clientId, clientSecret, accountId }
}

/** A sandbox and a client for one test. */
const isolated =
  (use: (nomba: Nomba, sandbox: SandboxHandle) => Promise<void>, options: NombaOptions = {}): (() => Promise<void>) =>
  async () => {
    await using sandbox = await startSandbox()
    await using nomba = createNomba({ ...settings(sandbox), ...options })
    await use(nomba, sandbox)
  }

/** A `fetch` that answers token requests, and everything else with `answer`. */
const scripted = (answer: (url: string, init: RequestInit) => Response | Promise<Response>) => {
  const requests: Array<{ readonly url: string; readonly init: RequestInit }> = []
  const fetch = (async (input: string | URL | Request, init: RequestInit = {}) => {
    const url = String(input)
    requests.push({ url, init })
    if (!url.includes("/auth/token/")) return answer(url, init)
    return Response.json({
      code: "00",
      description: "Success",
      data: { access_token: `token-${requests.length}`, refresh_token: "refresh", expires_in: 1800 }
    })
  }) as typeof globalThis.fetch
  return { fetch, requests }
}

let number = 0

/** Each has a client id of its own, because clients with one id share their session. */
const scriptedNomba = (answer: Parameters<typeof scripted>[0], options: NombaOptions = {}) => {
  number += 1
  const script = scripted(answer)
  const nomba = createNomba({
    clientId: `client-of-test-${number}`,
    clientSecret: "c2VjcmV0IG9mIGEgdGVzdA==",
    baseUrl: "https://api.nomba.test",
    ...options,
    fetch: script.fetch
  })
  return { nomba, ...script }
}

/** A client of a server that answers token requests, and everything else with `answer`. */
const served = async (answer: (response: ServerResponse) => void) => {
  const closed: Array<Promise<unknown>> = []
  const server = createServer((request, response) => {
    if (!request.url?.includes("/auth/token/")) {
      closed.push(once(response, "close"))
      return answer(response)
    }
    response.setHeader("content-type", "application/json")
    const data = { access_token: `token-${Math.random()}`, refresh_token: "refresh", expires_in: 1800 }
    response.end(JSON.stringify({ code: "00", description: "Success", data }))
  })
  await once(server.listen(0, "127.0.0.1"), "listening")
  number += 1
  const nomba = createNomba({
    clientId: `client-of-test-${number}`,
    clientSecret: "c2VjcmV0IG9mIGEgdGVzdA==",
    baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  return {
    nomba,
    closed,
    [Symbol.asyncDispose]: async () => {
      await nomba.close()
      server.closeAllConnections()
      server.close()
    }
  }
}

const balance = { amount: "250000.00", currency: "NGN" }

describe("nomba.token", () => {
  it(
    "sends one token request for 1,000 concurrent callers",
    isolated(async (nomba, sandbox) => {
      const tokens = await Promise.all(Array.from({ length: 1_000 }, () => nomba.token()))
      assert.strictEqual(new Set(tokens).size, 1)
      assert.strictEqual((await sandbox.counts()).issue.requests, 1)
      assert.strictEqual(tokens[0], (await sandbox.session())?.accessToken)
    })
  )

  it(
    "answers a hit with the same promise, without a fiber",
    isolated(async (nomba) => {
      await nomba.token()
      assert.strictEqual(nomba.token(), nomba.token())
    })
  )

  it(
    "ends one caller's wait when its signal is aborted, and not the renewal",
    isolated(async (nomba, sandbox) => {
      await sandbox.fault("issue", { latency: "200 millis" })
      const leaving = new AbortController()
      const left = rejection(nomba.token({ signal: leaving.signal }))
      const stays = nomba.token()
      const reason = new Error("the visitor left")
      leaving.abort(reason)
      assert.strictEqual(await left, reason)
      assert.strictEqual(await stays, (await sandbox.session())?.accessToken)
      assert.strictEqual((await sandbox.counts()).issue.requests, 1)
    })
  )

  it(
    "rejects at once if the signal is aborted already, even on a hit",
    isolated(async (nomba) => {
      await nomba.token()
      const error = await rejection(nomba.token({ signal: AbortSignal.abort("gone") }))
      assert.strictEqual(error, "gone")
    })
  )

  it(
    "rejects with InvalidCredentials whose stack begins at the caller",
    isolated(
      async (nomba) => {
        const askForToken = () => nomba.token()
        const error = await rejection(askForToken())
        assert.instanceOf(error, InvalidCredentials)
        assert.instanceOf(error, Error)
        assert.strictEqual(error._tag, "InvalidCredentials")
        assert.strictEqual(error.status, 401)
        assert.strictEqual(error.name, "InvalidCredentials")
        const [first = "", second = ""] = (error.stack ?? "")
          .slice(`${error.name}: ${error.message}\n`.length)
          .split("\n")
        assert.include(first, "askForToken")
        assert.include(second, "createNomba.test.ts")
      },
      { clientSecret: "d3JvbmcgYnV0IHdlbGwgZm9ybWVkIHNlY3JldA==" }
    )
  )

  it("reads a secret that is a function for each session, and hides why it failed", async () => {
    const secrets = ["Zmlyc3Q=", "c2Vjb25k"]
    const { nomba, requests } = scriptedNomba(() => Response.json({}), {
      clientSecret: async () => secrets.shift() ?? ""
    })
    await nomba.token()
    await nomba.logout()
    await nomba.token()
    const sent = requests
      .filter(({ url }) => url.endsWith("/issue"))
      .map(({ init }) => JSON.parse(new TextDecoder().decode(init.body as Uint8Array)).client_secret)
    assert.deepStrictEqual(sent, ["Zmlyc3Q=", "c2Vjb25k"])
    await nomba.close()

    const failing = scriptedNomba(() => Response.json({}), {
      clientSecret: () => {
        throw new Error("vault-password-1234")
      }
    })
    const error = await rejection(failing.nomba.token())
    assert.instanceOf(error, Unavailable)
    assert.strictEqual(error.reason, "Secret")
    assert.notInclude(inspect(error, { depth: 9, showHidden: true }), "vault-password")
    await failing.nomba.close()
  })
})

describe("nomba.fetch", () => {
  it(
    "resolves a standard Response, whatever the status",
    isolated(async (nomba) => {
      const response = await nomba.fetch("/v1/accounts/balance")
      assert.instanceOf(response, Response)
      assert.strictEqual(response.headers.get("content-type")?.split(";")[0], "application/json")
      assert.include((await response.json()).data, balance)
      assert.strictEqual((await nomba.fetch("/v1/nothing")).status, 404)
    })
  )

  it(
    "renews the token after a 401 and sends the request again",
    isolated(async (nomba, sandbox) => {
      await nomba.token()
      await sandbox.steal()
      assert.strictEqual((await nomba.fetch("/v1/accounts/balance")).status, 200)
      assert.strictEqual((await sandbox.counts()).issue.requests, 2)
    })
  )

  it("takes a path, a URL and a Request, and replays the body of each", async () => {
    const answers: Array<number> = []
    const bodies: Array<string> = []
    const { nomba } = scriptedNomba(async (url, init) => {
      const request = new Request(url, { ...init, duplex: "half" } as RequestInit)
      bodies.push(`${request.method} ${request.url} ${request.headers.get("content-type")} ${await request.text()}`)
      return Response.json({ code: "00" }, { status: answers.shift() ?? 200 })
    })
    const url = "https://api.nomba.test/v1/transfers/bank"
    const init = { method: "POST", body: "{}", headers: { "content-type": "application/json" } }
    for (const [input, given] of [
      ["/v1/transfers/bank", init],
      [new URL(url), init],
      [new Request(url, init), undefined]
    ] as const) {
      answers.push(401, 200)
      assert.strictEqual((await nomba.fetch(input, given)).status, 200)
    }
    assert.deepStrictEqual(bodies, Array(6).fill(`POST ${url} application/json {}`))
    await nomba.close()
  })

  it("passes on what else fetch is told, and never follows a redirect", async () => {
    const { nomba, requests } = scriptedNomba((url) =>
      url.endsWith("/moved")
        ? new Response(null, { status: 302, headers: { location: "https://evil.example/" } })
        : Response.json({})
    )
    await nomba.fetch("/v1/accounts", { cache: "no-store", redirect: "follow" })
    const sent = requests.at(-1)?.init
    assert.strictEqual(sent?.cache, "no-store")
    assert.strictEqual(sent?.redirect, "manual")
    const error = await rejection(nomba.fetch("/v1/moved"))
    assert.instanceOf(error, UnexpectedResponse)
    assert.strictEqual(error.reason, "Redirect")
    assert.isFalse(requests.some(({ url }) => url.includes("evil.example")))
    await nomba.close()
  })

  it(
    "sends nothing to another origin",
    isolated(async (nomba, sandbox) => {
      for (const url of ["https://evil.example/v1/accounts", "//evil.example/v1", "@evil.example/v1"]) {
        const error = await rejection(nomba.fetch(url))
        assert.instanceOf(error, InvalidRequest)
      }
      assert.strictEqual((await sandbox.counts()).issue.requests, 0)
    })
  )

  it("returns the response of fetch itself", async () => {
    const answer = Response.json({})
    const { nomba } = scriptedNomba(() => answer)
    assert.strictEqual(await nomba.fetch("/v1/accounts"), answer)
    await nomba.close()
  })

  it("keeps the body of an error that it has searched for an expired token", async () => {
    const long = "x".repeat(100_000)
    const answers = ["short", "", long]
    const { nomba } = scriptedNomba(
      () => new Response(answers.shift(), { status: 422, statusText: "Unprocessable", headers: { "x-id": "7" } })
    )
    for (const text of [...answers]) {
      const response = await nomba.fetch("/v1/accounts")
      assert.deepStrictEqual(
        [response.status, response.statusText, response.headers.get("x-id"), await response.text()],
        [422, "Unprocessable", "7", text]
      )
    }
    await nomba.close()
  })

  it("gives fetch the body as it is", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({}))
    const stream = new ReadableStream<Uint8Array>()
    for (const body of ["text", new Uint8Array([1]), new Blob(["blob"]), new URLSearchParams("a=1"), stream]) {
      await nomba.fetch("/v1/accounts", { method: "POST", body })
      assert.strictEqual(requests.at(-1)?.init.body, body)
    }
    // `fetch` refuses a stream without it.
    assert.strictEqual(Reflect.get(requests.at(-1)?.init ?? {}, "duplex"), "half")
    await nomba.close()
  })

  it("streams the body, and ends it with the reason of the signal", async () => {
    await using server = await served((response) => response.write("first"))
    const leaving = new AbortController()
    const response = await server.nomba.fetch("/v1/report", { signal: leaving.signal })
    const reader = response.body?.getReader() ?? assert.fail("no body")
    assert.strictEqual(new TextDecoder().decode((await reader.read()).value), "first")
    const next = rejection(reader.read())
    const reason = new Error("enough")
    leaving.abort(reason)
    assert.strictEqual(await next, reason)
    await server.closed[0]
  })

  it("cancels the long body of a 401 before it sends the request again", async () => {
    const answers = [
      (response: ServerResponse) => response.writeHead(401, { "content-length": "1000000" }).write("first"),
      (response: ServerResponse) => response.end("second")
    ]
    await using server = await served((response) => answers.shift()?.(response))
    const response = await server.nomba.fetch("/v1/report")
    assert.strictEqual(await response.text(), "second")
    await server.closed[0]
  })

  it("aborts the request when the signal is aborted", async () => {
    let aborted: Promise<void> | undefined
    let arrived = (): void => {}
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve
    })
    const { nomba } = scriptedNomba((_, { signal }) => {
      const ended = new Promise<never>((_, reject) => {
        signal?.addEventListener("abort", () => reject(new Error("aborted")))
      })
      aborted = ended.catch(() => {})
      arrived()
      return ended
    })
    const leaving = new AbortController()
    const left = rejection(nomba.fetch("/v1/slow", { signal: leaving.signal }))
    await arrival
    leaving.abort(new Error("gone"))
    assert.strictEqual(((await left) as Error).message, "gone")
    await aborted
    await nomba.close()
  })

  it("rejects when the signal is aborted, also if the body of the Request never ends", async () => {
    const { nomba } = scriptedNomba(() => Response.json({}))
    const body = new ReadableStream()
    const init = { method: "POST", body, duplex: "half" } as RequestInit
    const { signal } = new AbortController()
    const leaving = new AbortController()
    const request = new Request("https://api.nomba.test/v1/slow", { ...init, signal })
    const left = rejection(nomba.fetch(request, { signal: leaving.signal }))
    leaving.abort("gone")
    assert.strictEqual(await left, "gone")
    await nomba.close()
  })

  it("rejects when the signal is aborted, also if fetch goes on", async () => {
    const { nomba } = scriptedNomba(() => new Promise<never>(() => {}))
    const leaving = new AbortController()
    const left = rejection(nomba.fetch("/v1/slow", { signal: leaving.signal }))
    await setImmediate()
    leaving.abort("gone")
    assert.strictEqual(await left, "gone")
    await nomba.close()
  })

  it("keeps the User-Agent and the account id of the request, and no other token", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({}), {
      accountId: "99999999-8888-4777-8666-555555555555"
    })
    await nomba.fetch("/v1/accounts")
    const headers = { authorization: "Bearer mine", "User-Agent": "shop/1.0", accountId: "sub" }
    await nomba.fetch("/v1/accounts", { headers })
    const [plain, own] = requests
      .filter(({ url }) => url.endsWith("/v1/accounts"))
      .map(({ init }) => new Headers(init.headers))
    assert.match(plain?.get("user-agent") ?? "", /^nomba-auth\//)
    assert.strictEqual(plain?.get("accountid"), "99999999-8888-4777-8666-555555555555")
    assert.deepStrictEqual(Object.fromEntries(own ?? []), {
      authorization: plain?.get("authorization") ?? "",
      "user-agent": "shop/1.0",
      accountid: "sub"
    })
    await nomba.close()
  })

  it("leaves the length of a body to fetch, which would add it to one that the caller states", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({}))
    for (const method of ["POST", "DELETE"]) {
      const options = { method, body: "{}", headers: { "Content-Length": "2", "x-mine": method } }
      await nomba.fetch("/v1/accounts", options)
      await nomba.fetch(new Request("https://api.nomba.test/v1/accounts", options))
    }
    const sent = requests.map(({ init }) => new Headers(init.headers)).filter((headers) => headers.has("x-mine"))
    assert.deepStrictEqual(
      sent.map((headers) => headers.get("content-length")),
      [null, null, null, null]
    )
    await nomba.close()
  })

  it("replays a GET after a 500 that says that the token has expired, and not a POST", async () => {
    const expired = () => Response.json({ description: "JWT expired at 2026-11-27T09:00:00Z" }, { status: 500 })
    const answers = [expired(), Response.json({}), expired(), Response.json({})]
    const { nomba } = scriptedNomba(() => answers.shift() ?? assert.fail("a request too many"))
    assert.strictEqual((await nomba.fetch("/v1/accounts")).status, 200)
    const refused = await nomba.fetch("/v1/transfers", { method: "POST", body: "{}" })
    assert.strictEqual(refused.status, 500)
    assert.include((await refused.json()).description, "JWT expired")
    await nomba.close()
  })

  it("rejects with Unavailable that says whether the request can have arrived", async () => {
    const refused = Object.assign(new TypeError("fetch failed"), {
      cause: Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", syscall: "connect" })
    })
    const { nomba } = scriptedNomba(() => Promise.reject(refused))
    const error = await rejection(nomba.fetch("/v1/accounts"))
    assert.instanceOf(error, Unavailable)
    assert.include(
      { ...error },
      { reason: "Network", detail: "ECONNREFUSED", processed: "no", target: "api.nomba.test" }
    )
    await nomba.close()
  })
})

it("nomba.fetch rejects with UnexpectedResponse if no Response can be made with the status", async () => {
  const odd = await served((response) => response.writeHead(600, { "content-type": "application/json" }).end("{}"))
  await using client = odd
  const error = await rejection(client.nomba.fetch("/v1/x"))
  assert.instanceOf(error, UnexpectedResponse)
  assert.deepInclude(error, { reason: "UnknownStatus", status: 600 })
})

describe("what fetch does not send", () => {
  const OPTIONS = "fetch does not take these options"
  const requests: ReadonlyArray<readonly [RequestInit, string]> = [
    [{ method: "GET", body: "{}" }, "GET cannot have a body"],
    [{ method: "head", body: "" }, "HEAD cannot have a body"],
    [{ method: "TRACE" }, "fetch does not send this method"],
    [{ method: "GE T" }, "fetch does not send this method"]
  ]
  for (const [init, problem] of requests) {
    it(`is InvalidRequest and not a failure of the network: ${init.method}${"body" in init ? " with a body" : ""}`, async () => {
      const { nomba, requests } = scriptedNomba(() => Response.json({}))
      const calls = {
        fetch: () => nomba.fetch("/v1/accounts", init),
        request: () => nomba.request("/v1/accounts", init as never)
      }
      for (const call of Object.values(calls)) {
        const error = await rejection(call())
        assert.instanceOf(error, InvalidRequest)
        assert.strictEqual(error.message, `Request not sent: ${problem}.`)
        assert.include(error.stack, "createNomba.test.ts")
      }
      assert.lengthOf(requests, 0)
      await nomba.close()
    })
  }

  const locked = () => {
    const body = new ReadableStream()
    body.getReader()
    return body
  }
  const read = async () => {
    const request = new Request("https://api.nomba.test/v1/accounts", { method: "POST", body: "{}" })
    await request.text()
    return request
  }
  const lockedRequest = () => {
    const request = new Request("https://api.nomba.test/v1/accounts", { method: "POST", body: "{}" })
    request.body?.getReader()
    return request
  }
  const arguments_: ReadonlyArray<readonly [string, () => Promise<Parameters<Nomba["fetch"]>>, string]> = [
    ["a cache mode that fetch does not know", async () => ["/v1/x", { cache: "never" as never }], OPTIONS],
    ["a mode that fetch does not send", async () => ["/v1/x", { mode: "navigate" }], OPTIONS],
    ["a method that the mode does not allow", async () => ["/v1/x", { mode: "no-cors", method: "PUT" }], OPTIONS],
    ["a name of a header", async () => ["/v1/x", { headers: { "a b": "c" } }], "a header is not valid"],
    ["a value of a header", async () => ["/v1/x", { headers: { a: "b\nc" } }], "a header is not valid"],
    ["a stream that is locked", async () => ["/v1/x", { method: "POST", body: locked() }], "the body was already read"],
    ["a Request that was read", async () => [await read()], "the body was already read"],
    ["a Request whose body is locked", async () => [lockedRequest()], "the body was already read"]
  ]
  for (const [what, given, problem] of arguments_) {
    it(`is InvalidRequest: ${what}`, async () => {
      const { nomba, requests } = scriptedNomba(() => Response.json({}))
      const error = await rejection(nomba.fetch(...(await given())))
      assert.instanceOf(error, InvalidRequest)
      assert.strictEqual(error.message, `Request not sent: ${problem}.`)
      assert.include(error.stack, "createNomba.test.ts")
      assert.lengthOf(requests, 0)
      await nomba.close()
    })
  }

  it("does not count what a Request held if another body is sent in its place", async () => {
    const { nomba } = scriptedNomba(() => Response.json({}))
    assert.strictEqual((await nomba.fetch(await read(), { body: "{}" })).status, 200)
    await nomba.close()
  })
})

describe("a wrong argument", () => {
  const SIGNAL = "the signal must be an AbortSignal, such as AbortSignal.timeout(5_000)"
  const { signal } = new AbortController()
  const calls: Record<string, (nomba: Nomba, options: never) => Promise<unknown>> = {
    token: (nomba, options) => nomba.token(options),
    session: (nomba, options) => nomba.session(options),
    fetch: (nomba, options) => nomba.fetch("/v1/x", options),
    request: (nomba, options) => nomba.request("/v1/x", options)
  }
  for (const [name, call] of Object.entries(calls)) {
    const wrong: ReadonlyArray<readonly [unknown, string]> = [
      [{ signal: {} }, SIGNAL],
      [{ signal: "x" }, SIGNAL],
      [{ signal: { aborted: true } }, SIGNAL],
      ["POST", `the options of ${name} must be an object`],
      ...(name === "fetch"
        ? []
        : ([
            [signal, `is not an option of ${name}: it has `],
            [{ Signal: signal }, `options.Signal is not an option of ${name}: write signal`]
          ] as const))
    ]
    for (const [options, problem] of wrong) {
      it(`is InvalidRequest at the caller's line, with and without a token in memory: ${name} ${inspect(options)}`, async () => {
        const { nomba, requests } = scriptedNomba(() => Response.json({ code: "00", data: null }))
        for (const sent of [0, 1]) {
          const error = await rejection(call(nomba, options as never))
          assert.instanceOf(error, InvalidRequest)
          assert.include(error.message, problem)
          assert.include(firstFrame(error), "createNomba.test.ts")
          assert.lengthOf(requests, sent)
          await nomba.token()
        }
        await nomba.close()
      })
    }

    it(`may be null in place of options or of a signal: ${name}`, async () => {
      const { nomba } = scriptedNomba(() => Response.json({ code: "00", data: null }))
      await call(nomba, null as never)
      await call(nomba, { signal: null } as never)
      await nomba.close()
    })
  }

  it("is InvalidRequest if the method is no text, or the listener no function", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({}))
    assert.instanceOf(await rejection(nomba.fetch("/v1/x", { method: {} as never })), InvalidRequest)
    for (const listener of ["x", undefined, {}]) {
      try {
        nomba.subscribe(listener as never)
        assert.fail("it was not refused")
      } catch (error) {
        assert.instanceOf(error, InvalidRequest)
        assert.strictEqual(error.message, "Not subscribed: the listener must be a function.")
        assert.include(firstFrame(error), "createNomba.test.ts")
      }
    }
    assert.lengthOf(requests, 0)
    await nomba.close()
  })
})

describe("nomba.request", () => {
  it(
    "returns the data",
    isolated(async (nomba) => {
      assert.include((await nomba.request("/v1/accounts/balance")) as object, balance)
    })
  )

  it("sends the query, the body as JSON, and POST if there is a body", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({ code: "00", data: null }))
    await nomba.request("/v1/transactions", { query: { limit: 5, after: undefined, q: "a b" } })
    await nomba.request("/v1/transfers/bank", { body: { amount: 1 }, headers: { accountId: "sub" } })
    const [get, post] = requests.filter(({ url }) => !url.includes("/auth/"))
    assert.strictEqual(get?.url.toString(), "https://api.nomba.test/v1/transactions?limit=5&q=a+b")
    assert.strictEqual(get?.init.method, "GET")
    assert.strictEqual(post?.init.method, "POST")
    const headers = new Headers(post?.init.headers)
    assert.strictEqual(headers.get("content-type"), "application/json")
    assert.strictEqual(headers.get("accountid"), "sub")
    assert.strictEqual(post?.init.body, '{"amount":1}')
    await nomba.close()
  })

  it("rejects with NombaRequestFailed if Nomba says so, whatever the status", async () => {
    const { nomba } = scriptedNomba(() => Response.json({ code: "400", description: "No such bank", data: {} }))
    const error = await rejection(nomba.request("/v1/transfers/bank", { body: {} }))
    assert.instanceOf(error, NombaRequestFailed)
    assert.include({ ...error }, { status: 200, code: "400", description: "No such bank", retryable: false })
    await nomba.close()
  })

  it("masks a client secret that Nomba echoes, also one that shares letters with the token", async () => {
    const clientSecret = "SuperSecretToken-1Value="
    const { nomba } = scriptedNomba(() => Response.json({ code: "05", description: `No ${clientSecret} token-1` }), {
      clientSecret
    })
    const error = await rejection(nomba.request("/v1/transfers/bank", { body: {} }))
    assert.instanceOf(error, NombaRequestFailed)
    assert.strictEqual(error.description, "No *** ***")
    await nomba.close()
  })

  it("checks the data with any Standard Schema, and names paths and no values", async () => {
    const { nomba } = scriptedNomba(() => Response.json({ code: "00", data: { amount: "secret-value" } }))
    const Amount = Schema.standardSchemaV1(Schema.Struct({ amount: Schema.String }))
    const data = await nomba.request("/v1/accounts/balance", { schema: Amount })
    expectTypeOf(data).toEqualTypeOf<{ readonly amount: string }>()
    assert.deepStrictEqual(data, { amount: "secret-value" })

    const wrong = Schema.standardSchemaV1(Schema.Struct({ amount: Schema.NumberFromString, currency: Schema.String }))
    const error = await rejection(nomba.request("/v1/accounts/balance", { schema: wrong }))
    assert.instanceOf(error, UnexpectedResponse)
    assert.strictEqual(error.reason, "SchemaMismatch")
    assert.includeMembers(["data.amount: invalid", "data.currency: missing"], [...error.issues])
    assert.isAbove(error.issues.length, 0)
    assert.notInclude(inspect(error, { depth: 9, showHidden: true }), "secret-value")
    await nomba.close()
  })

  it("waits for a schema that is asynchronous", async () => {
    const { nomba } = scriptedNomba(() => Response.json({ code: "00", data: 5 }))
    const data = await nomba.request("/v1/accounts/balance", {
      schema: { "~standard": { version: 1, vendor: "test", validate: async () => ({ value: "five" as const }) } }
    })
    expectTypeOf(data).toEqualTypeOf<"five">()
    assert.strictEqual(data, "five")
    await nomba.close()
  })

  it("sends what JSON carries: plain objects, members of classes, and what toJSON returns", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({ code: "00", data: null }))
    class Transfer {
      readonly amount = 1
      readonly note = undefined
    }
    const bare = Object.assign(Object.create(null), { a: [1, "b", false, null] })
    const when = new Date(0)
    for (const body of [bare, new Transfer(), { when }, [], "text", null, {}]) {
      await nomba.request("/v1/transfers/bank", { body })
    }
    assert.deepStrictEqual(
      requests.filter(({ url }) => !url.includes("/auth/")).map(({ init }) => init.body),
      ['{"a":[1,"b",false,null]}', '{"amount":1}', '{"when":"1970-01-01T00:00:00.000Z"}', "[]", '"text"', "null", "{}"]
    )
    await nomba.close()
  })

  class Hidden {
    readonly #amount = 1
    get amount() {
      return this.#amount
    }
  }
  const circular: { self?: unknown } = {}
  circular.self = circular
  const FAILED = "the body is circular, or its toJSON failed"
  const cannotCarry = (what: string) => `JSON cannot carry ${what} in the body; nomba.fetch sends other bodies`
  const lost: ReadonlyArray<readonly [unknown, string]> = [
    [new Map([["amount", 1]]), cannotCarry("Map")],
    [new Set([1]), cannotCarry("Set")],
    [Object.assign(new Error("e"), { code: "E" }), cannotCarry("Error")],
    [/a/, cannotCarry("RegExp")],
    [Promise.resolve({ amount: 1 }), cannotCarry("Promise")],
    [new Hidden(), cannotCarry("an object without members of its own")],
    [{ items: [{ amounts: new Map() }] }, cannotCarry("Map")],
    [{ bytes: new Uint8Array([1]) }, cannotCarry("Uint8Array")],
    [Buffer.from("a"), cannotCarry("Uint8Array")],
    [{ amount: Number.NaN }, cannotCarry("NaN")],
    [{ amount: 1n }, cannotCarry("BigInt")],
    [{ reference: () => "a" }, cannotCarry("Function")],
    [circular, FAILED],
    [{ toJSON: () => assert.fail("a secret") }, FAILED],
    [{ toJSON: () => undefined }, FAILED]
  ]
  for (const [body, problem] of lost) {
    it(`refuses a body that JSON would lose: ${inspect(body)}`, async () => {
      const { nomba, requests } = scriptedNomba(() => Response.json({}))
      const error = await rejection(nomba.request("/v1/transfers/bank", { body }))
      assert.instanceOf(error, InvalidRequest)
      assert.strictEqual(error.message, `Request not sent: ${problem}.`)
      assert.include(firstFrame(error), "createNomba.test.ts")
      assert.lengthOf(requests, 0)
      await nomba.close()
    })
  }

  it("refuses a query whose values String would spoil", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({}))
    for (const query of ["a=1", new URLSearchParams("a=1"), new Map(), [1], { a: [1] }, { a: {} }, { a: () => 1 }]) {
      const error = await rejection(nomba.request("/v1/transactions", { query: query as never }))
      assert.instanceOf(error, InvalidRequest)
      assert.include(error.message, "query must be an object whose values are")
    }
    assert.lengthOf(requests, 0)
    await nomba.close()
  })

  it("refuses a body that is not JSON before anything is sent", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({}))
    const form = new FormData()
    form.set("amount", "1")
    const bytes = new Uint8Array([1])
    for (const body of [
      { amount: 1n },
      form,
      new URLSearchParams("a=1"),
      bytes,
      new Blob(["{}"]),
      new ReadableStream()
    ]) {
      const error = await rejection(nomba.request("/v1/transfers/bank", { body }))
      assert.instanceOf(error, InvalidRequest)
    }
    assert.lengthOf(requests, 0)
    await nomba.close()
  })

  it("refuses a schema that is not a Standard Schema before anything is sent", async () => {
    const { nomba, requests } = scriptedNomba(() => Response.json({}))
    for (const schema of [Schema.Struct({ amount: Schema.String }), { parse: () => 1 }, () => true, null]) {
      const send = () => nomba.request("/v1/transfers/bank", { body: {}, schema: schema as never })
      const error = await rejection(send())
      assert.instanceOf(error, InvalidRequest)
      assert.include(error.message, "Standard Schema")
      assert.include(error.stack, "createNomba.test.ts")
    }
    assert.lengthOf(requests, 0)
    await nomba.close()
  })

  it("stops waiting for a schema when the signal is aborted", async () => {
    const { nomba } = scriptedNomba(() => Response.json({ code: "00", data: 5 }))
    const leaving = new AbortController()
    const validate = () => {
      leaving.abort("gone")
      return new Promise<never>(() => {})
    }
    const schema = { "~standard": { version: 1, vendor: "test", validate } } as const
    const error = await rejection(nomba.request("/v1/accounts/balance", { schema, signal: leaving.signal }))
    assert.strictEqual(error, "gone")
    await nomba.close()
  })
})

describe("nomba.peek and nomba.session", () => {
  it(
    "show the session and hide the token",
    isolated(async (nomba) => {
      assert.isUndefined(nomba.peek())
      const session = await nomba.session()
      const peeked = nomba.peek() ?? assert.fail("no session")
      const token = await nomba.token()
      for (const { origin, remainingMs, saved, token: hidden } of [session, peeked]) {
        assert.strictEqual(hidden.value, token)
        assert.isAbove(remainingMs, 60_000)
        assert.isTrue(saved)
        assert.strictEqual(origin, "nomba")
      }
      const printed = `${inspect(peeked, { depth: 9, showHidden: true })}${JSON.stringify(session)}${session.token}`
      assert.notInclude(printed, token)
    })
  )
})

describe("nomba.subscribe", () => {
  it(
    "tells the current state, then every change, until it is ended",
    isolated(
      async (nomba) => {
        const events: Array<NombaSessionEvent> = []
        let wake = (): void => {}
        const next = () =>
          new Promise<void>((resolve) => {
            wake = resolve
          })
        const unsubscribe = nomba.subscribe((event) => {
          events.push(event)
          wake()
          throw new Error("a listener that throws hears the next event too")
        })
        if (events.length === 0) await next()
        const heard = next()
        await nomba.token()
        await heard
        const [current, issued, ...others] = events
        assert.deepStrictEqual(current, { _tag: "Current", session: undefined })
        assert.lengthOf(others, 0)
        assert.strictEqual(issued?._tag === "Issued" ? issued.session.token.value : "", await nomba.token())
        unsubscribe()
        await nomba.logout()
        await nomba.token()
        assert.lengthOf(events, 2)
      },
      { logger: { warn: () => {}, error: () => {} } }
    )
  )

  it("logs what an asynchronous listener rejects with, and the process goes on", async () => {
    let log = (_: string): void => {}
    const logged = new Promise<string>((resolve) => {
      log = resolve
    })
    const { nomba } = scriptedNomba(() => Response.json({}), { logger: { warn: log, error: log } })
    nomba.subscribe(async () => {
      throw new TypeError("with a secret")
    })
    assert.strictEqual(await logged, "nomba-auth: A listener of session events threw TypeError.")
    await nomba.close()
  })
})

describe("nomba.logout", () => {
  it(
    "ends the session, and the next token starts another",
    isolated(async (nomba, sandbox) => {
      const first = await nomba.token()
      await nomba.logout()
      assert.isUndefined(nomba.peek())
      assert.isUndefined(await sandbox.session())
      assert.notStrictEqual(await nomba.token(), first)
    })
  )
})

describe("nomba.close", () => {
  it("rejects what comes after it with Unavailable (Closed)", async () => {
    const { nomba } = scriptedNomba(() => Response.json({}))
    await nomba.token()
    await nomba.close()
    await nomba.close()
    assert.isUndefined(nomba.peek())
    for (const use of [() => nomba.token(), () => nomba.fetch("/v1/accounts"), () => nomba.logout()]) {
      const error = await rejection(use())
      assert.instanceOf(error, Unavailable)
      assert.strictEqual(error.reason, "Closed")
    }
  })

  it("revokes the session if revokeOnClose is set", async () => {
    await using sandbox = await startSandbox()
    const nomba = createNomba({ ...settings(sandbox), revokeOnClose: true })
    await nomba.token()
    await nomba.close()
    assert.strictEqual((await sandbox.counts()).revoke.requests, 1)
  })
})

describe("createNomba", () => {
  const environment = { ...process.env }
  beforeAll(() => {
    for (const name of Object.keys(process.env)) if (name.startsWith("NOMBA_")) delete process.env[name]
  })
  afterAll(() => {
    Object.assign(process.env, environment)
  })

  const refusal = (options?: NombaOptions): NombaConfigError => {
    try {
      createNomba(options)
    } catch (error) {
      assert.instanceOf(error, NombaConfigError)
      return error
    }
    return assert.fail("it was not refused")
  }

  it("lists every setting that is missing or wrong, and quotes none", () => {
    const { fields, message, stack } = refusal({
      clientId: "your_client_id",
      environment: "live" as never,
      requestTimeout: "1 hour",
      renewAhead: -1,
      fetch: "undici" as never,
      logger: (() => {}) as never,
      tokenStore: {} as never
    })
    assert.deepStrictEqual(fields.map(({ name }) => name).sort(), [
      "NOMBA_CLIENT_SECRET",
      "options.clientId",
      "options.environment",
      "options.fetch",
      "options.logger",
      "options.renewAhead",
      "options.requestTimeout",
      "options.tokenStore"
    ])
    for (const field of fields) assert.include(message, field.message)
    assert.notInclude(message, "your_client_id")
    assert.include(
      stack?.split("\n").find((line) => line.includes(" at ")),
      "refusal"
    )
  })

  it("refuses options that it does not have, and says what is meant", () => {
    const complete = { clientId: "a-client", clientSecret: "c2VjcmV0" }
    const known =
      "clientId, clientSecret, accountId, environment, baseUrl, renewAhead, requestTimeout, revokeOnClose, tokenStore, fetch, logger, waitUntil"
    const wrong: ReadonlyArray<readonly [unknown, string]> = [
      [{ ...complete, clientID: "a" }, "options.clientID is not an option of createNomba: write clientId."],
      [{ ...complete, secret: "a" }, `options.secret is not an option of createNomba: it has ${known}.`],
      [
        { ...complete, tokenStore: fileStore("/var/lib/shop", { Keys: [] } as never) },
        "options.Keys is not an option of fileStore: write keys."
      ],
      [
        { ...complete, tokenStore: redisStore("redis://cache:6379", { timeout: 5 } as never) },
        "options.timeout is not an option of redisStore: it has keys, commandTimeout."
      ],
      [
        { ...complete, tokenStore: fileStore("/var/lib/shop", "keys" as never) },
        "the options of fileStore must be an object."
      ]
    ]
    for (const [options, message] of wrong) {
      const error = refusal(options as NombaOptions)
      assert.strictEqual(error.message, message)
      assert.include(firstFrame(error), "refusal")
    }
    assert.include(refusal("production" as never).message, "the options of createNomba must be an object.")
  })

  it("says nothing about the environment if the option itself is wrong", () => {
    const { fields } = refusal({ clientId: "a-client", clientSecret: 5 as never })
    assert.deepStrictEqual(
      fields.map(({ name }) => name),
      ["options.clientSecret"]
    )
  })

  it("refuses durations that are neither a number nor a text", () => {
    for (const wrong of [[1, 2], [5, 0], 5_000_000_000n, { seconds: 5 }, null]) {
      const given = { clientId: "a-client", clientSecret: "c2VjcmV0" }
      const { fields } = refusal({ ...given, requestTimeout: wrong as never, renewAhead: wrong as never })
      assert.deepStrictEqual(fields.map(({ name }) => name).sort(), ["options.renewAhead", "options.requestTimeout"])
    }
  })

  it("refuses revokeOnClose with a store that other processes share", () => {
    const { fields } = refusal({
      clientId: "a-client",
      clientSecret: "c2VjcmV0",
      revokeOnClose: true,
      tokenStore: fileStore("/var/lib/shop")
    })
    assert.deepStrictEqual(
      fields.map(({ name }) => name),
      ["options.revokeOnClose"]
    )
  })

  describe("NOMBA_TOKEN_STORE", () => {
    const given = { clientId: "a-client", clientSecret: "c2VjcmV0" }
    const withStore = <A>(value: string, use: () => A): A => {
      process.env["NOMBA_TOKEN_STORE"] = value
      try {
        return use()
      } finally {
        delete process.env["NOMBA_TOKEN_STORE"]
      }
    }

    it("that names another store than the one in use is refused with the line to write", () => {
      const redis = withStore("redis://:hunter2@cache:6379", () => refusal(given))
      assert.include(redis.message, "createNomba({ tokenStore: redisStore() })")
      assert.include(redis.message, 'from "nomba-auth/promise/redis"')
      assert.notInclude(redis.message, "hunter2")
      const file = withStore("file:/var/lib/shop", () => refusal({ ...given, tokenStore: redisStore() }))
      assert.include(file.message, "fileStore()")
      const memory = withStore("memory", () => refusal({ ...given, tokenStore: redisStore() }))
      assert.include(memory.message, "leave tokenStore out")
      assert.include(refusal({ ...given, tokenStore: redisStore() }).message, "NOMBA_TOKEN_STORE is not set")
    })

    it("does not count if the code says where the store is", async () => {
      await withStore("redis://cache:6379", () =>
        createNomba({ ...given, tokenStore: fileStore("/var/lib/shop") })
      ).close()
    })
  })

  it("rejects the first call with NombaConfigError if the settings of the store are wrong", async () => {
    const nomba = createNomba({
      clientId: "a-client",
      clientSecret: "c2VjcmV0",
      tokenStore: redisStore("redis://cache:6379", { keys: [{ id: "2026-11", key: "short" }] })
    })
    for (const use of [nomba.token, nomba.session]) {
      const error = await rejection(use())
      assert.instanceOf(error, NombaConfigError)
      assert.notInclude(error.message, "short")
    }
    await nomba.close()
  })

  const key = Buffer.alloc(32, 7).toString("base64")
  const wrongStores: ReadonlyArray<readonly [NombaStore, string, string]> = [
    [fileStore("relative"), "the path of fileStore", "is not an absolute path"],
    [redisStore("redis://cache:6379/shop"), "the URL of redisStore", "names a database that is not a number"],
    [redisStore("redis://cache:6379", { commandTimeout: [1, 0] as never }), "options.commandTimeout", "duration"],
    [fileStore("/var/lib/shop", { keys: [] }), "options.keys", "has no key"],
    [fileStore("/var/lib/shop", { keys: [{ id: "a", key: "c2hvcnQ=" }] }), "options.keys", "5 bytes and not 32"],
    [redisStore("redis://cache:6379", { keys: `a:${key}` as never }), "options.keys", "is not a list"],
    [redisStore("redis://cache:6379", { keys: [undefined, { id: "a", key }] as never }), "options.keys", "no id"]
  ]
  for (const [tokenStore, name, problem] of wrongStores) {
    it(`says what is wrong with the settings of a store in the words of its function: ${name} ${problem}`, async () => {
      const nomba = createNomba({ clientId: "a-client", clientSecret: "c2VjcmV0", tokenStore })
      const error = await rejection(nomba.token())
      assert.instanceOf(error, NombaConfigError)
      assert.deepStrictEqual(
        error.fields.map((field) => field.name),
        [name]
      )
      assert.match(error.message, new RegExp(`^${name} .*${problem}`))
      assert.notInclude(error.message, key)
      await nomba.close()
    })
  }

  it("shares the session of clients with the same credentials and store", async () => {
    await using sandbox = await startSandbox()
    await using one = createNomba(settings(sandbox))
    await using other = createNomba(settings(sandbox))
    const [first, second] = await Promise.all([one.token(), other.token()])
    assert.strictEqual(first, second)
    assert.strictEqual((await sandbox.counts()).issue.requests, 1)
  })

  it("shows no secret when the client is printed", async () => {
    const { nomba } = scriptedNomba(() => Response.json({}))
    const token = await nomba.token()
    const printed = `${inspect(nomba, { depth: 12, showHidden: true })}${JSON.stringify(nomba)}`
    assert.notInclude(printed, token)
    assert.notInclude(printed, "c2VjcmV0")
    await nomba.close()
  })

  it("sends warnings to the logger", async () => {
    const lines: Array<string> = []
    const logger = { warn: (line: string) => lines.push(line), error: (line: string) => lines.push(line) }
    await using sandbox = await startSandbox()
    await sandbox.fault("issue", { answer: { status: 401 } })
    await using nomba = createNomba({ ...settings(sandbox), logger })
    assert.instanceOf(await rejection(nomba.token()), InvalidCredentials)
    assert.lengthOf(lines, 1)
    assert.match(lines[0] ?? "", /^nomba-auth: /)
  })

  it("does not fail a renewal because the logger throws", async () => {
    const broken = () => {
      throw new Error("the disk is full")
    }
    await using sandbox = await startSandbox()
    await sandbox.fault("issue", { answer: { status: 401 } })
    await using nomba = createNomba({ ...settings(sandbox), logger: { warn: broken, error: broken } })
    assert.instanceOf(await rejection(nomba.token()), InvalidCredentials)
  })

  it("rejects with what waitUntil throws, once", async () => {
    const illegal = new TypeError("Illegal invocation")
    await using sandbox = await startSandbox()
    await sandbox.fault("issue", { answer: { status: 401 } })
    await using nomba = createNomba({
      ...settings(sandbox),
      logger: { warn: () => {}, error: () => {} },
      waitUntil: () => {
        throw illegal
      }
    })
    assert.strictEqual(await rejection(nomba.token()), illegal)
  })

  it("hands the renewal to waitUntil", async () => {
    let keep = (_: Promise<unknown>): void => {}
    const kept = new Promise<void>((resolve) => {
      keep = (promise) => void promise.then(() => resolve())
    })
    await using sandbox = await startSandbox()
    await using nomba = createNomba({ ...settings(sandbox), waitUntil: (promise) => keep(promise) })
    const token = nomba.token()
    await kept
    assert.strictEqual(nomba.peek()?.token.value, await token)
  })
})

describe("isNombaError", () => {
  it("lets a switch over the tags know the fields", () => {
    const describeError = (error: unknown): string => {
      if (!isNombaError(error)) return "another error"
      switch (error._tag) {
        case "Unavailable":
          return `${error.reason} ${error.retryAfterMs}`
        case "InvalidRequest":
        case "InvalidCredentials":
        case "NombaRequestFailed":
          return error.errors.join()
        case "UnexpectedResponse":
          return error.issues.join()
        case "NombaConfigError":
          return error.fields.map(({ name }) => name).join()
        default:
          return error.operation
      }
    }
    const busy = new Unavailable("busy", {
      operation: "issue",
      reason: "RateLimited",
      processed: "no",
      retryAfterMs: 1_000
    })
    assert.strictEqual(describeError(busy), "RateLimited 1000")
    assert.strictEqual(describeError(new Error("other")), "another error")
  })
})
