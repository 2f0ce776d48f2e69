import { spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer as createHttpServer, type ServerResponse } from "node:http"
import { createServer } from "node:net"
import { join } from "node:path"
import { stripVTControlCharacters } from "node:util"
import { Option } from "effect"
import type { StartOptions } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import type { AnyCommand } from "../../src/cli/CommandLine.js"
import { exitCodeOf } from "../../src/cli/curl.js"
import { helpOf } from "../../src/cli/help.js"
import { clientSecret, problemOf, resultOf, useCli, without } from "../support/cli.js"

const { bin, newPath, run, start, user } = useCli()

const secrets = [clientSecret, "eyJ"]

/** A user, and commands of this user, none of which may show a secret. */
const quietUser = async (options?: StartOptions) => {
  const { sandbox, variables, ...rest } = await user(options)
  const command = async (...args: ReadonlyArray<string>) => {
    const ended = await run(variables, args)
    for (const secret of secrets) assert.notInclude(ended.output + ended.errors, secret)
    return ended
  }
  return { ...rest, command, sandbox, variables }
}

describe("nomba-auth status", () => {
  it("shows the session, its age and where each setting comes from, without a request", async () => {
    const { command, sandbox, store, variables } = await quietUser()
    const rows = async () => {
      const { code, output } = await command("status")
      assert.strictEqual(code, 0)
      return Object.fromEntries(
        output
          .trimEnd()
          .split("\n")
          .map((line) => [line.slice(0, 12).trimEnd(), line.slice(13)])
      )
    }
    assert.deepStrictEqual(await rows(), {
      session: "none yet: the next command that needs one starts it",
      "client id": `${variables.NOMBA_CLIENT_ID} (NOMBA_CLIENT_ID)`,
      "account id": `${variables.NOMBA_ACCOUNT_ID} (NOMBA_ACCOUNT_ID)`,
      environment: `${sandbox.url} (from NOMBA_BASE_URL)`,
      "token store": `file:${store} (by default)`
    })
    assert.strictEqual((await sandbox.counts()).issue.requests, 0)
    await command("issue", "--yes")
    await sandbox.close()
    const { age = "", session = "" } = await rows()
    assert.match(session, /^valid for 29 min \d+ s, until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
    assert.match(age, /^\d+ s, issued at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC$/)
  })

  it("prints one line of JSON with --json", async () => {
    const { command, variables } = await quietUser()
    await command("issue", "--yes")
    const { output } = await command("status", "--json")
    const { session, ...rest } = JSON.parse(output)
    assert.strictEqual(output.split("\n").length, 2)
    assert.strictEqual(rest.client_id, variables.NOMBA_CLIENT_ID)
    assert.strictEqual(rest.base_url, variables.NOMBA_BASE_URL)
    assert.deepStrictEqual([session.state, session.has_refresh_token], ["valid", true])
    assert.approximately(session.expires_in + session.age, 1800, 1)
  })

  it("needs no client secret", async () => {
    const { command, variables } = await quietUser()
    await command("issue", "--yes")
    const plain = without(variables, "NOMBA_CLIENT_SECRET")
    assert.match(resultOf(await run(plain, ["status"])), /^session +valid for/)
    assert.include(problemOf(await run(without(plain, "NOMBA_CLIENT_ID"), ["status"]), 2), "NOMBA_CLIENT_ID is not set")
  })

  it("hides the password of a Redis store", async () => {
    const { variables } = await quietUser()
    const named = { ...variables, NOMBA_TOKEN_STORE: "redis://user:sesame@127.0.0.1:1/0" }
    const errors = problemOf(await run(named, ["status"]), 5)
    assert.include(errors, "Cannot connect to Redis at 127.0.0.1:1")
    assert.notInclude(errors, "sesame")
  })
})

describe("nomba-auth issue, refresh, logout and revoke", () => {
  it.each(["issue", "logout", "revoke"])(
    "%s says what it ends, and does nothing without --yes and a terminal",
    async (name) => {
      const { sandbox, variables } = await quietUser()
      const errors = problemOf(await run(variables, [name], { input: "token" }), 2)
      assert.match(errors, new RegExp(`^nomba-auth: ${name} .*session`))
      assert.include(errors, "without a terminal this needs --yes; nothing was done")
      const { issue, revoke } = await sandbox.counts()
      assert.deepStrictEqual([issue.requests, revoke.requests], [0, 0])
    }
  )

  it("issue starts a new session each time, which other commands use", async () => {
    const { command, sandbox, variables } = await quietUser()
    const first = await command("issue", "--yes", "--json")
    assert.deepStrictEqual([first.code, JSON.parse(first.output).session.state], [0, "valid"])
    const before = await sandbox.session()
    await command("issue", "--yes")
    const after = await sandbox.session()
    assert.notStrictEqual(after?.accessToken, before?.accessToken)
    assert.strictEqual((await sandbox.counts()).issue.requests, 2)
    assert.strictEqual(resultOf(await run(variables, ["token"])), `${after?.accessToken}\n`)
  })

  it("refresh renews the session with its refresh token", async () => {
    const { command, sandbox, variables } = await quietUser()
    await command("issue", "--yes")
    const { code, output } = await command("refresh", "--json")
    assert.deepStrictEqual([code, JSON.parse(output).session.state], [0, "valid"])
    const { issue, refresh } = await sandbox.counts()
    assert.deepStrictEqual([issue.requests, refresh.requests], [1, 1])
    assert.strictEqual(resultOf(await run(variables, ["token"])), `${(await sandbox.session())?.accessToken}\n`)
  })

  it("refresh ends with 4 if there is nothing to refresh, or Nomba rejects the refresh token", async () => {
    const { command, sandbox } = await quietUser()
    assert.include(
      problemOf(await command("refresh"), 4),
      "no session with an unused refresh token: nomba-auth token starts one"
    )
    await command("issue", "--yes")
    await sandbox.revoke()
    assert.include(problemOf(await command("refresh"), 4), "Nomba rejected the refresh token")
    assert.include(problemOf(await command("refresh"), 4), "no session with an unused refresh token")
    assert.strictEqual((await sandbox.counts()).refresh.requests, 1)
    assert.strictEqual((await command("status")).code, 0)
  })

  it("logout ends the session at Nomba and in the store", async () => {
    const { command, sandbox } = await quietUser()
    await command("issue", "--yes")
    const { code, errors, output } = await command("logout", "--yes")
    assert.deepStrictEqual([code, output], [0, ""])
    assert.include(errors, "logged out")
    assert.strictEqual(await sandbox.session(), undefined)
    assert.match((await command("status")).output, /^session +logged out/)
  })

  it("revoke ends the session of a token from the standard input or a file", async () => {
    const { sandbox, variables } = await quietUser()
    for (const place of ["stdin", "file"]) {
      const { accessToken } = await sandbox.steal()
      const file = newPath()
      writeFileSync(file, accessToken, { mode: 0o600 })
      const given = place === "stdin" ? { input: `${accessToken}\n` } : {}
      const { code, errors } = await run(
        variables,
        ["revoke", "--yes", ...(place === "stdin" ? [] : ["--token-file", file])],
        given
      )
      assert.deepStrictEqual([code, errors.includes(accessToken)], [0, false])
      assert.strictEqual(await sandbox.session(), undefined)
    }
  })
})

describe("nomba-auth curl", () => {
  it("prints the body alone, after any option in any place", async () => {
    const { command, sandbox } = await quietUser()
    const { body } = JSON.parse('{"body":{"code":"00","data":{"amount":"1"}}}')
    await sandbox.respond({ method: "PUT", path: "/v1/things", status: 201, body })
    const ended = await command("curl", "/v1/things", "-X", "PUT", "-H", "x-a: b", "-d", '{"a":1}')
    assert.strictEqual(resultOf(ended), JSON.stringify(body))
    const { output } = await command("curl", "-iXPUT", "/v1/things")
    const [head = "", rest] = output.split("\n\n")
    assert.match(head, /^HTTP\/1\.1 201 Created\n(?:[\w-]+: .*\n)*content-type: application\/json/)
    assert.strictEqual(rest, JSON.stringify(body))
  })

  it("sends the method, the headers and the body as they are given, with the token and the account id", async () => {
    const { variables } = await quietUser()
    const file = newPath()
    writeFileSync(file, "a=1\n")
    const cases = [
      [["-d", '{"a":1}'], "POST", '{"a":1}', "application/json"],
      [["-d", `@${file}`, "-H", "Content-Type: text/plain"], "POST", "a=1\n", "text/plain"],
      [["-d", "@-", "-X", "patch"], "PATCH", "from stdin", "application/json"],
      [[], "GET", "", undefined]
    ] as const
    const { text } = await import("node:stream/consumers")
    for (const [args, method, body, type] of cases) {
      const seen: Array<unknown> = []
      const server = createHttpServer(async (request, response) => {
        const { authorization = "", accountid, "content-type": contentType, "x-a": a } = request.headers
        const isIssue = request.url === "/v1/auth/token/issue"
        const content = await text(request)
        if (!isIssue) seen.push([request.method, content, contentType, authorization, accountid, a])
        response.setHeader("content-type", "application/json")
        response.end(
          JSON.stringify(isIssue ? { code: "00", data: { access_token: "abc.def.ghi", expires_in: 1800 } } : {})
        )
      }).listen(0, "127.0.0.1")
      await new Promise((resolve) => server.once("listening", resolve))
      const { port } = server.address() as { port: number }
      const own = { ...variables, NOMBA_BASE_URL: `http://127.0.0.1:${port}` }
      const { code } = await run(own, ["curl", "/v1/things?a=b", ...args, "-H", "X-A: b"], { input: "from stdin" })
      server.close()
      server.closeAllConnections()
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(seen, [[method, body, type, "Bearer abc.def.ghi", variables.NOMBA_ACCOUNT_ID, "b"]])
    }
  })

  it("renews a rejected token and sends the request once more", async () => {
    const { command, sandbox } = await quietUser()
    await command("issue", "--yes")
    await sandbox.steal()
    const { code, output } = await command("curl", "/v1/accounts/balance")
    assert.deepStrictEqual([code, JSON.parse(output).code], [0, "00"])
  })

  it("prints the body of a failure, says its status and ends with its exit code", async () => {
    const { command, sandbox } = await quietUser()
    await sandbox.respond({ method: "POST", path: "/v1/things", status: 429, body: { code: "x" } })
    const { code, errors, output } = await command("curl", "/v1/things?secret=1", "-d", "{}")
    assert.deepStrictEqual([code, output], [5, '{"code":"x"}'])
    assert.strictEqual(errors, "nomba-auth: Nomba answered HTTP 429 to POST /v1/things\n")
  })

  it.each([
    ["GET", 204],
    ["HEAD", 200]
  ])("prints nothing of a response without a body (%s, %i), which is a success", async (method, status) => {
    const { command, sandbox } = await quietUser()
    await sandbox.respond({ method: "GET", path: "/v1/things", status, body: {} })
    const { code, errors, output } = await command("curl", "/v1/things", "-X", method)
    assert.deepStrictEqual([code, errors, output], [0, "", ""])
  })

  it("takes HTTP 200 with a code for a failure", async () => {
    const { command, sandbox } = await quietUser()
    await sandbox.respond({ method: "GET", path: "/v1/things", status: 200, body: { code: "401", message: "no" } })
    const { code, errors, output } = await command("curl", "/v1/things")
    assert.deepStrictEqual([code, output], [4, '{"code":"401","message":"no"}'])
    assert.strictEqual(errors, "nomba-auth: Nomba answered HTTP 200 with the code 401 to GET /v1/things\n")
  })

  /** Runs `curl -i /v1/things` against a Nomba that answers it so. */
  const answered = async (respond: (response: ServerResponse) => void) => {
    const { variables } = await quietUser()
    const server = createHttpServer(({ url }, response) => {
      if (url !== "/v1/auth/token/issue") return respond(response)
      response.setHeader("content-type", "application/json")
      response.end(JSON.stringify({ code: "00", data: { access_token: "abc.def.ghi", expires_in: 1800 } }))
    }).listen(0, "127.0.0.1")
    await once(server, "listening")
    const { port } = server.address() as { port: number }
    const ended = await run({ ...variables, NOMBA_BASE_URL: `http://127.0.0.1:${port}` }, ["curl", "-i", "/v1/things"])
    server.close()
    server.closeAllConnections()
    return ended
  }

  it("prints every cookie that a response sets with -i", async () => {
    const { output } = await answered((response) =>
      response.writeHead(200, { "set-cookie": ["a=1; Path=/; HttpOnly", "b=2"] }).end()
    )
    assert.include(output, "\nset-cookie: a=1; Path=/; HttpOnly\nset-cookie: b=2\n")
  })

  it("ends with 5 if the connection breaks off in the middle of a body", async () => {
    const { code, errors, output } = await answered((response) => {
      response.writeHead(200, { "content-length": "1000" }).write("abc", () => response.destroy())
    })
    assert.match(output, /\n\nabc$/)
    assert.strictEqual(code, 5)
    assert.match(
      errors,
      /^nomba-auth: The response of 127\.0\.0\.1:\d+ \(NOMBA_BASE_URL\) was cut off \(request, HTTP 200\): /
    )
  })

  it("ends with 6 if a body cannot be unpacked", async () => {
    const { code } = await answered((response) => response.writeHead(200, { "content-encoding": "gzip" }).end("plain"))
    assert.strictEqual(code, 6)
  })

  it.each([
    [200, undefined, 0],
    [400, undefined, 2],
    [401, undefined, 4],
    [403, undefined, 3],
    [404, undefined, 2],
    [408, undefined, 5],
    [422, undefined, 2],
    [429, undefined, 5],
    [503, undefined, 5],
    [200, "400", 2],
    [200, "401", 4],
    [200, "503", 5],
    [200, "01", 2],
    [200, "", 2]
  ])("ends HTTP %d with the code %s with %d", (status, code, expected) => {
    assert.strictEqual(exitCodeOf(status, Option.fromNullable(code)), expected)
  })

  it.each([
    [["https://elsewhere.example/v1/a"], "its URL leaves the configured base URL"],
    [["//elsewhere.example/v1/a"], "its URL leaves the configured base URL"],
    [["/v1/a", "-H", "no colon"], "--header: must be Name: value"],
    [["/v1/a", "-H", "a/b: c"], "--header: must be Name: value"],
    [["/v1/a", "-H", "User-Agent:"], "--header User-Agent: needs a value; a header cannot be removed"],
    [["/v1/a", "-H", "Authorization: Bearer x"], "--header Authorization: is set by nomba-auth: leave it out"],
    [["/v1/a", "-H", "Expect: 100-continue"], "--header Expect: is set by nomba-auth: leave it out"],
    [["/v1/a", "-X", "GET", "-d", "{}"], "--data: GET cannot have a body"],
    [["/v1/a", "-X", "HEAD", "-d", "{}"], "--data: HEAD cannot have a body"],
    [["/v1/a", "-X", "FETCH"], "--request: must be one of GET, POST"],
    [["/v1/a", "-d", "@/no/such"], "--data @/no/such: cannot be read (ENOENT)"],
    [["-s", "/v1/a"], "nomba-auth: -s: there is no such option (nomba-auth curl --help)"],
    [["-s"], "nomba-auth: -s: there is no such option"],
    [["--json", "{}", "/v1/a"], "nomba-auth: --json: there is no such option"],
    [["-X"], "nomba-auth: -X: needs a value"],
    [["/v1/a", "-d", "a=1", "-d", "b=2"], "nomba-auth: -d: may be given once"],
    [[], "PATH is missing (nomba-auth curl --help)"]
  ])("sends nothing for %j", async (args, said) => {
    const { command, sandbox } = await quietUser()
    assert.include(problemOf(await command("curl", ...args), 2).toLowerCase(), said.toLowerCase())
    const { requests } = await sandbox.view()
    assert.isTrue(requests.every(({ path }) => path.startsWith("/v1/auth/")))
  })
})

describe("nomba-auth login", () => {
  const login = async (action: "approve" | "deny") => {
    const { sandbox, variables } = await quietUser()
    const plain = without(variables, "NOMBA_CLIENT_SECRET")
    const { child, ended } = start(plain, ["login", "--subject", "me", "--json"])
    let said = ""
    const url = await new Promise<string>((resolve, reject) => {
      child.stderr.on("data", (chunk) => {
        said += String(chunk)
        const [found] = /http:\S+authorize\S+/.exec(said) ?? []
        if (found !== undefined) resolve(found)
      })
      child.once("exit", () => reject(new Error(said)))
    })
    const redirect = new URL(new URL(url).searchParams.get("redirect_uri") ?? "")
    assert.strictEqual(redirect.hostname, "127.0.0.1")
    const foreign = await fetch(new URL("/callback?state=x&code=y", redirect))
    assert.strictEqual(foreign.status, 400)
    assert.strictEqual((await fetch(new URL("/other", redirect))).status, 404)
    const ticket = /name="ticket" value="([^"]+)"/.exec(await (await fetch(url)).text())?.[1] ?? ""
    const decided = await fetch(new URL("/v1/auth/authorize", url), {
      method: "POST",
      body: new URLSearchParams({ ticket, decision: action }),
      headers: { origin: new URL(url).origin },
      redirect: "manual"
    })
    const answer = await fetch(decided.headers.get("location") ?? "")
    return { ...(await ended), answer, plain, sandbox }
  }

  it("stores the session of an end user who logs in, and other commands use it with --subject", async () => {
    const { answer, code, errors, output, plain, sandbox } = await login("approve")
    assert.deepStrictEqual([code, answer.status, JSON.parse(output).session.state], [0, 200, "valid"], errors)
    assert.include(errors, "other commands use this session with --subject 'me'")
    const token = resultOf(await run(plain, ["token", "--subject", "me"])).trimEnd()
    assert.strictEqual(token, (await sandbox.session())?.accessToken)
    assert.notInclude(errors + output, token)
    assert.strictEqual((await run(plain, ["curl", "--subject", "me", "/v1/accounts/balance"])).code, 0)
    assert.include(
      problemOf(await run(plain, ["token", "--subject", "you"]), 4),
      "Run nomba-auth login with the same --subject"
    )
    assert.include(problemOf(await run(plain, ["issue", "--yes", "--subject", "me"]), 2), "nomba-auth login")
  })

  it("ends with 4 if the end user denies it", async () => {
    const { code, errors, output } = await login("deny")
    assert.deepStrictEqual([code, output], [4, ""])
    assert.include(errors, "The login was denied")
  })
})

