import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, it } from "@effect/vitest"
import { Effect, Either, Exit, Option, Redacted, Scope } from "effect"
import { afterAll, describe, vi } from "vitest"
import { keysOf, operationsOf, placeOf, rulesOf } from "../../../src/cli/serve/flags.js"
import * as Keys from "../../../src/cli/serve/Keys.js"

const folder = mkdtempSync(join(tmpdir(), "nomba-auth-options-"))
afterAll(() => rmSync(folder, { recursive: true }))

type Flags = Parameters<typeof placeOf>[0]

const none: Flags = {
  clientSecret: Option.none(),
  clientSecretFile: Option.none(),
  subject: Option.none(),
  port: Option.none(),
  host: Option.none(),
  socket: Option.none(),
  allowedHosts: [],
  keyFile: Option.none(),
  writeKey: Option.none(),
  noKey: false,
  allow: [],
  opsHost: Option.none(),
  opsPort: Option.none(),
  sandbox: false,
  quiet: false
}

let files = 0
const keyFile = (content = "shop:the-key-of-the-shop", mode = 0o600): Option.Option<string> => {
  files += 1
  const path = join(folder, `keys-${files}`)
  writeFileSync(path, content)
  chmodSync(path, mode)
  return Option.some(path)
}

const some = Option.some

const contentOf = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, "utf8") : undefined)

