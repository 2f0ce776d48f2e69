import { nomba } from "../nomba.server"

export async function loader(): Promise<Response> {
  return Response.json(await nomba.request("/v1/accounts/balance"))
}
