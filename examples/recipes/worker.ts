import { env, waitUntil } from "cloudflare:workers"
import { createNomba } from "nomba-auth/promise"

/** At module level, so that all requests of an isolate share the token. `waitUntil` keeps a renewal alive if a visitor leaves. */
const nomba = createNomba({
  clientId: env.NOMBA_CLIENT_ID,
  clientSecret: env.NOMBA_CLIENT_SECRET,
  accountId: env.NOMBA_ACCOUNT_ID,
  baseUrl: env.NOMBA_BASE_URL,
  waitUntil
})

export default {
  async fetch(): Promise<Response> {
    return Response.json(await nomba.request("/v1/accounts/balance"))
  }
}