describe("an exit code", () => {
  const closedPort = async (): Promise<number> => {
    const server = createServer().listen(0, "127.0.0.1")
    await new Promise((resolve) => server.once("listening", resolve))
    const { port } = server.address() as { port: number }
    await new Promise((resolve) => server.close(resolve))
    return port
  }

  it("is 2 for settings that are missing or wrong: each is named with what to do", async () => {
    const { variables } = await quietUser()
    const plain = without(variables, "NOMBA_CLIENT_ID", "NOMBA_CLIENT_SECRET")
    const errors = problemOf(await run({ ...plain, NOMBA_BASE_URL: "nomba.com" }, ["token"]), 2)
    assert.deepStrictEqual(
      errors
        .trimEnd()
        .split("\n")
        .map((line) => line.replace(/ (?:is|must) .*/, "")),
      ["nomba-auth: NOMBA_CLIENT_ID", "nomba-auth: NOMBA_CLIENT_SECRET", "nomba-auth: NOMBA_BASE_URL"]
    )
    assert.include(errors, "copy it from the Nomba dashboard")
    assert.strictEqual(
      problemOf(await run({ ...variables, NOMBA_CLIENT_ID: "" }, ["token"]), 2),
      "nomba-auth: NOMBA_CLIENT_ID is empty: give it a value\n"
    )
  })

  it.each([
    [["tokem"], "nomba-auth: tokem: there is no such command (nomba-auth --help)\n"],
    [["token", "--formt", "raw"], "nomba-auth: --formt: there is no such option (nomba-auth token --help)\n"],
    [["exec", "true"], "nomba-auth: true: name the program after --: nomba-auth exec -- true"],
    [["completions", "--foo"], "nomba-auth: --foo: there is no such option (nomba-auth completions --help)\n"],
    [["token", "--", "extra"], "nomba-auth: extra: is one argument too many (nomba-auth token --help)\n"],
    [["token", "--subject", ""], "nomba-auth: --subject is empty (nomba-auth token --help)\n"],
    [["login", "--subject", " x"], "nomba-auth: --subject has white space around it (nomba-auth login --help)\n"],
    [["login", "--port", "65536"], "nomba-auth: --port 65536: must be an integer from 0 to 65535\n"],
    [["token", "--min-ttl", "-5"], "nomba-auth: --min-ttl: must not be negative\n"],
    [["--foo"], "nomba-auth: --foo: there is no such option (nomba-auth --help)\n"],
    [["token", "--log-level", "loud"], "nomba-auth: --log-level: must be one of all, trace, debug"],
    [["--wizard"], "nomba-auth: --wizard: there is no such option (nomba-auth --help)\n"],
    [["token", "--wizard"], "nomba-auth: --wizard: there is no such option (nomba-auth token --help)\n"],
    [["--completions=bash"], "nomba-auth: --completions: there is no such option (nomba-auth --help)\n"],
    [
      ["token", "--format", "xml"],
      "nomba-auth: --format: must be one of raw, json, header, env (nomba-auth token --help)\n"
    ]
  ])("is 2 for the command line %j", async (args, said) => {
    const { command } = await quietUser()
    assert.include(problemOf(await command(...args), 2), said)
  })

  it("is 3 if Nomba rejects the credentials", async () => {
    const { variables } = await quietUser()
    const wrong = `${"A".repeat(20)}${clientSecret.slice(20)}`
    const errors = problemOf(await run({ ...variables, NOMBA_CLIENT_SECRET: wrong }, ["token"]), 3)
    assert.include(errors, "Nomba rejected the credentials when requesting a token")
    assert.include(errors, "(NOMBA_CLIENT_SECRET)")
    assert.notInclude(errors, wrong)
  })

  it("is 5 if Nomba or the token store is unavailable", async () => {
    const { variables } = await quietUser()
    const port = await closedPort()
    const down = await run({ ...variables, NOMBA_BASE_URL: `http://127.0.0.1:${port}` }, ["token"])
    assert.include(problemOf(down, 5), `Cannot connect to 127.0.0.1:${port} (NOMBA_BASE_URL): ECONNREFUSED`)
    const file = newPath()
    writeFileSync(file, "")
    const errors = problemOf(await run({ ...variables, NOMBA_TOKEN_STORE: `file:${file}/store` }, ["status"]), 5)
    assert.include(errors, "ENOTDIR")
  })

  it("is 6 if the response is not Nomba's", async () => {
    const { command, sandbox } = await quietUser()
    await sandbox.fault("issue", {
      times: "always",
      answer: { status: 200, headers: { "content-type": "text/html" }, body: "<html>" }
    })
    assert.include(problemOf(await command("token"), 6), "Unexpected response (issue")
  })

  it("is in the help", async () => {
    const { output } = await run({}, ["--help"])
    assert.deepStrictEqual(
      Array.from(output.matchAll(/^ {2}(\d) .*?(?:\((\w+)\))?$/gm), ([, code, tag]) => [code, tag]),
      [
        ["0", undefined],
        ["1", undefined],
        ["2", "InvalidRequest"],
        ["3", "InvalidCredentials"],
        ["4", "Expired"],
        ["5", "Unavailable"],
        ["6", "UnexpectedResponse"]
      ]
    )
  })
})

