import { execFileSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { startSandbox } from "nomba-auth/sandbox"
import openapiTS, { astToString } from "openapi-typescript"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))
const folder = mkdtempSync(join(root, "node_modules/.generated-client-"))

beforeAll(async () => {
  const document = JSON.parse(readFileSync(join(root, "openapi.json"), "utf8"))
  writeFileSync(join(folder, "nomba.ts"), astToString(await openapiTS(document)))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The program of a developer who generated a client. */
const program = `
import createClient from "openapi-fetch"
import type { paths } from "./nomba.js"

export const lifecycle = async (baseUrl: string, client_id: string, client_secret: string) => {
  const nomba = createClient<paths>({ baseUrl })
  const issued = await nomba.POST("/v1/auth/token/issue", {
    body: { grant_type: "client_credentials", client_id, client_secret }
  })
  const first: string = issued.data?.data?.access_token ?? ""
  const refreshed = await nomba.POST("/v1/auth/token/refresh", {
    body: { grant_type: "refresh_token", refresh_token: issued.data?.data?.refresh_token ?? "" },
    headers: { authorization: "Bearer " + first }
  })
  const token: string = refreshed.data?.data?.access_token ?? ""
  const revoked = await nomba.POST("/v1/auth/token/revoke", {
    body: { token },
    headers: { authorization: "Bearer " + token }
  })
  const again = await nomba.POST("/v1/auth/token/revoke", { body: { token }, headers: { authorization: "Bearer " + token } })
  const errors: ReadonlyArray<string> = again.error?.errors ?? []
  return { codes: [issued.data?.code, refreshed.data?.code, revoked.data?.code], status: again.response.status, errors }
}
`

describe("a client generated from openapi.json by openapi-typescript and openapi-fetch", () => {
  it("compiles, logs in, refreshes and revokes", { timeout: 120_000 }, async () => {
    writeFileSync(join(folder, "program.ts"), program)
    const options = ["--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck"]
    execFileSync(
      process.execPath,
      [join(root, "node_modules/typescript/bin/tsc"), ...options, "--outDir", folder, join(folder, "program.ts")],
      { cwd: folder, stdio: "pipe" }
    )
    const { lifecycle } = await import(join(folder, "program.js"))
    await using sandbox = await startSandbox()
    const { clientId, clientSecret } = sandbox.credentials()
    assert.deepStrictEqual(await lifecycle(sandbox.url, clientId, clientSecret), {
      codes: ["00", "00", "00"],
      status: 401,
      errors: ["Authorization: the token is replaced or revoked"]
    })
    const counts = await sandbox.counts()
    assert.deepInclude(counts, { issued: 1, refreshed: 1, revoked: 1 })
  })
})
