import { createNomba, isNombaError } from "nomba-auth/promise"
import { fileStore } from "nomba-auth/promise/file"

// The file keeps the session for the next run. Without it every run logs in, and ends the session of the run before.
const nomba = createNomba({ tokenStore: fileStore() }) // NOMBA_TOKEN_STORE=file:/var/lib/shop/nomba

try {
  console.log(await nomba.request("/v1/accounts/balance", { signal: AbortSignal.timeout(60_000) }))
} catch (error) {
  if (!isNombaError(error)) throw error
  console.error(error.message)
  process.exitCode = error._tag === "Unavailable" ? 75 : 1 // 75: "try again later"
} finally {
  await nomba.close()
}
