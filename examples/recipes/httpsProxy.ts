import { createNomba } from "nomba-auth/promise"
import { fetch, ProxyAgent } from "undici"

const dispatcher = new ProxyAgent(process.env["HTTPS_PROXY"] ?? "http://proxy.internal:3128")

const nomba = createNomba({
  // undici's own fetch, because an agent of one version and a fetch of another do not always fit.
  fetch: ((input: URL, init: object) => fetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch
})

console.log(await nomba.request("/v1/accounts/balance"))
await nomba.close()
await dispatcher.close()
