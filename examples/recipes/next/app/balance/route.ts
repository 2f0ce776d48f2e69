import { nomba } from "../../lib/nomba"

// Otherwise `next build` calls it once, and serves that answer for ever.
export const dynamic = "force-dynamic"

export async function GET(): Promise<Response> {
  return Response.json(await nomba().request("/v1/accounts/balance"))
}
