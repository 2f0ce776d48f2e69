/** The way to the server, against stand-ins that are broken. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:https"
import type { AddressInfo } from "node:net"
import { fileURLToPath } from "node:url"
import { FetchHttpClient } from "@effect/platform"
import { Duration, Effect, Fiber, type Scope, TestClock, TestContext } from "effect"
import { assert, describe, it } from "vitest"
import * as answer from "../../../src/cli/doctor/answer.js"
import { type Finding, failed } from "../../../src/cli/doctor/Finding.js"
import * as network from "../../../src/cli/doctor/network.js"
import { exitCodeOf } from "../../../src/cli/doctor.js"
import { closedPort, type StandIn, serve, serveTcp } from "../../support/server.js"
import { isLine, setUp, type Variables } from "./examine.js"

const { examine, examineProcess, settingsFor, withSandbox } = setUp()

const ok = (says: string): Finding => ({ level: "ok", says })
const warning = (says: string, change: string): Finding => ({ level: "warning", says, change })
const unavailable = (says: string, change: string): Finding => ({ level: "problem", says, change, exitCode: 5 })

const pem = (name: string): string => fileURLToPath(new URL(`../../fixtures/tls/${name}.pem`, import.meta.url))

/** An HTTPS server with one of the certificates. It answers 401, as Nomba does. */
const withTls = async (certificate: string, use: (url: string) => Promise<void>): Promise<void> => {
  const server = createServer(
    { cert: readFileSync(pem(certificate)), key: readFileSync(pem("key")) },
    (_, response) => {
      response.writeHead(401, { "content-type": "application/json" }).end('{"code":"401","description":"Unauthorized"}')
    }
  )
  server.on("tlsClientError", () => {})
  await once(server.listen(0, "127.0.0.1"), "listening")
  try {
    await use(`https://127.0.0.1:${(server.address() as AddressInfo).port}`)
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

const withServer = (served: Effect.Effect<StandIn, never, Scope.Scope>, use: (served: StandIn) => Promise<void>) =>
  Effect.runPromise(Effect.scoped(Effect.flatMap(served, (served) => Effect.promise(() => use(served)))))

const stepsTo = (url: string): network.Steps => ({ url: new URL(url), stepTimeout: Duration.seconds(5) })

const trusting = (certificate: string): Variables => ({ NODE_EXTRA_CA_CERTS: pem(certificate) })

describe("the certificate", () => {
  it("is accepted if its authority is in NODE_EXTRA_CA_CERTS", () =>
    withTls("certificate", async (url) => {
      const { code, line } = await examineProcess({ ...settingsFor(url), ...trusting("certificate") })
      assert.strictEqual(code, 0)
      isLine(line("TLS"), "ok", /^TLSv1\.3, certificate from localhost until 2126-11-02$/)
      isLine(line("answer"), "ok", "Nomba's API answers (HTTP 401 without a token, as it should)")
    }))

  it("of an unknown authority is named, and how to trust it", () =>
    withTls("certificate", async (url) => {
      assert.deepStrictEqual(
        await Effect.runPromise(network.tls(stepsTo(url), {})),
        unavailable(
          "the certificate of 127.0.0.1 is from localhost, whom Node does not trust (DEPTH_ZERO_SELF_SIGNED_CERT)",
          "a proxy or virus scanner may be in between: name the file of its authority in NODE_EXTRA_CA_CERTS"
        )
      )
    }))

  it("of another host is named with its hosts", () =>
    withTls("anotherHost", async (url) => {
      const { code, line } = await examineProcess({ ...settingsFor(url), ...trusting("anotherHost") })
      assert.strictEqual(code, 5)
      isLine(
        line("TLS"),
        "problem",
        "the certificate is for api.example, and not for 127.0.0.1",
        /^check the host of the base URL/
      )
    }))

  it("that has expired is named with its day", () =>
    withTls("expired", async (url) => {
      const { code, line } = await examineProcess({ ...settingsFor(url), ...trusting("expired") })
      assert.strictEqual(code, 5)
      isLine(line("TLS"), "problem", "the certificate of 127.0.0.1 expired on 2021-01-01", /^check this machine's date/)
    }))

  it("is looked at also if Node was told to accept every one", () =>
    withTls("certificate", async (url) => {
      const variables = { NODE_TLS_REJECT_UNAUTHORIZED: "0" }
      const { code, line } = await examineProcess({ ...settingsFor(url), ...trusting("certificate"), ...variables })
      assert.strictEqual(code, 0)
      isLine(line("TLS"), "warning", /makes Node accept every other one too$/, /^remove NODE_TLS/)
      const unknown = await Effect.runPromise(network.tls(stepsTo(url), variables))
      assert.match(unknown.says, /whom Node does not trust/)
    }))

  it("is missing if the server does not speak TLS", () =>
    withServer(
      serve((_, response) => void response.end()),
      async ({ port }) => {
        const found = await Effect.runPromise(network.tls(stepsTo(`https://127.0.0.1:${port}`), {}))
        assert.match(found.says, /^no TLS with 127\.0\.0\.1: \w+$/)
        assert.strictEqual(
          "change" in found && found.change,
          "the server does not speak TLS on this port: check the base URL"
        )
      }
    ))

  const certificate = { from: "2100-01-01", issuer: "Corporate Proxy", names: "a.example", until: "2101-01-01" }

  it("that is not valid yet points to this machine's date", () => {
    assert.deepStrictEqual(
      network.refusedCertificate("CERT_NOT_YET_VALID", "api.nomba.com", certificate, {}),
      unavailable("the certificate of api.nomba.com is valid from 2100-01-01 on", "check this machine's date")
    )
  })

  it.each([
    [
      { NODE_EXTRA_CA_CERTS: "/nowhere/ca.pem" },
      "NODE_EXTRA_CA_CERTS is set, and its file cannot be read: correct the path"
    ],
    [trusting("expired"), "NODE_EXTRA_CA_CERTS is set, and its file does not contain the authority: add it there"]
  ])("of an unknown authority: %o", (variables, change) => {
    assert.deepStrictEqual(
      network.refusedCertificate("SELF_SIGNED_CERT_IN_CHAIN", "api.nomba.com", certificate, variables),
      unavailable(
        "the certificate of api.nomba.com is from Corporate Proxy, whom Node does not trust (SELF_SIGNED_CERT_IN_CHAIN)",
        `a proxy or virus scanner may be in between: ${change}`
      )
    )
  })
})

describe("the connection", () => {
  it("is refused", async () => {
    const port = await Effect.runPromise(closedPort)
    assert.deepStrictEqual(
      await Effect.runPromise(network.connection(stepsTo(`http://127.0.0.1:${port}`))),
      unavailable(
        `cannot connect to 127.0.0.1:${port}: ECONNREFUSED`,
        "nothing listens there: check the base URL, and whether the server runs"
      )
    )
  })

  // A label of more than 63 letters is refused by the system before anybody is asked.
  it("needs a name that can be resolved", async () => {
    const host = `${"a".repeat(64)}.example`
    const { code, line } = await examine({
      ...settingsFor(`https://${host}`),
      HTTPS_PROXY: "http://u:sesame@proxy:3128"
    })
    assert.strictEqual(code, 5)
    isLine(
      line("DNS"),
      "problem",
      `cannot resolve ${host}: ENOTFOUND`,
      `check the spelling of ${host} and this machine's DNS; HTTPS_PROXY is set, and Node does not use it (see proxy)`
    )
    isLine(line("connection"), "skipped", "see DNS")
  })

  it("says what a name is resolved to", async () => {
    const found = await Effect.runPromise(network.dns(stepsTo("http://localhost:1")))
    assert.strictEqual(found.level, "ok")
    assert.match(found.says, /^localhost is (?:127\.0\.0\.1|::1)/)
  })

  it("is given up after the time-out of a step", async () => {
    const found = await Effect.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { port } = yield* serveTcp(() => {})
          const url = new URL(`https://127.0.0.1:${port}`)
          const waiting = yield* Effect.fork(network.tls({ url, stepTimeout: Duration.seconds(5) }, {}))
          yield* TestClock.adjust("5 seconds")
          return yield* Fiber.join(waiting)
        })
      ).pipe(Effect.provide(TestContext.TestContext))
    )
    assert.deepStrictEqual(
      found,
      unavailable(
        "no TLS with 127.0.0.1 within 5 s",
        "a firewall or proxy may hold it back, or the server does not speak TLS: check both"
      )
    )
  })
})