describe("nomba-auth", () => {
  const names = [
    "serve",
    "exec",
    "token",
    "curl",
    "status",
    "issue",
    "refresh",
    "revoke",
    "logout",
    "login",
    "doctor",
    "sandbox",
    "completions"
  ]

  it("lists each command in its help, and explains each with examples", async () => {
    const help = resultOf(await run({}, ["--help"]))
    assert.strictEqual(help, stripVTControlCharacters(help))
    for (const name of names) assert.match(help, new RegExp(`^  ${name} +\\S`, "m"), name)
    for (const name of names) {
      const { command }: { command: AnyCommand } = await import(`../../src/cli/${name}.ts`)
      const own = helpOf(name, command, false)
      assert.match(own, new RegExp(`^Usage: nomba-auth ${name} [\\s\\S]*^Examples:\n {2}nomba-auth ${name}`, "m"))
    }
  })

  it("explains a command after help as with --help, and what it runs", async () => {
    const { command } = await import("../../src/cli/exec.js")
    const help = resultOf(await run({}, ["help", "exec"]))
    assert.strictEqual(help.trimEnd(), helpOf("exec", command as unknown as AnyCommand, false))
    assert.match(help, /^Usage: nomba-auth exec \[OPTIONS\] -- PROGRAM \[ARGUMENTS\]$/m)
  })

  it("explains each flag of the sandbox", async () => {
    const { command } = await import("../../src/cli/sandbox.js")
    const help = helpOf("sandbox", command as unknown as AnyCommand, false)
    const flags =
      "port host client-id client-secret account-id redirect-uri allow-host config openapi tls-cert tls-key seed env write-env until-stdin-ends keep-running quiet"
    for (const flag of flags.split(" ")) {
      assert.match(help, new RegExp(`^  --${flag}(?: [A-Z]+)?(?:$| {2,}\\S)`, "m"))
    }
  })

  it("prints its version alone", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8"))
    assert.strictEqual(resultOf(await run({}, ["--version"])), `${version}\n`)
  })

  const shells = [
    ["bash", ["-n"]],
    ["zsh", ["-n"]],
    ["fish", ["--no-execute"]]
  ] as const

  it.each(shells)("completes in %s", async (shell, check) => {
    const script = resultOf(await run({}, ["completions", shell]))
    for (const name of names) assert.include(script, name)
    assert.notMatch(script, /--completions|-l completions|wizard/)
    if (spawnSync(shell, ["--version"]).status !== 0) return
    const file = newPath()
    writeFileSync(file, script)
    const { status, stderr } = spawnSync(shell, [...check, file], { encoding: "utf8" })
    assert.strictEqual(status, 0, stderr)
  })

  it("completes the options of a command in bash", async () => {
    const script = resultOf(await run({}, ["completions", "bash"]))
    const ask = (...words: ReadonlyArray<string>): string => {
      const lines = `${script}\nCOMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}
        _nomba-auth_bash_completions nomba-auth "\${COMP_WORDS[COMP_CWORD]}"; echo "\${COMPREPLY[@]}"`
      return spawnSync("bash", ["-c", lines], { encoding: "utf8" }).stdout.trim()
    }
    assert.strictEqual(ask("nomba-auth", "tok"), "token")
    assert.strictEqual(ask("nomba-auth", "token", "--form"), "--format")
    assert.strictEqual(ask("nomba-auth", "token", "--format", "''"), "raw json header env")
    assert.strictEqual(ask("nomba-auth", "token", "--format", "j"), "json")
  })

  it("completes in zsh the first time it is called, and what has no option before it", async () => {
    const script = resultOf(await run({}, ["completions", "zsh"]))
    assert.include(script, 'if [ "$funcstack[1]" = "_nomba-auth" ]; then')
    assert.include(script, ":<SHELL> -- bash, zsh or fish.:(bash zsh fish)'")
  })

  it("is a small front file over its chunks", () => {
    assert.isBelow(readFileSync(join(bin(), "nomba-auth.js")).length, 1_000)
  })
})
