import { readFileSync } from "node:fs"
import { rootCertificates } from "node:tls"
import { createNomba } from "nomba-auth/promise"
import { Agent, fetch } from "undici"

// `ca` replaces the certificates that Node.js trusts, so they are listed too.
const ca = [...rootCertificates, readFileSync(process.env["CA_FILE"] ?? "/etc/ssl/company-ca.pem", "utf8")]
const dispatcher = new Agent({ connect: { ca } })

const nomba = createNomba({
  fetch: ((input: URL, init: object) => fetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch
})

console.log(await nomba.request("/v1/accounts/balance"))
await nomba.close()
await dispatcher.close()