describe("the answer to a request without a token", () => {
  const answers: ReadonlyArray<
    readonly [
      string,
      code: number,
      level: "ok" | "warning" | "problem",
      says: RegExp,
      change: RegExp,
      head: readonly [number, Variables, string]
    ]
  > = [
    [
      "an HTML page",
      6,
      "problem",
      /an HTML page, which comes from a firewall/,
      /let requests to this host through/,
      [403, { "content-type": "text/html" }, "<html>blocked</html>"]
    ],
    [
      "a portal",
      6,
      "problem",
      /a success that is not a JSON object/,
      /let requests to this host through/,
      [200, { "content-type": "text/html" }, "<html>log in</html>"]
    ],
    [
      "a redirect",
      6,
      "problem",
      /a redirect, which is not followed/,
      /^check the base URL/,
      [302, { location: "https://example.com/" }, ""]
    ],
    [
      "another API",
      0,
      "warning",
      /a request without a token succeeded/,
      /^check the base URL/,
      [200, { "content-type": "application/json" }, "{}"]
    ],
    ["no such path", 2, "problem", /HTTP 404/, /nothing answers under its path/, [404, {}, ""]],
    [
      "a server error",
      5,
      "problem",
      /^Nomba failed \(request, HTTP 503\)/,
      /^wait; if it lasts, report it to Nomba$/,
      [503, {}, ""]
    ],
    [
      "the rate limit",
      5,
      "problem",
      /^Nomba's rate limit is reached \(request, HTTP 429\)\. Try again after 30 s\.$/,
      /^wait; let all programs/,
      [429, { "retry-after": "30" }, ""]
    ],
    [
      "an IP address that is not allowed",
      0,
      "warning",
      /HTTP 403 already to a request without a token/,
      /allow-list/,
      [403, { "content-type": "application/json" }, '{"code":"403"}']
    ]
  ]

  const asked = (url: string) =>
    answer
      .ask(
        { baseUrl: url, origins: { clientId: "-", clientSecret: "-", accountId: "-", environment: url } },
        { stepTimeout: Duration.seconds(5) }
      )
      .pipe(
        Effect.match({ onFailure: (error) => failed(error), onSuccess: answer.answerWithoutToken }),
        Effect.provide(FetchHttpClient.layer)
      )

  it.each(answers)("%s", (_, code, level, says, change, [status, headers, body]) =>
    withServer(
      serve((_, response) => void response.writeHead(status, headers).end(body)),
      async ({ seen, url }) => {
        const found = await Effect.runPromise(asked(url))
        assert.strictEqual(exitCodeOf([{ check: "answer", ...found }]), code)
        isLine({ check: "answer", ...found }, level, says, change)
        assert.deepStrictEqual(seen, ["GET /v1/accounts/balance"])
      }
    )
  )

  it("does not come", () =>
    withServer(
      serve(() => {}),
      async ({ url }) => {
        const waiting = Effect.gen(function* () {
          const fiber = yield* Effect.fork(asked(url))
          yield* TestClock.adjust("5 seconds")
          return yield* Fiber.join(fiber)
        })
        const { says } = await Effect.runPromise(Effect.provide(waiting, TestContext.TestContext))
        assert.match(says, /did not answer in time \(request\)\.$/)
      }
    ))

  it.each([
    [600_000, "behind"],
    [-600_000, "ahead of"]
  ])("shows a clock that differs by %i ms", (clockOffset, direction) =>
    withSandbox(
      async (_, settings) => {
        const { code, line } = await examine(settings)
        assert.strictEqual(code, 0)
        isLine(
          line("clock"),
          "warning",
          new RegExp(`^this machine's clock is (?:10m|9m 59s|10m 1s) ${direction} the server's$`),
          /time synchronisation/
        )
      },
      { clockOffset }
    )
  )
})

