import { createHash } from "node:crypto"
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { ConfigProvider, Effect } from "effect"
import { createNomba } from "nomba-auth/promise"
import { fileStore } from "nomba-auth/promise/file"
import { assert, beforeAll, describe, it } from "vitest"
import { tokenHit } from "../../src/cli/tokenHit.js"
import * as BaseUrl from "../../src/layers/config/BaseUrl.js"
import * as StoreDirectory from "../../src/layers/store/file/StoreDirectory.js"
import { clientSecret, problemOf, resultOf, useCli, type Variables, without } from "../support/cli.js"
import { describeRedis } from "../support/describeRedis.js"

const { bin, newPath, run, user } = useCli()

/** A bundle that can do nothing but print a stored token: the rest is missing. */
let front = ""
beforeAll(() => {
  front = newPath()
  cpSync(bin(), front, { recursive: true })
  for (const name of readdirSync(front)) if (/^Cli-.*\.js$/.test(name)) rmSync(join(front, name))
})

const tokenOf = async (variables: Variables, ...args: ReadonlyArray<string>): Promise<string> =>
  resultOf(await run(variables, ["token", ...args])).trimEnd()

/** The one file of the one session in a store. */
const entryFile = (store: string): string => {
  const [key = ""] = readdirSync(store)
  const names = readdirSync(join(store, key)).filter((name) => name.endsWith(".json"))
  return join(store, key, names.sort().at(-1) ?? "")
}

// biome-ignore lint/suspicious/noExplicitAny: what the file holds is tested elsewhere.
const rewrite = (store: string, change: (entry: any) => void): void => {
  const path = entryFile(store)
  const entry = JSON.parse(readFileSync(path, "utf8"))
  change(entry)
  writeFileSync(path, JSON.stringify(entry))
}

describe("nomba-auth token", () => {
  it("prints the token on stdout and nothing else, and again without a request", async () => {
    const { sandbox, variables } = await user()
    const first = await run(variables, ["token"])
    assert.strictEqual(resultOf(first), `${(await sandbox.session())?.accessToken}\n`)
    await sandbox.close()
    assert.strictEqual(await tokenOf(variables), first.output.trimEnd())
    assert.strictEqual(await tokenOf(variables, "--min-ttl", "60"), first.output.trimEnd())
  })

  it.each([
    ["the stored token", []],
    ["the token of the cache", ["--min-ttl", "60"]]
  ])("prints %s in each format", async (_, more) => {
    const { variables } = await user()
    const token = await tokenOf(variables)
    assert.strictEqual(await tokenOf(variables, "--format", "raw", ...more), token)
    assert.strictEqual(await tokenOf(variables, "--format", "header", ...more), `Authorization: Bearer ${token}`)
    assert.strictEqual(await tokenOf(variables, "--format", "env", ...more), `export NOMBA_ACCESS_TOKEN='${token}'`)
    const { expires_at, expires_in, ...json } = JSON.parse(await tokenOf(variables, "--format", "json", ...more))
    assert.deepStrictEqual(json, { access_token: token, token_type: "Bearer" })
    assert.isTrue(expires_in > 1700 && expires_in <= 1800)
    assert.approximately(Date.parse(expires_at), Date.now() + expires_in * 1000, 60_000)
  })

  it("makes one token request for 20 parallel calls", async () => {
    const { sandbox, variables } = await user()
    const tokens = await Promise.all(Array.from({ length: 20 }, () => tokenOf(variables)))
    assert.deepStrictEqual(new Set(tokens), new Set([(await sandbox.session())?.accessToken]))
    assert.strictEqual((await sandbox.counts()).issue.requests, 1)
  })

  it("shares the session with a program of the library in the same store", async () => {
    const { sandbox, store, variables } = await user()
    const { accountId, clientId, clientSecret } = sandbox.credentials()
    await using nomba = createNomba({
      accountId,
      clientId,
      clientSecret,
      baseUrl: sandbox.url,
      tokenStore: fileStore(store)
    })
    const token = await nomba.token()
    assert.strictEqual(resultOf(await run(variables, ["token"], { bin: front })).trimEnd(), token)
    assert.strictEqual(await tokenOf(variables, "--min-ttl", "60"), token)
    assert.strictEqual((await sandbox.counts()).issue.requests, 1)
  })

  it("renews a token with less than a minute left, or less than --min-ttl", async () => {
    const { sandbox, store, variables } = await user()
    const first = await tokenOf(variables)
    rewrite(store, ({ content }) => {
      content.until = Date.now() + 50_000
    })
    const second = await tokenOf(variables)
    assert.notStrictEqual(second, first)
    rewrite(store, ({ content }) => {
      content.until = Date.now() + 500_000
    })
    assert.strictEqual(await tokenOf(variables), second)
    const third = await tokenOf(variables, "--min-ttl", "600")
    assert.notStrictEqual(third, second)
    assert.strictEqual((await sandbox.session())?.accessToken, third)
  })

  it("prints what is left of a token that cannot be renewed, with a warning, unless --min-ttl asks for more", async () => {
    const { sandbox, store, variables } = await user()
    const token = await tokenOf(variables)
    rewrite(store, ({ content }) => {
      content.until = Date.now() + 50_000
    })
    await sandbox.close()
    const { code, errors, output } = await run(variables, ["token"])
    assert.deepStrictEqual([code, output], [0, `${token}\n`])
    assert.match(errors, /^nomba-auth: warning: the token expires within a minute .*ECONNREFUSED/)
    problemOf(await run(variables, ["token", "--min-ttl", "600"]), 5)
  })

  it("refuses a --min-ttl that no token has, without a renewal", async () => {
    const { sandbox, variables } = await user()
    await tokenOf(variables)
    const errors = problemOf(await run(variables, ["token", "--min-ttl", "1800"]), 2)
    assert.include(errors, "--min-ttl: Nomba's tokens last 1800 s: ask for less")
    assert.strictEqual((await sandbox.counts()).issue.requests, 1)
  })

  it("renews with --no-cache only after --yes or a person confirmed it", async () => {
    const { sandbox, variables } = await user()
    const first = await tokenOf(variables)
    const errors = problemOf(await run(variables, ["token", "--no-cache"]), 2)
    assert.include(errors, "--no-cache renews the session")
    assert.include(errors, "without a terminal this needs --yes; nothing was done")
    assert.strictEqual(await tokenOf(variables), first)
    const { code, output } = await run(variables, ["token", "--no-cache", "--yes"])
    assert.strictEqual(code, 0)
    assert.strictEqual(output, `${(await sandbox.session())?.accessToken}\n`)
    assert.notStrictEqual(output.trimEnd(), first)
  })
})

