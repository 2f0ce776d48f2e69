import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { readFileSync, writeFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { assert, describe, it } from "vitest"
import { clientSecret, problemOf, resultOf, useCli, type Variables } from "../support/cli.js"

const { bin, newPath, run, start, user } = useCli()

const node = process.execPath
const front = () => join(bin(), "nomba-auth.js")

/** Waits for a text on a stream, which others read too. */
const says = (stream: NodeJS.ReadableStream, expected: RegExp): Promise<string> =>
  new Promise((resolve, reject) => {
    let said = ""
    stream.on("data", (chunk) => {
      said += String(chunk)
      if (expected.test(said)) resolve(said)
    })
    stream.once("end", () => reject(new Error(`ended with: ${said}`)))
  })

const session = { code: "00", data: { access_token: "abc.def.ghi", expires_in: 1800 } }

/** A Nomba that answers token requests and nothing else: what waits for it can be stopped. */
const silentNomba = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  const called = new Promise<void>((resolve) =>
    server.on("request", ({ url }, response) => {
      if (url !== "/v1/auth/token/issue") return resolve()
      response.setHeader("content-type", "application/json").end(JSON.stringify(session))
    })
  )
  await once(server, "listening")
  const { port } = server.address() as { port: number }
  return {
    url: `http://127.0.0.1:${port}`,
    called,
    [Symbol.dispose]: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

describe("a signal", () => {
  it.each([
    ["SIGHUP", 129],
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const)("%s ends a request at once with %d and without a message", async (signal, expected) => {
    const { variables } = await user()
    using nomba = await silentNomba()
    const { child, ended } = start({ ...variables, NOMBA_BASE_URL: nomba.url }, ["curl", "/v1/things"])
    await nomba.called
    child.kill(signal)
    assert.strictEqual(problemOf(await ended, expected), "")
  })

  it.each([
    ["SIGTERM", 1, 143],
    ["SIGHUP", 2, 129]
  ] as const)(
    "%s during a token request ends the command after the session is stored",
    async (signal, times, expected) => {
      const { sandbox, variables } = await user()
      await sandbox.fault("issue", { latency: "7 seconds" })
      const { child, ended } = start(variables, ["token"])
      while ((await sandbox.session()) === undefined) await new Promise((resolve) => setTimeout(resolve, 20))
      for (let n = 0; n < times; n++) child.kill(signal)
      assert.include(problemOf(await ended, expected), "finishing what is under way")
      assert.strictEqual(resultOf(await run(variables, ["token"])), `${(await sandbox.session())?.accessToken}\n`)
      assert.strictEqual((await sandbox.counts()).issue.requests, 1)
    }
  )

  it("SIGHUP ends what runs until it is stopped with 0", async () => {
    const { child, ended } = start({}, ["sandbox", "--port", "0", "--quiet", "--keep-running"])
    await says(child.stdout, /ready/)
    child.kill("SIGHUP")
    assert.strictEqual((await ended).code, 0)
  })

  it("SIGUSR1 opens no debugger", async () => {
    const { variables } = await user()
    using nomba = await silentNomba()
    const { child, ended } = start({ ...variables, NOMBA_BASE_URL: nomba.url }, ["curl", "/v1/things"])
    await nomba.called
    child.kill("SIGUSR1")
    child.kill("SIGTERM")
    assert.strictEqual(problemOf(await ended, 143), "")
  })

  it("SIGTERM ends a login that is not finished, and frees its port", async () => {
    const { variables } = await user()
    const { child, ended } = start(variables, ["login"])
    const said = await says(child.stderr, /redirect_uri=\S+callback/)
    const { searchParams } = new URL(/http:\S+/.exec(said)?.[0] ?? "")
    child.kill("SIGTERM")
    assert.strictEqual((await ended).code, 143)
    const refused = await fetch(searchParams.get("redirect_uri") ?? "").catch((error) => error.cause.code)
    assert.strictEqual(refused, "ECONNREFUSED")
  })
})

describe("a reader that has gone", () => {
  it.each([
    ["a stored token", "token"],
    ["the token of the cache", "token --min-ttl 60"],
    ["a response", "curl /v1/accounts/balance"],
    ["the status", "status"],
    ["the help", "--help"]
  ])("ends the printing of %s with 0 and without a message", async (_, command) => {
    const { variables } = await user()
    resultOf(await run(variables, ["token"]))
    const child = spawn(node, [front(), ...command.split(" ")], { env: variables })
    child.stdout.destroy()
    const errors = text(child.stderr)
    const [code] = await once(child, "exit")
    assert.deepStrictEqual([code, await errors], [0, ""])
  })

  it("ends with 1 if the disk is full", async () => {
    const { variables } = await user()
    resultOf(await run(variables, ["token"]))
    for (const args of ["token --min-ttl 60", "token"]) {
      const { status, stderr } = spawnSync("sh", ["-c", `exec "${node}" "${front()}" ${args} > /dev/full`], {
        env: variables,
        encoding: "utf8"
      })
      assert.strictEqual(status, 1, args)
      assert.strictEqual(stderr, "nomba-auth: stdout: cannot be written (ENOSPC)\n")
    }
  })
})

/** A program that calls Nomba through the proxy of its environment. */
const call = (method: string) => `
  const { NOMBA_PROXY_KEY: key, NOMBA_PROXY_URL: url } = process.env
  const response = await fetch(url + "/v1/accounts/balance", { method: "${method}", headers: { "x-nomba-key": key } })
  console.log(response.status)`

describe("nomba-auth exec", () => {
  const exec = (variables: Variables, flags: ReadonlyArray<string>, program: ReadonlyArray<string>) =>
    run(variables, ["exec", ...flags, "--", ...program])

  it("lets the program call Nomba, and keeps the client secret from it", async () => {
    const { variables } = await user()
    const script = `${call("GET")}
      console.log(Object.keys(process.env).filter((name) => name.startsWith("NOMBA_")).sort().join())`
    const output = resultOf(await exec(variables, [], [node, "--input-type=module", "-e", script]))
    const names = ["NOMBA_ACCOUNT_ID", "NOMBA_BASE_URL", "NOMBA_CLIENT_ID", "NOMBA_PROXY_KEY", "NOMBA_PROXY_URL"]
    assert.strictEqual(output, `200\n${names.join()}\n`)
  })

  it("lets a program of another user or without the key in nowhere", async () => {
    const { variables } = await user()
    const script = `console.log((await fetch(process.env.NOMBA_PROXY_URL + "/v1/accounts/balance")).status)`
    assert.strictEqual(resultOf(await exec(variables, [], [node, "--input-type=module", "-e", script])), "401\n")
  })

  it("lets only GET through with --read-only", async () => {
    const { variables } = await user()
    const script = `${call("GET")}${call("POST").replace("const {", "{ const {")} }`
    const output = resultOf(await exec(variables, ["--read-only"], [node, "--input-type=module", "-e", script]))
    assert.strictEqual(output, "200\n403\n")
  })

  it("gives the program a token with --token", async () => {
    const { sandbox, variables } = await user()
    const script = `process.stdout.write([process.env.NOMBA_ACCESS_TOKEN, process.env.NOMBA_PROXY_URL, process.env.NOMBA_CLIENT_SECRET].join())`
    const output = resultOf(await exec(variables, ["--token"], [node, "-e", script]))
    assert.strictEqual(output, `${(await sandbox.session())?.accessToken},,`)
  })

  it("passes arguments, stdin and the exit code on", async () => {
    const { variables } = await user()
    const script = `cat; echo "$@"; exit 42`
    const { code, output } = await run(variables, ["exec", "--", "sh", "-c", script, "sh", "--help", "--", "-x"], {
      input: "in\n"
    })
    assert.deepStrictEqual({ code, output }, { code: 42, output: "in\n--help -- -x\n" })
  })

  it.each([
    ["SIGTERM", 143],
    ["SIGINT", 130]
  ] as const)("passes %s on, and ends as the program does", async (signal, killed) => {
    const { variables } = await user()
    const ends = start(variables, ["exec", "--", node, "-e", "console.log('up'); setInterval(() => {}, 1000)"])
    await says(ends.child.stdout, /up/)
    ends.child.kill(signal)
    assert.strictEqual((await ends.ended).code, killed)
    const script = `process.on("${signal}", () => { console.log("bye"); process.exit(7) }); console.log("up"); setInterval(() => {}, 1000)`
    const handles = start(variables, ["exec", "--", node, "-e", script])
    let output = ""
    handles.child.stdout.on("data", (chunk) => {
      output += String(chunk)
      if (output === "up\n") handles.child.kill(signal)
    })
    assert.strictEqual((await handles.ended).code, 7)
    assert.strictEqual(output, "up\nbye\n")
  })

  it("passes SIGUSR1 on, and opens no debugger", async () => {
    const { variables } = await user()
    const script = `process.on("SIGUSR1", () => process.exit(7)); console.log("up"); setInterval(() => {}, 1000)`
    const { child, ended } = start(variables, ["exec", "--", node, "-e", script])
    await says(child.stdout, /up/)
    child.kill("SIGUSR1")
    const { code, errors } = await ended
    assert.deepStrictEqual([code, errors], [7, ""])
  })

  it.each([
    [["exec"], 2, "name the program after --"],
    [["exec", "--read-only", "--token", "--", "true"], 2, "--read-only needs the proxy: leave --token out"],
    [["exec", "--", "no-such-program"], 127, "no-such-program: cannot be run (ENOENT)"],
    [["exec", "--", ""], 127, "the program after -- has no name"],
    [["exec", "--", "/"], 126, "/: cannot be run (EACCES)"],
    [["exec", "--", `${node}/x`], 126, "/x: cannot be run (ENOTDIR)"]
  ])("%j ends with %d and says why", async (args, expected, said) => {
    const { variables } = await user()
    assert.include(problemOf(await run(variables, args), expected), said)
  })
})

describe("a secret", () => {
  it.skipIf(process.platform !== "linux")(
    "is in no process list and not in the environment of what is run",
    async () => {
      const { sandbox, variables } = await user()
      const script = `${call("GET")}; process.stdin.resume()`
      const { child, ended } = start(variables, ["exec", "--", node, "--input-type=module", "-e", script])
      await says(child.stdout, /200/)
      const { accessToken = "" } = (await sandbox.session()) ?? {}
      const listed = readFileSync(`/proc/${child.pid}/cmdline`, "utf8")
      const [inner] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, "utf8").trim().split(" ")
      const environment = readFileSync(`/proc/${inner}/environ`, "utf8")
      const innerListed = readFileSync(`/proc/${inner}/cmdline`, "utf8")
      child.stdin.end()
      assert.strictEqual((await ended).code, 0)
      assert.isNotEmpty(accessToken)
      for (const secret of [clientSecret, accessToken]) {
        for (const text of [listed, innerListed, environment]) assert.notInclude(text, secret)
      }
      assert.include(environment, "NOMBA_PROXY_KEY=")
    }
  )
})

/** `script` gives a command a terminal; what is typed is sent to it. */
const hasScript = spawnSync("script", ["--version"]).status === 0 && process.platform === "linux"
if (!hasScript) process.stderr.write("skipped: script (util-linux) is missing for what a terminal shows\n")

describe.skipIf(!hasScript)("on a terminal", () => {
  const onTerminal = async (variables: Variables, command: string, typed = "") => {
    const child = spawn("script", ["-qec", `exec "${node}" "${front()}" ${command}`, "/dev/null"], {
      env: { TERM: "xterm", PATH: process.env["PATH"] ?? "", ...variables }
    })
    let output = ""
    child.stdout.on("data", (chunk) => {
      output += String(chunk)
      if (typed !== "" && output.includes("[y/N]")) {
        child.stdin.write(typed)
        typed = ""
      }
    })
    const [code] = await once(child, "close")
    return { code, output: output.replaceAll("\r\n", "\n") }
  }

  it("a person confirms what ends other programs' session, and anything but yes does nothing", async () => {
    const { sandbox, variables } = await user()
    const declined = await onTerminal(variables, "issue", "n\n")
    assert.strictEqual(declined.code, 2)
    assert.include(declined.output, "nothing was done")
    assert.strictEqual((await sandbox.counts()).issue.requests, 0)
    const confirmed = await onTerminal(variables, "issue", "y\n")
    assert.strictEqual(confirmed.code, 0)
    assert.match(confirmed.output, /^session +valid for/m)
    assert.strictEqual((await sandbox.counts()).issue.requests, 1)
  })

  it.each([
    ["Ctrl-C", "\u0003", 130],
    ["Ctrl-D", "\u0004", 2]
  ])("%s at the question does nothing", async (_, key, expected) => {
    const { sandbox, variables } = await user()
    const { code, output } = await onTerminal(variables, "issue", key)
    assert.strictEqual(code, expected, output)
    assert.strictEqual((await sandbox.counts()).issue.requests, 0)
  })

  it("help is coloured, unless NO_COLOR is set or the terminal is a dumb one", async () => {
    assert.include((await onTerminal({}, "token --help")).output, "\u001b[")
    assert.notInclude((await onTerminal({ NO_COLOR: "1" }, "token --help")).output, "\u001b[")
    assert.notInclude((await onTerminal({ TERM: "dumb" }, "token --help")).output, "\u001b[")
    assert.notInclude(resultOf(await run({}, ["token", "--help"])), "\u001b[")
  })

  it("Ctrl-C of exec is the program's", async () => {
    const { variables } = await user()
    const script = newPath()
    writeFileSync(
      script,
      `let n = 0; process.on("SIGINT", () => { if (++n === 1) console.log("[y/N] again"); else { console.log("bye"); process.exit(7) } })
       console.log("[y/N]"); setInterval(() => {}, 1000)`
    )
    const child = spawn("script", ["-qec", `exec "${node}" "${front()}" exec -- "${node}" "${script}"`, "/dev/null"], {
      env: { ...variables, TERM: "xterm", PATH: process.env["PATH"] ?? "" }
    })
    let output = ""
    child.stdout.on("data", (chunk) => {
      output += String(chunk)
      if (String(chunk).includes("[y/N]")) child.stdin.write("\u0003")
    })
    const [code] = await once(child, "close")
    assert.strictEqual(code, 7, output)
    assert.include(output, "bye")
  })
})
