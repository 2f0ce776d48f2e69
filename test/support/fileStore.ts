/** File stores in folders of their own. */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Effect, type Scope } from "effect"
import * as SessionCodec from "../../src/layers/SessionCodec.js"
import * as Driver from "../../src/layers/store/file/Driver.js"
import * as Files from "../../src/layers/store/file/Files.js"
import type { Connect } from "../../src/layers/store/StoreDriver.js"

/** A folder that is removed with the scope. */
export const temporaryFolder: Effect.Effect<string, never, Scope.Scope> = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "nomba-auth-store-"))),
  (path) =>
    Effect.sync(() => {
      chmodSync(path, 0o700)
      rmSync(path, { recursive: true, force: true })
    })
)

export const connectIn = (
  root: string,
  {
    codec = SessionCodec.plain,
    files = Files.system,
    host = "this-host"
  }: { codec?: SessionCodec.SessionCodec; files?: Files.Files; host?: string } = {}
): Connect => Driver.connectWith({ codec, files, root, host })

/** The names of all files below a folder, without the folders of keys. */
export const namesIn = (root: string): ReadonlyArray<string> =>
  readdirSync(root, { recursive: true, encoding: "utf8" })
    .map((path) => path.replace(/^[\da-f]{64}(?:\/|$)/, ""))
    .filter((name) => name !== "")
    .sort()

/** Changes the newest text of the only key. In one step, as a store that is open may be reading it: half a text is damage. */
export const edit = (root: string, change: (text: string) => string): string => {
  const folder = join(root, readdirSync(root)[0] ?? "")
  const newest = join(
    folder,
    readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .at(-1) ?? ""
  )
  const text = change(readFileSync(newest, "utf8"))
  writeFileSync(`${newest}.edited`, text)
  renameSync(`${newest}.edited`, newest)
  return text
}
