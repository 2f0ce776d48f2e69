import { assert, describe, it } from "@effect/vitest"
import { Either } from "effect"
import { makeHostCheck, refusePage } from "../../../src/cli/serve/Admission.js"
import { normalise, parseRule } from "../../../src/cli/serve/Rules.js"

const pathOf = (target: string): string | undefined =>
  Either.getOrUndefined(Either.map(normalise(target), ({ path, query }) => path + query))

describe("normalise", () => {
  it.each([
    ["/v1/accounts/balance", "/v1/accounts/balance"],
    ["/v1/accounts/", "/v1/accounts/"],
    ["/", "/"],
    ["/v1/accounts?id=a%2Fb&c=%00", "/v1/accounts?id=a%2Fb&c=%00"],
    ["/v1/%61ccounts", "/v1/accounts"],
    ["/v1/acc%6funts/%7e%2D", "/v1/accounts/~-"],
    ["/v1/a%20b/%c3%a9", "/v1/a%20b/%C3%A9"],
    ["/v1/o'neil@x:1,(2)", "/v1/o'neil@x:1,(2)"],
    ["/v1/.hidden/a..b/...", "/v1/.hidden/a..b/..."],
    ["/v1/x?u=http://evil/../", "/v1/x?u=http://evil/../"]
  ])("sends %s as %s", (given, sent) => {
    assert.strictEqual(pathOf(given), sent)
    assert.strictEqual(pathOf(sent), sent)
    // What URL makes of it on its way is the same.
    assert.strictEqual(new URL(`http://x${sent.replace(/\?.*/, "")}`).pathname, sent.replace(/\?.*/, ""))
  })

  it.each([
    "",
    "*",
    "v1/accounts",
    "http://evil.example/v1/accounts",
    "//evil.example/v1",
    "/v1//accounts",
    "/v1/accounts/../transfers",
    "/v1/accounts/..",
    "/v1/./accounts",
    "/v1/accounts/%2e%2e/transfers",
    "/v1/accounts/.%2E/transfers",
    "/v1/accounts/%2E",
    "/v1/accounts%2f..%2ftransfers",
    "/v1/accounts/%2F",
    "/v1/accounts\\..\\transfers",
    "/v1/accounts/%5c..%5Ctransfers",
    "/v1/accounts/%252e%252e/transfers",
    "/v1/accounts/%252f",
    "/v1/accounts/%25",
    "/v1/accounts/..;/transfers",
    "/v1/accounts;x=1",
    "/v1/accounts/..%3b/transfers",
    "/v1/accounts%3Fa",
    "/v1/accounts%23a",
    "/v1/accounts#a",
    "/v1/accounts?a#b",
    "/v1/accounts/%00",
    "/v1/accounts/%0d%0aX:1",
    "/v1/accounts/%1F",
    "/v1/accounts/%7f",
    "/v1/accounts/%c0%ae%c0%ae/transfers",
    "/v1/accounts/%c0%af",
    "/v1/accounts/%ff",
    "/v1/accounts/%",
    "/v1/accounts/%4",
    "/v1/accounts/%zz",
    "/v1/accounts/a b",
    '/v1/accounts/"',
    "/v1/accounts/<x>",
    "/v1/accounts/{id}",
    "/v1/accounts/|",
    "/v1/accounts/\u00e9"
  ])("refuses %s", (given) => {
    const refused = normalise(given)
    assert.isTrue(Either.isLeft(refused))
    if (Either.isLeft(refused)) assert.deepInclude(refused.left, { status: 400, tag: "InvalidRequest" })
  })
})

const allows = (rule: string, method: string, path: string): boolean =>
  Either.getOrThrow(parseRule(rule)).allows(method, path)

