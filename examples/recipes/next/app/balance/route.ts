import { nomba } from "../../lib/nomba"

export async function GET(): Promise<Response> {
  return Response.json(await nomba().request("/v1/accounts/balance"))
}
