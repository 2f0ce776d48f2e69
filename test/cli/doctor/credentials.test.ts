/** Settings and credentials, against sandboxes. */
import { chmodSync, existsSync, readdirSync, writeFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import { clientSecret, isLine, setUp, type Variables } from "./examine.js"

const { examine, examineProcess, newPath, run, withSandbox } = setUp()

const id = "5e2c7ab5-dc95-431e-97bd-85319087245a"
const anotherId = "0b7be75a-7a4b-4c36-9d33-3a5a4d0f5f11"

const confirmed = ["--login", "--yes"]

const without = (settings: Variables, name: string): Variables =>
  Object.fromEntries(Object.entries(settings).filter(([other]) => other !== name))

const folderOf = (settings: Variables): string => (settings["NOMBA_TOKEN_STORE"] ?? "").slice("file:".length)

describe("doctor without --login", () => {
  it("finds nothing wrong, sends no token request and stores nothing", () =>
    withSandbox(async (sandbox, settings) => {
      const { code, output } = await run(settings)
      assert.strictEqual(code, 0)
      assert.notMatch(output, /^(?:warning|problem)/m)
      const { issue, refresh, revoke } = await sandbox.counts()
      assert.deepStrictEqual([issue.requests, refresh.requests, revoke.requests], [0, 0, 0])
      assert.isFalse(existsSync(folderOf(settings)))
    }))

  it("uses the stored session, and leaves it as it is", () =>
    withSandbox(async (sandbox, settings) => {
      await examine(settings, confirmed)
      const before = await sandbox.session()
      const files = readdirSync(folderOf(settings), { recursive: true, encoding: "utf8" })
      const { code, line } = await examine(settings)
      assert.strictEqual(code, 0)
      isLine(line("session"), "ok", /^valid for 29m \d+s, issued \d+s ago, stored by a program on this machine$/)
      isLine(line("token"), "ok", "Nomba accepts the stored token")
      isLine(line("login"), "skipped", /^not tried: --login/)
      assert.deepStrictEqual(await sandbox.session(), before)
      assert.strictEqual((await sandbox.counts()).issued, 1)
      assert.sameMembers(readdirSync(folderOf(settings), { recursive: true, encoding: "utf8" }), files)
    }))

  it("says that another program logs in with the same credentials", () =>
    withSandbox(async (sandbox, settings) => {
      await examine(settings, confirmed)
      await sandbox.steal()
      const { code, line, wrong } = await examine(settings)
      assert.deepStrictEqual([code, wrong], [4, ["token"]])
      isLine(
        line("token"),
        "problem",
        /^Nomba rejects the stored token \(HTTP 401, "Unauthorized"\), although its lifetime is not over \(issued \d+s ago, stored by a program on this machine\)$/,
        /^another program has logged in with these credentials since then\. It does not use this token store, .* or give it another client id/
      )
    }))

  it("masks a token that the server sends back", () =>
    withSandbox(async (sandbox, settings) => {
      await examine(settings, confirmed)
      const token = (await sandbox.session())?.accessToken ?? ""
      assert.match(token, /^eyJ/, "which no output may contain")
      const body = { code: "401", description: `Bearer ${token} is no good`, errors: [token] }
      await sandbox.fault("GET /v1/accounts/balance", { times: "always", answer: { status: 401, body } })
      const { code, line } = await examine(settings)
      assert.strictEqual(code, 4)
      isLine(line("token"), "problem", /\(HTTP 401, "Bearer \*\*\* is no good"\)/)
    }))

  it.each([401, 403] as const)("tells a wrong account id, answered with %i, from a rejected token", (wrongAccount) =>
    withSandbox(
      async (_, settings) => {
        await examine(settings, confirmed)
        const { code, line } = await examine({ ...settings, NOMBA_ACCOUNT_ID: anotherId })
        assert.strictEqual(code, 3)
        isLine(
          line("token"),
          "problem",
          /^Nomba accepts the stored token, but not with this account id \(HTTP 40[13]/,
          "correct the account id (NOMBA_ACCOUNT_ID): it must be the parent account's, and not a sub-account's"
        )
      },
      { wrongAccount }
    )
  )

  it("says that the account id is missing", () =>
    withSandbox(
      async (_, settings) => {
        await examine(settings, confirmed)
        const { code, line } = await examine(without(settings, "NOMBA_ACCOUNT_ID"))
        assert.strictEqual(code, 3)
        isLine(
          line("token"),
          "problem",
          /the account id is not set, which is the likeliest cause$/,
          "set NOMBA_ACCOUNT_ID to the parent account's id"
        )
      },
      { accountHeader: "required" }
    ))

  it("says that Nomba denies access, with and without the account id", () =>
    withSandbox(async (sandbox, settings) => {
      await examine(settings, confirmed)
      await sandbox.fault("GET /v1/accounts/balance", { times: "always", answer: { status: 403 } })
      const { code, line, wrong } = await examine(settings)
      assert.deepStrictEqual([code, wrong], [3, ["token"]])
      isLine(line("answer"), "warning", /already to a request without a token$/, /allow-list/)
      isLine(line("token"), "problem", "Nomba denies access with the stored token (HTTP 403)", /IP address/)
    }))
})

describe("doctor --login", () => {
  it("says first what it ends, and does nothing without --yes and a terminal", () =>
    withSandbox(async (sandbox, settings) => {
      const { code, errors, output } = await run(settings, ["--login"])
      assert.deepStrictEqual([code, output], [2, ""])
      assert.match(
        errors,
        /^nomba-auth: A new token ends the session of every other program with these credentials\.$/m
      )
      assert.match(errors, /--yes/)
      assert.strictEqual((await sandbox.counts()).issue.requests, 0)
    }))

  it("tries the credentials and stores the new token for the programs that share the store", () =>
    withSandbox(async (sandbox, settings) => {
      const { code, line } = await examine(settings, confirmed)
      assert.strictEqual(code, 0)
      isLine(line("login"), "ok", /^Nomba accepts the credentials; the new token is stored, and valid for 29m/)
      isLine(line("token"), "ok", "Nomba accepts the stored token")
      await examine(settings, confirmed)
      assert.strictEqual((await sandbox.counts()).issued, 2, "although there was a session")
    }))

  it("says that the credentials are wrong", () =>
    withSandbox(async (sandbox, settings) => {
      const secret = `${"A".repeat(20)}${clientSecret.slice(20)}`
      const { code, errors, line, wrong } = await examineProcess(
        { ...settings, NOMBA_CLIENT_SECRET: secret },
        confirmed
      )
      assert.deepStrictEqual([code, wrong], [3, ["login"]])
      assert.match(errors, /^nomba-auth: A new token ends[^\n]*\n$/, "the report says the rest")
      isLine(
        line("login"),
        "problem",
        /^Nomba rejected the credentials when requesting a token \(HTTP 401.*Check the client id \(NOMBA_CLIENT_ID\), the client secret \(NOMBA_CLIENT_SECRET\)/,
        "compare each of them with the Nomba dashboard"
      )
      assert.strictEqual((await sandbox.counts()).issued, 0)
    }))

  it.each([
    [401, 3, /^Nomba rejected the credentials when requesting a token \(HTTP 401/],
    [503, 5, /HTTP 503/]
  ] as const)(
    "reports a token request that Nomba answers with %i, although the store holds a valid session",
    (status, expected, says) =>
      withSandbox(async (sandbox, settings) => {
        await examine(settings, confirmed)
        const before = await sandbox.session()
        await sandbox.fault("issue", { times: "always", answer: { status, body: { code: String(status) } } })
        const { code, line, wrong } = await examine(settings, confirmed)
        assert.deepStrictEqual([code, wrong], [expected, ["login"]])
        isLine(line("login"), "problem", says)
        isLine(line("token"), "ok", "Nomba accepts the stored token")
        assert.deepStrictEqual(await sandbox.session(), before)
      })
  )

  it("says that only the account id is wrong, and leaves no session of that trial", () =>
    withSandbox(async (sandbox, settings) => {
      const { code, line } = await examine({ ...settings, NOMBA_ACCOUNT_ID: anotherId }, confirmed)
      assert.strictEqual(code, 3)
      isLine(
        line("login"),
        "problem",
        "Nomba accepts the client id and the secret, but not with this account id",
        "correct the account id (NOMBA_ACCOUNT_ID): it must be the parent account's, and not a sub-account's"
      )
      const { issued, revoked } = await sandbox.counts()
      assert.deepStrictEqual([issued, revoked], [1, 1])
    }))

  it("says that the account id is a sub-account's", () =>
    withSandbox(
      async (_, settings) => {
        const { code, line } = await examine({ ...settings, NOMBA_ACCOUNT_ID: anotherId }, confirmed)
        assert.strictEqual(code, 3)
        isLine(line("login"), "problem", /not with this account id$/, /not a sub-account's$/)
      },
      {
        clients: [
          { clientId: id, clientSecret, accountId: "aef105ad-f352-47a9-9531-d65072584430", subAccountIds: [anotherId] }
        ]
      }
    ))

  it("says that the IP address may not be allowed", () =>
    withSandbox(
      async (_, settings) => {
        const { code, line } = await examine(settings, confirmed)
        assert.strictEqual(code, 3)
        isLine(
          line("login"),
          "problem",
          /^Nomba denied access on issue \(HTTP 403/,
          "add this machine's IP address to the allow-list in the Nomba dashboard; if it is there, check the account id"
        )
      },
      { callerAddress: "refused" }
    ))

  it("says that the rate limit is reached, and for how long", () =>
    withSandbox(async (sandbox, settings) => {
      await sandbox.fault("issue", { times: "always", answer: { status: 429, headers: { "retry-after": "40" } } })
      const { code, line } = await examine(settings, confirmed)
      assert.strictEqual(code, 5)
      isLine(
        line("login"),
        "problem",
        /^Nomba's rate limit is reached \(issue, HTTP 429.*Try again after 40 s\.$/,
        /^wait; let all programs with these credentials share a token store/
      )
      const next = await examine(settings)
      assert.strictEqual(next.code, 5)
      isLine(
        next.line("session"),
        "problem",
        /^Nomba's rate limit is reached, as another process found: .* wait for \d+s$/
      )
    }))

  it("requests no token that it could not store", () =>
    withSandbox(async (sandbox, settings) => {
      const path = newPath()
      writeFileSync(path, "")
      const { code, line } = await examine({ ...settings, NOMBA_TOKEN_STORE: `file:${path}` }, confirmed)
      assert.strictEqual(code, 5)
      isLine(line("login"), "skipped", "a new token could not be stored: see token store")
      assert.strictEqual((await sandbox.counts()).issue.requests, 0)
    }))

  it("is not for a client whose end users log in", () =>
    withSandbox(async (sandbox, settings) => {
      const { code, line } = await examine(without(settings, "NOMBA_CLIENT_SECRET"), [...confirmed, "--subject", "ada"])
      assert.strictEqual(code, 0)
      isLine(line("client secret"), "skipped", "a public client has none")
      isLine(line("login"), "skipped", "an end user logs in with `nomba-auth login`")
      assert.strictEqual((await sandbox.counts()).issue.requests, 0)
    }))
})

describe("the settings", () => {
  const placeholder = [/ is a placeholder$/, "put the real value there"] as const

  const rows: ReadonlyArray<
    readonly [string, Variables, ReadonlyArray<readonly [check: string, says: RegExp, change: string]>]
  > = [
    [
      "placeholders and a blocked port",
      {
        NOMBA_CLIENT_ID: "your-client-id",
        NOMBA_CLIENT_SECRET: "<client secret>",
        NOMBA_ACCOUNT_ID: "xxx",
        NOMBA_BASE_URL: "https://127.0.0.1:6000"
      },
      [
        ["client id", ...placeholder],
        ["client secret", ...placeholder],
        ["account id", ...placeholder],
        ["environment", /^NOMBA_BASE_URL uses port 6000, which fetch refuses$/, "use another port"]
      ]
    ],
    [
      "quotes, a line end, an empty value and plain http",
      {
        NOMBA_CLIENT_ID: `"${id}"`,
        NOMBA_CLIENT_SECRET: `${clientSecret}\n${clientSecret}`,
        NOMBA_ACCOUNT_ID: "",
        NOMBA_BASE_URL: "http://nomba.invalid"
      },
      [
        ["client id", / has quotation marks around it$/, "remove them"],
        ["client secret", / has control or invisible characters$/, "type it again"],
        ["account id", / is empty$/, "give it a value, or leave it out"],
        ["environment", / uses plain http$/, "use https, or http to a loopback address"]
      ]
    ],
    [
      "swapped credentials and an unknown environment",
      {
        NOMBA_CLIENT_ID: clientSecret,
        NOMBA_CLIENT_SECRET: id,
        NOMBA_ENVIRONMENT: "live",
        NOMBA_ACCOUNT_ID: "  "
      },
      [
        [
          "client id",
          /like a secret, and the client secret like an id$/,
          "swap NOMBA_CLIENT_ID and NOMBA_CLIENT_SECRET"
        ],
        ["account id", / is empty$/, "give it a value, or leave it out"],
        ["environment", /^NOMBA_ENVIRONMENT must be sandbox or production$/, "correct it"]
      ]
    ]
  ]

  it.each(rows)("%s: each is a problem of its own line, and nothing is sent", async (_, variables, expected) => {
    const { code, line, wrong } = await examine({ NOMBA_TOKEN_STORE: `file:${newPath()}`, ...variables })
    assert.strictEqual(code, 2)
    assert.deepStrictEqual(
      wrong,
      expected.map(([check]) => check)
    )
    for (const [check, says, change] of expected) isLine(line(check), "problem", says, change)
    for (const check of ["DNS", "connection", "TLS", "answer"]) isLine(line(check), "skipped", "see environment")
  })

  it("white space around a value and /v1 are warnings", () =>
    withSandbox(async ({ url }, settings) => {
      const { code, line } = await examine({ ...settings, NOMBA_CLIENT_ID: ` ${id}\r\n`, NOMBA_BASE_URL: `${url}/v1/` })
      assert.strictEqual(code, 0)
      isLine(line("client id"), "warning", /with white space or a line end around it$/, /^nomba-auth leaves it out/)
      isLine(line("environment"), "warning", /leaves out the \/v1 at its end$/, /^remove \/v1 from NOMBA_BASE_URL/)
    }))

  it("every value that is missing is named, and so are the variables that are not read", () =>
    withSandbox(async (_, settings) => {
      const { NOMBA_BASE_URL = "" } = settings
      const { code, line } = await examineProcess({ NOMBA_BASE_URL, NOMBA_SECRET: "sesame" })
      assert.strictEqual(code, 2)
      isLine(line("client id"), "problem", "NOMBA_CLIENT_ID is not set", /NOMBA_SECRET is set and is not read$/)
      isLine(
        line("client secret"),
        "problem",
        "NOMBA_CLIENT_SECRET is not set, and neither is NOMBA_PRIVATE_KEY",
        /"Private Key"/
      )
      isLine(line("session"), "skipped", "see the settings")
    }))

  it("says which option or variable the secret is from", () =>
    withSandbox(async (_, settings) => {
      const others = without(settings, "NOMBA_CLIENT_SECRET")
      const file = newPath()
      writeFileSync(file, `${clientSecret}\n`, { mode: 0o600 })
      const described = ": 44 characters, base64"
      const secretLine = async (...given: Parameters<typeof examine>) => (await examine(...given)).line("client secret")
      isLine(
        await secretLine({ ...others, NOMBA_PRIVATE_KEY: clientSecret }),
        "ok",
        `from NOMBA_PRIVATE_KEY${described}`
      )
      isLine(await secretLine(others, ["--client-secret-file", file]), "ok", `from --client-secret-file${described}`)
      const piped = await examineProcess(others, ["--client-secret-file", "-"], { input: `${clientSecret}\n` })
      isLine(piped.line("client secret"), "ok", `from --client-secret-file${described}`)
      chmodSync(file, 0o644)
      isLine(
        await secretLine(others, ["--client-secret-file", file]),
        "problem",
        /other users may read it \(mode 644\)$/,
        "chmod 600 it"
      )
      isLine(
        await secretLine({ ...settings, NOMBA_PRIVATE_KEY: "another" }),
        "warning",
        /NOMBA_PRIVATE_KEY has another value, which does not count$/,
        "remove NOMBA_PRIVATE_KEY"
      )
    }))
})
