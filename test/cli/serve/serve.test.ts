/** `nomba-auth serve` as it is built, against the sandbox. */
import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { clientSecret, problemOf, useCli } from "../../support/cli.js"
import { serving } from "../../support/serving.js"

const cli = useCli()
const { newPath, run, user } = cli

const BALANCE = "/v1/accounts/balance"
const order = JSON.stringify({
  order: { amount: 100, currency: "NGN", callbackUrl: "https://shop.example/", customerEmail: "a@shop.example" }
})

const keyFileOf = (content: string, mode = 0o600): string => {
  const path = newPath()
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

describe("nomba-auth serve", () => {
  it("says on one line of JSON that it is ready, and keeps its key in a file that only its user can read", async () => {
    const { sandbox, variables } = await user()
    const proxy = await serving(cli, variables)
    const { keyFile = "" } = proxy
    assert.match(proxy.url, /^http:\/\/127\.0\.0\.1:\d+$/)
    assert.strictEqual(statSync(keyFile).mode & 0o777, 0o600)
    assert.strictEqual(statSync(join(keyFile, "..")).mode & 0o077, 0)
    assert.strictEqual((await proxy.ask(BALANCE)).status, 200)
    assert.deepInclude(await proxy.ask(BALANCE, { headers: { "x-nomba-key": "wrong" } }), {
      status: 401,
      tag: "InvalidKey"
    })
    const token = (await sandbox.session())?.accessToken ?? ""
    const { code, errors, output } = await proxy.stop()
    assert.strictEqual(code, 0)
    assert.deepStrictEqual(JSON.parse(output), {
      ready: true,
      url: proxy.url,
      keyFile,
      ops: proxy.ops
    })
    assert.isFalse(existsSync(keyFile))
    for (const secret of [token, proxy.key ?? "", clientSecret]) assert.notInclude(output + errors, secret)
  })

  it("writes one line for each request, without its query, and none with --quiet", async () => {
    const { variables } = await user()
    const proxy = await serving(cli, variables)
    await proxy.ask(`${BALANCE}?secret=1`)
    await proxy.ask("/v1/checkout/order", {
      method: "POST",
      body: order,
      headers: { "content-type": "application/json", "x-nomba-key": "wrong" }
    })
    const { errors } = await proxy.stop()
    const lines = errors.trimEnd().split("\n")
    assert.match(
      lines[0] ?? "",
      /^key=default method=GET path=\/v1\/accounts\/balance status=200 replayed=false ms=\d+$/
    )
    assert.match(lines[1] ?? "", /^key=- method=POST path=- status=401 replayed=false ms=\d+$/)
    assert.strictEqual(lines.length, 2)

    const quiet = await serving(cli, variables, "--quiet")
    await quiet.ask(BALANCE)
    assert.strictEqual((await quiet.stop()).errors, "")
  })

  it("takes its keys from a file, each with its own rules", async () => {
    const { variables } = await user()
    const keyFile = keyFileOf("shop:the-key-of-the-shop\nreport:the-key-of-the-report:GET /v1/accounts/**\n")
    const proxy = await serving(cli, variables, "--key-file", keyFile)
    const status = async (key: string, method: string, path: string) =>
      (
        await proxy.ask(path, {
          method,
          body: order,
          headers: { "x-nomba-key": key, "content-type": "application/json" }
        })
      ).status
    assert.strictEqual(await status("the-key-of-the-shop", "POST", "/v1/checkout/order"), 200)
    assert.strictEqual(await status("the-key-of-the-report", "POST", "/v1/checkout/order"), 403)
    assert.strictEqual((await proxy.ask(BALANCE, { headers: { "x-nomba-key": "the-key-of-the-report" } })).status, 200)
    await proxy.stop()
    assert.isTrue(existsSync(keyFile))
  })

  it("takes one key from NOMBA_PROXY_KEY, and writes a generated one where --write-key says", async () => {
    const { variables } = await user()
    const key = "a-key-that-two-programs-share"
    const shared = await serving(cli, { ...variables, NOMBA_PROXY_KEY: key })
    assert.isUndefined(shared.keyFile)
    assert.strictEqual((await shared.ask(BALANCE, { headers: { authorization: `Bearer ${key}` } })).status, 200)
    await shared.stop()

    const path = join(newPath(), "key")
    const written = await serving(cli, variables, "--write-key", path)
    assert.strictEqual(written.keyFile, path)
    assert.strictEqual(statSync(path).mode & 0o777, 0o600)
    assert.strictEqual((await written.ask(BALANCE)).status, 200)
    await written.stop()
    assert.isFalse(existsSync(path))
  })

  it("does not start with what would let others in, and says what to change", async () => {
    const { variables } = await user()
    const args = ["serve", "--key-file", keyFileOf("shop:the-key-of-the-shop", 0o640)]
    assert.match(problemOf(await run(variables, args), 2), /other users may read it.*chmod 600/)
    for (const empty of [
      ["--allow", ""],
      ["--allow", "GET /v1/**", "--allow", ""],
      ["--allow-host", ""],
      ["--allow="],
      ["--allow"]
    ]) {
      const problem = problemOf(await run(variables, ["serve", ...empty]), 2)
      assert.match(
        problem,
        /^nomba-auth: --allow(?:-host)?(?: is empty: give it a value, or leave it out|: needs a value)/
      )
    }
  })

  it("listens on a Unix socket of mode 0660, without a key if it is told so", async () => {
    const { variables } = await user()
    const folder = newPath()
    mkdirSync(folder)
    const socket = join(folder, "proxy.sock")
    const proxy = await serving(cli, variables, "--socket", socket, "--no-key")
    assert.strictEqual(proxy.socket, socket)
    assert.isUndefined(proxy.keyFile)
    assert.strictEqual(statSync(socket).mode & 0o777, 0o660)
    assert.strictEqual((await proxy.ask(BALANCE)).status, 200)
    await proxy.stop()
    assert.isFalse(existsSync(socket))
  })

  it("permits only what --allow says", async () => {
    const { variables } = await user()
    const proxy = await serving(cli, variables, "--allow", "GET /v1/accounts/**", "--allow", "GET /v1/transfers/banks")
    assert.strictEqual((await proxy.ask(BALANCE)).status, 200)
    assert.strictEqual((await proxy.ask("/v1/transfers/banks")).status, 200)
    assert.deepInclude(await proxy.ask("/v1/transfers/bank", { method: "POST", body: "{}" }), {
      status: 403,
      tag: "NotAllowed"
    })
    await proxy.stop()
  })

  it("tells probes and Prometheus how it is, on a second listener", async () => {
    const { sandbox, variables } = await user()
    const proxy = await serving(cli, variables, "--quiet")
    await proxy.ask(BALANCE)
    const get = (path: string, init?: RequestInit) => fetch(proxy.ops + path, init)
    assert.strictEqual((await get("/-/live")).status, 200)
    const { ready, until } = await (await get("/-/ready")).json()
    assert.isTrue(ready)
    assert.approximately(Date.parse(until), Date.now() + 1_800_000, 120_000)
    const metrics = await (await get("/-/metrics")).text()
    assert.include(metrics, 'nomba_auth_proxy_requests_total{key="default",method="GET",status="200"} 1\n')
    assert.include(metrics, 'nomba_auth_renewals_total{nomba_renewal_trigger="cold",nomba_renewal_result="issued"} 1\n')
    assert.include(metrics, 'nomba_auth_token_wait_seconds_bucket{le="+Inf"} ')
    assert.match(metrics, /^nomba_auth_session_remaining_seconds 1[78]\d\d(?:\.\d+)?$/m)
    assert.include(metrics, "nomba_auth_proxy_request_seconds_count 1\n")
    assert.notInclude(metrics, (await sandbox.session())?.accessToken ?? "")
    assert.strictEqual((await get("/-/nothing")).status, 404)
    assert.strictEqual((await get("/-/live", { method: "POST" })).status, 405)
    assert.strictEqual((await get("/-/metrics", { headers: { origin: "https://evil.example" } })).status, 403)
    await proxy.stop()
  })

  it("is not ready without a session, tries to get one, and answers with Nomba's envelope meanwhile", async () => {
    const { sandbox, variables } = await user()
    await sandbox.fault("issue", { times: "always", answer: { status: 401 } })
    const proxy = await serving(cli, variables)
    const answer = await proxy.ask(BALANCE)
    assert.deepInclude(answer, { status: 502, tag: "InvalidCredentials" })
    assert.strictEqual(JSON.parse(answer.body).code, "502")
    assert.include(answer.body, "NOMBA_CLIENT_SECRET")
    assert.strictEqual((await fetch(`${proxy.ops}/-/ready`)).status, 503)
    assert.strictEqual((await fetch(`${proxy.ops}/-/live`)).status, 200)
    const { code, errors } = await proxy.stop()
    assert.strictEqual(code, 0)
    assert.include(errors, "Nomba rejected the credentials")
    assert.notInclude(errors + answer.body, clientSecret)
  })

  it("finishes what is under way when it is told to end", async () => {
    const { sandbox, variables } = await user()
    const proxy = await serving(cli, variables)
    await proxy.ask(BALANCE)
    await sandbox.fault(`GET ${BALANCE}`, { latency: "3 seconds" })
    const slow = proxy.ask(BALANCE)
    await until(async () => /in_flight 1$/m.test(await (await fetch(`${proxy.ops}/-/metrics`)).text()))
    const stopped = proxy.kill("SIGTERM")
    assert.isTrue(stopped)
    await until(async () => (await fetch(`${proxy.ops}/-/ready`)).status === 503)
    assert.strictEqual((await fetch(`${proxy.ops}/-/live`)).status, 200)
    assert.strictEqual((await slow).status, 200)
    assert.strictEqual((await proxy.ended).code, 0)
  })

  it("--sandbox brings a Nomba of its own, whatever the environment says", async () => {
    const { variables } = await user()
    const proxy = await serving(
      cli,
      { ...variables, NOMBA_BASE_URL: "http://127.0.0.1:1", NOMBA_CLIENT_SECRET: "" },
      "--sandbox"
    )
    assert.strictEqual((await proxy.ask(BALANCE)).status, 200)
    const { errors } = await proxy.stop()
    assert.match(errors, /sandbox on http:\/\/127\.0\.0\.1:\d+/)
    assert.notInclude(errors, "warning")
  })
})

/** Asks again until it holds. */
const until = async (holds: () => Promise<boolean>): Promise<void> => {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe("one session", () => {
  it("is shared by eight proxies that start cold: one token request", async () => {
    const { sandbox, variables } = await user()
    const proxies = await Promise.all(Array.from({ length: 8 }, () => serving(cli, variables, "--quiet")))
    const answers = await Promise.all(proxies.flatMap(({ ask }) => [ask(BALANCE), ask(BALANCE), ask(BALANCE)]))
    assert.deepStrictEqual([...new Set(answers.map(({ status }) => status))], [200])
    assert.strictEqual((await sandbox.counts()).issued, 1)
    await Promise.all(proxies.map(({ stop }) => stop()))
  })

  it("is renewed once for 200 requests that are answered with 401, and all of them succeed", async () => {
    const { sandbox, variables } = await user()
    const proxy = await serving(cli, variables, "--quiet")
    await proxy.ask(BALANCE)
    await sandbox.steal()
    const before = (await sandbox.counts()).issued
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, index) =>
        index % 2 === 0
          ? proxy.ask(BALANCE)
          : proxy.ask("/v1/checkout/order", {
              method: "POST",
              body: order,
              headers: { "content-type": "application/json" }
            })
      )
    )
    assert.deepStrictEqual(
      answers.filter(({ status }) => status !== 200),
      []
    )
    const { issued, refreshed } = await sandbox.counts()
    assert.strictEqual(issued + refreshed - before, 1)
    await proxy.stop()
  })

  it("that another program ends again and again, under load, costs no call", async () => {
    const { sandbox, variables } = await user()
    const proxy = await serving(cli, variables, "--quiet")
    await proxy.ask(BALANCE)
    const answers: Array<ReturnType<typeof proxy.ask>> = []
    const load = setInterval(() => {
      if (answers.length % 5 > 0) return answers.push(proxy.ask(BALANCE))
      const headers = { "content-type": "application/json" }
      return answers.push(proxy.ask("/v1/checkout/order", { method: "POST", body: order, headers }))
    }, 20)
    for (let login = 0; login < 8; login++) {
      await sandbox.steal()
      // Requests that met the other login, and requests sent before the renewal: no request may meet two logins.
      for (const _ of [1, 2]) {
        const sent = answers.length
        await until(async () => answers.length > sent)
        await Promise.all(answers)
      }
    }
    clearInterval(load)
    const failed = (await Promise.all(answers)).filter(({ status }) => status !== 200)
    assert.deepStrictEqual(failed, [])
    // The first session, and one renewal for each login.
    const { issued, refreshed } = await sandbox.counts()
    assert.strictEqual(issued + refreshed, 9)
    await proxy.stop()
  })

  it("is taken over when its proxy is killed in the middle of a renewal", async () => {
    const { sandbox, variables } = await user()
    const first = await serving(cli, variables, "--quiet")
    await first.ask(BALANCE)
    await sandbox.steal()
    await sandbox.fault("refresh", { times: 1, latency: "1 minute" })
    await sandbox.fault("issue", { times: 1, latency: "1 minute" })
    const { issue, refresh } = await sandbox.counts()
    const lost = first.ask(BALANCE).catch(() => undefined)
    await until(async () => {
      const now = await sandbox.counts()
      return now.issue.requests + now.refresh.requests > issue.requests + refresh.requests
    })
    first.kill("SIGKILL")
    await sandbox.clearFaults()
    const second = await serving(cli, variables, "--quiet")
    assert.strictEqual((await second.ask(BALANCE)).status, 200)
    assert.isUndefined(await lost)
    await second.stop()
  })
})
