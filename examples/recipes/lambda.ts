import type { APIGatewayProxyHandlerV2 } from "aws-lambda"
import { createNomba } from "nomba-auth/promise"

/**
 * Outside of the handler, so that the next invocation finds the token. `renewAhead` is 0, because nothing runs between two
 * invocations: a renewal in the background would be frozen with the function.
 */
const nomba = createNomba({ renewAhead: 0 })

export const handler: APIGatewayProxyHandlerV2 = async () => {
  const balance = await nomba.request("/v1/accounts/balance", { signal: AbortSignal.timeout(25_000) })
  return { statusCode: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(balance) }
}
