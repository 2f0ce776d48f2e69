// Run by jest, as an ES module and as CommonJS.
import { expect, test } from "@jest/globals"
import { createNomba } from "nomba-auth/promise"
import { startSandbox } from "nomba-auth/sandbox"

test("calls Nomba in a sandbox", async () => {
  const sandbox = await startSandbox()
  const { accountId, clientId, clientSecret } = sandbox.credentials()
  const nomba = createNomba({ baseUrl: sandbox.url, accountId, clientId, clientSecret })
  expect(await nomba.request("/v1/accounts/balance")).toMatchObject({ currency: "NGN" })
  expect((await sandbox.counts()).issued).toBe(1)
  await nomba.close()
  await sandbox.close()
})