describe("a stored token", () => {
  /** Only the store decides: no request is sent to these hosts. */
  it.each<readonly [string, string, Variables]>([
    ...Object.entries(BaseUrl.hosts).map(
      ([name, url]) => [`the environment ${name}`, url, { NOMBA_ENVIRONMENT: name }] as const
    ),
    ["a base URL with a path", "http://127.0.0.1:4/nomba", { NOMBA_BASE_URL: "http://127.0.0.1:4/nomba" }]
  ])("is printed without Effect for %s", async (_, url, place) => {
    const { sandbox, store, variables } = await user()
    const token = await tokenOf(variables)
    const key = readdirSync(store)[0] ?? ""
    const keyOf = (baseUrl: string) =>
      [baseUrl, variables.NOMBA_CLIENT_ID, "client_credentials", ""].map(encodeURIComponent).join("|")
    assert.strictEqual(createHash("sha256").update(keyOf(sandbox.url)).digest("hex"), key)
    rewrite(store, (entry) => {
      entry.key = keyOf(url)
    })
    cpSync(join(store, key), join(store, createHash("sha256").update(keyOf(url)).digest("hex")), { recursive: true })
    const of = { ...without(variables, "NOMBA_BASE_URL"), ...place }
    assert.strictEqual(resultOf(await run(of, ["token"], { bin: front })).trimEnd(), token)
    assert.strictEqual(await tokenOf(of, "--min-ttl", "60"), token)
  })

  it("is printed without Effect from the folder that NOMBA_TOKEN_STORE names", async () => {
    const { variables } = await user()
    const named = { ...variables, NOMBA_TOKEN_STORE: `file:${newPath()}` }
    const token = await tokenOf(named)
    for (const args of [["token"], ["token", "--format", "raw"]]) {
      assert.strictEqual(resultOf(await run(named, args, { bin: front })).trimEnd(), token)
    }
  })

  type Change = (given: { readonly store: string; readonly variables: Variables }) => Variables

  const entryWith =
    (change: Parameters<typeof rewrite>[1]): Change =>
    ({ store, variables }) => {
      rewrite(store, change)
      return variables
    }

  const changes: Readonly<Record<string, Change>> = {
    "has a refresh in flight": entryWith(({ content }) => {
      content.refreshInFlight = "a:1"
    }),
    "expires within a minute": entryWith(({ content }) => {
      content.until = Date.now() + 59_000
    }),
    "comes from the future": entryWith(({ content }) => {
      content.since = Date.now() + 3_600_000
    }),
    "was written by another host": entryWith((entry) => {
      entry.host = "another"
    }),
    "has a later format": entryWith((entry) => {
      entry.format = "nomba-auth/file/2"
    }),
    "was logged out": entryWith(({ content }) => {
      content.text = content.text.replace('"tombstone":false', '"tombstone":true')
    }),
    "lies in a folder that others may open": ({ store, variables }) => {
      chmodSync(store, 0o755)
      return variables
    },
    "belongs to another client": ({ variables }) => ({ ...variables, NOMBA_CLIENT_ID: "another-client" }),
    "is asked for without a client secret": ({ variables }) => without(variables, "NOMBA_CLIENT_SECRET"),
    "should be encrypted": ({ variables }) => ({ ...variables, NOMBA_TOKEN_STORE_KEYS: "a:b" }),
    "is asked for under a URL that is not plain": ({ variables }) => ({
      ...variables,
      NOMBA_BASE_URL: `${variables["NOMBA_BASE_URL"]}/v1`
    })
  }

  it("is left to the whole program unless it is certain", async () => {
    const { store, variables } = await user()
    const token = await tokenOf(variables)
    for (const [name, change] of Object.entries({
      "is certain": ({ variables }) => variables,
      ...changes
    } as typeof changes)) {
      const copy = newPath()
      cpSync(store, join(copy, "nomba-auth"), { recursive: true })
      const changed = change({ store: join(copy, "nomba-auth"), variables: { ...variables, XDG_STATE_HOME: copy } })
      assert.strictEqual(tokenHit([], changed), name === "is certain" ? token : undefined, name)
    }
  })
})