describe("a rule", () => {
  it.each([
    ["GET /v1/accounts/**", "GET", "/v1/accounts/balance", true],
    ["GET /v1/accounts/**", "GET", "/v1/accounts/a/b/c", true],
    ["GET /v1/accounts/**", "GET", "/v1/accounts", true],
    ["GET /v1/accounts/**", "HEAD", "/v1/accounts/balance", true],
    ["GET /v1/accounts/**", "POST", "/v1/accounts/balance", false],
    ["GET /v1/accounts/**", "GET", "/v1/accountsx", false],
    ["GET /v1/accounts/**", "GET", "/V1/accounts/x", false],
    ["GET /v1/accounts/*", "GET", "/v1/accounts/x", true],
    ["GET /v1/accounts/*", "GET", "/v1/accounts/x/y", false],
    ["GET /v1/accounts/*", "GET", "/v1/accounts/", false],
    ["GET /v1/accounts", "GET", "/v1/accounts/", false],
    ["GET /v1/*/balance", "GET", "/v1/accounts/balance", true],
    ["GET,POST /v1/a", "POST", "/v1/a", true],
    ["GET,POST /v1/a", "PUT", "/v1/a", false],
    ["* /v1/a", "DELETE", "/v1/a", true],
    ["HEAD /v1/a", "GET", "/v1/a", false],
    ["* /**", "PATCH", "/anything", true],
    ["* /%761/a", "GET", "/v1/a", true]
  ])("%s: %s %s is %s", (rule, method, path, allowed) => {
    assert.strictEqual(allows(rule, method, path), allowed)
  })

  it.each([
    "",
    "/v1/accounts",
    "GET",
    "get /v1/accounts",
    "GET accounts",
    "TRACE /v1",
    "GET, POST /v1",
    "GET /v1/acc*",
    "GET /v1/**/balance",
    "GET /v1/../x",
    "GET /v1?x=1",
    "GET /v1 /v2"
  ])("refuses %j as a rule", (rule) => {
    assert.isTrue(Either.isLeft(parseRule(rule)))
  })
})

describe("makeHostCheck", () => {
  const loopback = makeHostCheck({ host: "127.0.0.1", port: 4020, allowedHosts: ["nomba-proxy"] })
  it.each(["127.0.0.1:4020", "localhost:4020", "LOCALHOST:4020", "[::1]:4020", "nomba-proxy", "nomba-proxy:80"])(
    "takes %s for a name of a listener on this machine",
    (host) => {
      assert.isTrue(loopback(host))
      assert.isTrue(loopback(host))
    }
  )
  it.each([
    "",
    "127.0.0.1",
    "127.0.0.1:4021",
    "localhost",
    "evil.example",
    "evil.example:4020",
    "localhost.evil.example:4020",
    "127.0.0.1.evil.example:4020",
    "192.168.1.2:4020",
    "a@127.0.0.1:4020",
    "127.0.0.1:4020/x",
    "127.0.0.1:4020 ",
    "[::2]:4020"
  ])("does not take %j for one", (host) => {
    assert.isFalse(loopback(host))
  })
  it("takes every address and no name for one of a listener on all addresses", () => {
    const all = makeHostCheck({ host: "0.0.0.0", port: 4020, allowedHosts: [] })
    assert.isTrue(all("10.0.0.7:4020"))
    assert.isTrue(all("[fd00::1]:31000"))
    assert.isFalse(all("evil.example:4020"))
  })
})

describe("refusePage", () => {
  const check = (headers: Record<string, string>) =>
    refusePage(
      { host: "127.0.0.1:4020", ...headers },
      makeHostCheck({ host: "127.0.0.1", port: 4020, allowedHosts: [] })
    )
  it.each([
    { host: "evil.example:4020" },
    { origin: "https://evil.example" },
    { origin: "null" },
    { origin: "https://127.0.0.1:4020" },
    { origin: "http://localhost:4020" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" }
  ])("refuses %j", (headers) => {
    assert.deepInclude(check(headers), { status: 403, tag: "ForeignPage" })
  })
  it.each([{}, { origin: "http://127.0.0.1:4020" }, { "sec-fetch-site": "none" }, { "sec-fetch-site": "same-origin" }])(
    "lets %j through",
    (headers) => {
      assert.isUndefined(check(headers))
    }
  )
})