describe("the proxy", () => {
  const node20: network.NodeProxy = { version: "20.20.2", isSupported: false, isOn: false }
  const node24: network.NodeProxy = { version: "24.5.0", isSupported: true, isOn: false }
  const on: network.NodeProxy = { ...node24, isOn: true }
  const api = "https://api.nomba.com"
  const direct = ok("no proxy variable is set: requests go directly")
  const HTTPS_PROXY = "http://user:sesame@proxy.example:3128"
  const without24 = "if this machine has no direct way out, use Node 24 (or 22.21) and set NODE_USE_ENV_PROXY=1"

  it.each<readonly [string, Variables, string, network.NodeProxy, network.ProxyFound]>([
    ["none", {}, api, node20, { finding: direct, isUsed: false }],
    [
      "that this Node does not know",
      { HTTPS_PROXY },
      api,
      node20,
      {
        isUsed: false,
        unused: "HTTPS_PROXY",
        finding: warning("HTTPS_PROXY is set, and Node 20.20.2 does not use it: requests go directly", without24)
      }
    ],
    [
      "that this Node was not told to use, in lower case",
      { https_proxy: HTTPS_PROXY, HTTPS_PROXY: "http://other" },
      api,
      node24,
      {
        isUsed: false,
        unused: "https_proxy",
        finding: warning(
          "https_proxy is set, and Node 24.5.0 does not use it: requests go directly",
          "if this machine has no direct way out, set NODE_USE_ENV_PROXY=1"
        )
      }
    ],
    [
      "that only curl reads",
      { ALL_PROXY: HTTPS_PROXY },
      api,
      on,
      {
        isUsed: false,
        unused: "ALL_PROXY",
        finding: warning(
          "ALL_PROXY is set, and Node 24.5.0 does not use it: requests go directly",
          "if this machine has no direct way out, set HTTPS_PROXY and set NODE_USE_ENV_PROXY=1"
        )
      }
    ],
    [
      "that is used, without its password",
      { HTTPS_PROXY },
      api,
      on,
      { isUsed: true, finding: ok("requests go through the proxy proxy.example:3128 (HTTPS_PROXY)") }
    ],
    [
      "that does not matter for the host",
      { HTTPS_PROXY, NO_PROXY: "localhost,.nomba.com" },
      api,
      on,
      { isUsed: false, finding: ok("NO_PROXY exempts api.nomba.com from HTTPS_PROXY: requests go directly") }
    ],
    [
      "that does not matter for this machine",
      { HTTP_PROXY: HTTPS_PROXY },
      "http://127.0.0.1:4010",
      node20,
      { isUsed: false, finding: ok("requests to this machine need no proxy") }
    ]
  ])("%s", (_, variables, url, node, expected) => {
    assert.deepStrictEqual(network.proxy(variables, url, node), expected)
  })

  it.each([
    ["*", true],
    ["nomba.com", true],
    [".nomba.com", true],
    ["*.nomba.com", true],
    ["api.nomba.com:443", true],
    ["localhost, API.NOMBA.COM", true],
    ["api.nomba.com:8443", false],
    ["omba.com", false],
    ["api.nomba.com.example", false],
    ["", false],
    [",", false]
  ])("NO_PROXY=%s exempts api.nomba.com: %s", (list, expected) => {
    assert.strictEqual(network.isExempt(list, new URL(api)), expected)
  })
})