describe("a client secret", () => {
  it("is read from a file of mode 0600 or from the standard input", async () => {
    const { sandbox, variables } = await user()
    const plain = without(variables, "NOMBA_CLIENT_SECRET")
    const file = newPath()
    writeFileSync(file, `${clientSecret}\n`, { mode: 0o600 })
    const token = await tokenOf(plain, "--client-secret-file", file)
    assert.strictEqual(token, (await sandbox.session())?.accessToken)
    const args = ["issue", "--yes", "--json", "--client-secret-file", "-"]
    const { code, output } = await run(plain, args, { input: `${clientSecret}\n` })
    assert.deepStrictEqual([code, JSON.parse(output).session.state], [0, "valid"])
    chmodSync(file, 0o644)
    const errors = problemOf(await run(plain, ["token", "--client-secret-file", file]), 2)
    assert.include(errors, `--client-secret-file ${file}: other users may read it (mode 644): chmod 600 it`)
  })

  it("as an option works with a warning on stderr that does not show it", async () => {
    const { variables } = await user()
    const plain = without(variables, "NOMBA_CLIENT_SECRET")
    const { code, errors, output } = await run(plain, ["token", "--client-secret", clientSecret])
    assert.deepStrictEqual([code, output.startsWith("eyJ")], [0, true])
    assert.match(errors, /^nomba-auth: warning: .*--client-secret in the process list/)
    assert.notInclude(errors, clientSecret)
  })

  it.each([
    [["--client-secret-file", "/no/such"], "--client-secret-file /no/such: cannot be read (ENOENT)"],
    [["--client-secret-file", "-"], "--client-secret-file -: the standard input is empty"],
    [["--client-secret-file", "-", "--client-secret", "x"], "give one of the two"],
    [["--subject", "me", "--client-secret", "x"], "--subject needs no client secret"]
  ])("is refused in %j", async (args, said) => {
    const { variables } = await user()
    const errors = problemOf(await run(without(variables, "NOMBA_CLIENT_SECRET"), ["token", ...args]), 2)
    assert.include(errors, said)
  })
})