describe("the options of serve", () => {
  it.scoped.each<readonly [Partial<Flags>, RegExp]>([
    [{ keyFile: keyFile(undefined, 0o644) }, /--key-file .*: other users may read it.*chmod 600/],
    [{ keyFile: keyFile(undefined, 0o640) }, /chmod 600/],
    [{ keyFile: keyFile("shop") }, /line 1: the key must have/],
    [{ keyFile: some(join(folder, "nothing")) }, /ENOENT/],
    [{ keyFile: keyFile(), writeKey: some("x") }, /--write-key and --key-file: give one of the two/],
    [{ keyFile: keyFile(), noKey: true, socket: some("x") }, /--no-key and --key-file: give one of the two/],
    [{ writeKey: Option.map(keyFile(), (file) => join(file, "key")) }, /--write-key .*: the key cannot be written/],
    [{ noKey: true, socket: some("x"), writeKey: some("x") }, /--no-key and --write-key: give one of the two/],
    [{ host: some("0.0.0.0") }, /other machines can reach it: needs --key-file/],
    [{ host: some("::") }, /needs --key-file/],
    [{ host: some("192.168.1.2") }, /needs --key-file/],
    [{ host: some("a b") }, /is not an address or a name/],
    [
      { allowedHosts: ["proxy", "proxy:4020"] },
      /--allow-host proxy:4020: must be a name or an address, without a port/
    ],
    [{ noKey: true }, /needs --socket/],
    [{ noKey: true, host: some("127.0.0.1") }, /needs --socket/],
    [{ socket: some("x"), port: some(1) }, /leave --port and --host out/],
    [{ allow: ["GET accounts"] }, /--allow "GET accounts": .*must begin with a slash/],
    [{ port: some(70_000) }, /--port 70000: .*0 to 65535/],
    [{ port: some(6_000) }, /--port 6000: browsers and fetch refuse/],
    [{ opsPort: some(70_000) }, /--ops-port 70000: .*0 to 65535/],
    [{ opsPort: some(6_000) }, /--ops-port 6000: browsers and fetch refuse/],
    [{ opsHost: some("a b") }, /--ops-host a b: is not an address or a name/]
  ])("refuse %j", ([given, problem]) =>
    Effect.gen(function* () {
      const flags = { ...none, ...given }
      const result = yield* Effect.either(
        Effect.all([placeOf(flags), operationsOf(flags), rulesOf(flags), keysOf(flags)])
      )
      assert.match(Either.getOrThrow(Either.flip(result)).message, problem)
    })
  )

  it.scoped("listen on 127.0.0.1:4020, and elsewhere if there is a key file", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* placeOf(none), { host: "127.0.0.1", port: 4020, allowedHosts: [] })
      const open = { ...none, host: some("0.0.0.0"), keyFile: keyFile(), allowedHosts: ["proxy"] }
      assert.deepStrictEqual(yield* placeOf(open), { host: "0.0.0.0", port: 4020, allowedHosts: ["proxy"] })
    })
  )

  it.effect("leave a key file to the proxy that has replaced it", () =>
    Effect.gen(function* () {
      const path = join(folder, "replaced")
      const start = keysOf({ ...none, writeKey: some(path) })
      const first = yield* Scope.make()
      yield* Scope.extend(start, first)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { generated } = yield* start
          yield* Scope.close(first, Exit.void)
          assert.strictEqual(readFileSync(path, "utf8").trim(), Redacted.value(generated ?? Redacted.make("")))
        })
      )
      assert.notInclude(readdirSync(folder), "replaced")
    })
  )

  it.scoped("replace no file that another program has written, and follow no link", () =>
    Effect.gen(function* () {
      const generated = Redacted.value(Keys.generate())
      const files = [
        keyFile("NOMBA_CLIENT_SECRET=x\n"),
        keyFile(""),
        keyFile(`${generated}\n`, 0o640),
        keyFile(`${generated}\nmore`),
        keyFile(generated)
      ].map(Option.getOrThrow)
      const left = Option.getOrThrow(keyFile(`${generated}\n`))
      const link = join(folder, "link")
      symlinkSync(left, link)
      const dangling = join(folder, "dangling")
      symlinkSync(join(folder, "nowhere"), dangling)
      for (const path of [...files, link, dangling]) {
        const before = contentOf(path)
        const result = yield* Effect.either(Effect.scoped(keysOf({ ...none, writeKey: some(path) })))
        assert.match(
          Either.getOrThrow(Either.flip(result)).message,
          new RegExp(`--write-key ${path}: is not the key file of an earlier proxy: give another path, or remove it`)
        )
        assert.strictEqual(contentOf(path), before)
      }
      yield* Effect.scoped(
        Effect.gen(function* () {
          const { generated: key } = yield* keysOf({ ...none, writeKey: some(left) })
          assert.strictEqual(readFileSync(left, "utf8"), `${Redacted.value(key ?? Redacted.make(""))}\n`)
          writeFileSync(left, "of another program")
        })
      )
      assert.strictEqual(readFileSync(left, "utf8"), "of another program")
    })
  )

  it.scoped("take NOMBA_PROXY_KEY in place of a generated key, unless it is empty", () =>
    Effect.gen(function* () {
      const problem = (given: Partial<Flags>, value: string) =>
        Effect.gen(function* () {
          vi.stubEnv("NOMBA_PROXY_KEY", value)
          yield* Effect.addFinalizer(() => Effect.sync(() => vi.unstubAllEnvs()))
          return Either.getOrThrow(Either.flip(yield* Effect.either(keysOf({ ...none, ...given })))).message
        }).pipe(Effect.scoped)
      for (const value of ["", "  "]) {
        assert.strictEqual(yield* problem({}, value), "NOMBA_PROXY_KEY is empty: give it a value, or leave it out")
      }
      const both = { writeKey: some(join(folder, "both")) }
      assert.match(
        yield* problem(both, "a-key-of-16-characters"),
        /--write-key and NOMBA_PROXY_KEY: give one of the two/
      )
    })
  )

  it.scoped("leave no key behind that could not be put in its place", () =>
    Effect.gen(function* () {
      const taken = join(folder, "parent", "folder")
      mkdirSync(taken, { recursive: true })
      const result = yield* Effect.either(keysOf({ ...none, writeKey: some(taken) }))
      assert.isTrue(Either.isLeft(result))
      assert.deepStrictEqual(readdirSync(join(folder, "parent")), ["folder"])
    })
  )
})
