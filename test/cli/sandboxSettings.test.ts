import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { parseEnv } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck, Redacted } from "effect"
import { afterAll } from "vitest"
import { exportLines, settingsOf, writeDotenv } from "../../src/cli/sandboxSettings.js"

const folder = mkdtempSync(join(tmpdir(), "nomba-auth-settings-"))
const fresh = (): string => join(mkdtempSync(join(folder, "a")), "sandbox.env")
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const settings = (secret: string) =>
  settingsOf("http://127.0.0.1:1", {
    clients: [{ clientId: "me", accountId: "account", clientSecret: Redacted.make(secret) }]
  })

/** Text with more of what quoting is about than chance would bring. */
const value = FastCheck.string({
  unit: FastCheck.oneof(
    FastCheck.constantFrom("'", '"', "`", "$", "\\", "n", "#", "=", " ", "!", "\n", "\r", "{", "}", "\u0085", "é"),
    FastCheck.string({ minLength: 1, maxLength: 1 })
  ),
  minLength: 1,
  maxLength: 24
})

describe("the dotenv file of a sandbox", () => {
  it("is read back unchanged by Node and by a shell, or not written at all", async () => {
    const file = fresh()
    let written = 0
    await FastCheck.assert(
      FastCheck.asyncProperty(value, async (secret) => {
        rmSync(file, { force: true })
        const result = await Effect.runPromise(Effect.either(writeDotenv(file, settings(secret))))
        if (Either.isLeft(result)) {
          assert.match(result.left.message, /^NOMBA_CLIENT_SECRET: has characters that a dotenv file cannot hold/)
          assert.deepStrictEqual(readdirSync(dirname(file)), [])
          return
        }
        written += 1
        assert.deepStrictEqual({ ...parseEnv(readFileSync(file, "utf8")) }, { ...settings(secret) })
        if (written % 20 === 0) {
          const { stdout } = spawnSync("sh", ["-c", `. ${file}; printf %s "$NOMBA_CLIENT_SECRET"`])
          assert.strictEqual(String(stdout), secret)
        }
      }),
      { numRuns: 500 }
    )
    assert.isAbove(written, 100)
  })

  for (const secret of ["it's", "a b#c=d", 'say "x"', "$HOME `id` \\n"]) {
    it.effect(`can hold ${secret}`, () =>
      Effect.gen(function* () {
        const file = fresh()
        yield* writeDotenv(file, settings(secret))
        assert.strictEqual(parseEnv(readFileSync(file, "utf8"))["NOMBA_CLIENT_SECRET"], secret)
      })
    )
  }

  it.effect("is a new file that only its user can read, so that who has the old one open sees nothing", () =>
    Effect.gen(function* () {
      const file = fresh()
      writeFileSync(file, "")
      chmodSync(file, 0o666)
      const { ino } = statSync(file)
      yield* writeDotenv(file, settings("s"))
      assert.notStrictEqual(statSync(file).ino, ino)
      assert.strictEqual(statSync(file).mode & 0o777, 0o600)
      assert.deepStrictEqual(readdirSync(dirname(file)), ["sandbox.env"])
    })
  )

  it.effect("names a folder that there is not", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(writeDotenv(join(folder, "no", "file"), settings("s")))
      assert.include(error.message, "file: cannot be written (ENOENT)")
    })
  )
})

describe("the export lines of a sandbox", () => {
  it("unset what its client does not have", () => {
    const lines = exportLines(settingsOf("http://127.0.0.1:1", { clients: [{ clientId: "public" }] })).split("\n")
    assert.match(lines[0] ?? "", /^unset NOMBA_CLIENT_SECRET NOMBA_ACCOUNT_ID NOMBA_ENVIRONMENT /)
    assert.deepStrictEqual(lines.slice(1), [
      "export NOMBA_BASE_URL='http://127.0.0.1:1'",
      "export NOMBA_CLIENT_ID='public'"
    ])
  })
})