describe("the token store of the command line", () => {
  it("is readable by this user alone", async () => {
    const { store, variables } = await user()
    await tokenOf(variables)
    const entry = entryFile(store)
    assert.strictEqual(statSync(store).mode & 0o777, 0o700)
    assert.strictEqual(statSync(entry).mode & 0o777, 0o600)
  })

  it.skipIf(process.platform !== "linux").each([
    ["there is no HOME that can be written to", { HOME: "/dev/null" }],
    ["XDG_STATE_HOME is read-only", { HOME: "/dev/null", XDG_STATE_HOME: "/proc" }]
  ])("lies in a folder for temporary files if %s, with a warning", async (_, home) => {
    const { sandbox, variables } = await user()
    const temporary = newPath()
    mkdirSync(temporary)
    const bare = { ...without(variables, "HOME", "XDG_STATE_HOME"), ...home, TMPDIR: temporary }
    const first = await run(bare, ["token"])
    const second = await run(bare, ["token"])
    assert.deepStrictEqual([first.code, second.output], [0, first.output])
    const place = join(temporary, `nomba-auth-${process.getuid?.()}`)
    assert.include(first.errors, `it is kept in ${place}: set NOMBA_TOKEN_STORE=file:PATH`)
    assert.strictEqual(statSync(place).mode & 0o777, 0o700)
    assert.strictEqual((await sandbox.counts()).issue.requests, 1)
  })

  it("works with an empty environment but for the settings", async () => {
    const { sandbox, variables } = await user()
    const { code } = await run({ ...without(variables, "HOME", "XDG_STATE_HOME"), TMPDIR: newPath() }, ["status"])
    assert.strictEqual(code, 0)
    assert.strictEqual((await sandbox.counts()).issue.requests, 0)
  })

  it.each([
    ["XDG_STATE_HOME", (home: string) => ({ HOME: home, XDG_STATE_HOME: join(home, "state") })],
    ["a relative XDG_STATE_HOME", (home: string) => ({ HOME: home, XDG_STATE_HOME: "state" })],
    ["HOME alone", (home: string) => ({ HOME: home })]
  ])("is that of TokenStoreFile by default, with %s", async (_, variablesOf) => {
    const { variables } = await user()
    const home = newPath()
    mkdirSync(home)
    const own = variablesOf(home)
    const folder = await Effect.runPromise(
      Effect.withConfigProvider(
        StoreDirectory.byConvention(process.platform, () => home),
        ConfigProvider.fromMap(new Map(Object.entries(own)))
      )
    )
    const { output } = await run({ ...without(variables, "HOME", "XDG_STATE_HOME"), ...own }, ["status"])
    assert.include(output, `token store  file:${folder} (by default)`)
  })

  it("is encrypted with NOMBA_TOKEN_STORE_KEYS", async () => {
    const { store, variables } = await user()
    const encrypted = { ...variables, NOMBA_TOKEN_STORE_KEYS: `a:${Buffer.alloc(32, 7).toString("base64")}` }
    const token = await tokenOf(encrypted)
    assert.strictEqual(await tokenOf(encrypted), token)
    assert.notInclude(readFileSync(entryFile(store), "utf8"), token)
  })

  it("warns that NOMBA_TOKEN_STORE=memory logs other programs out", async () => {
    const { variables } = await user()
    const { code, errors } = await run({ ...variables, NOMBA_TOKEN_STORE: "memory" }, ["token"])
    assert.strictEqual(code, 0)
    assert.include(errors, "warning: NOMBA_TOKEN_STORE=memory")
  })
})

describeRedis("the token store in Redis", (server) => {
  it("gives parallel calls one session, without a file", async () => {
    const { url } = await Effect.runPromise(server)
    const { sandbox, store, variables } = await user()
    const shared = { ...variables, NOMBA_TOKEN_STORE: url }
    const tokens = await Promise.all(Array.from({ length: 4 }, () => tokenOf(shared)))
    assert.strictEqual(new Set(tokens).size, 1)
    assert.strictEqual((await sandbox.counts()).issue.requests, 1)
    assert.isFalse(existsSync(store))
    assert.include(resultOf(await run(shared, ["status"])), `token store  ${url}`)
  })
})
