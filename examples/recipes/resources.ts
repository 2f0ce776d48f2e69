import { HttpApi, HttpApiClient, HttpApiEndpoint, HttpApiGroup, HttpClient, HttpClientResponse } from "@effect/platform"
import { Effect, Schema } from "effect"
import { NombaClient, NombaResponse } from "nomba-auth"

const Balance = Schema.Struct({ amount: Schema.NumberFromString, currency: Schema.String })
const Transfer = Schema.Struct({ amount: Schema.Number, accountNumber: Schema.String, merchantTxRef: Schema.String })
const TransferResult = Schema.Struct({ id: Schema.String, status: Schema.String })

/** The resources that you use. A success is the `data` of Nomba's response, without the envelope around it. */
export class Resources extends HttpApi.make("nomba")
  .add(HttpApiGroup.make("accounts").add(HttpApiEndpoint.get("balance", "/v1/accounts/balance").addSuccess(Balance)))
  .add(
    HttpApiGroup.make("transfers").add(
      HttpApiEndpoint.post("bank", "/v2/transfers/bank").setPayload(Transfer).addSuccess(TransferResult)
    )
  ) {}

const decideAndUnwrap = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.map(NombaResponse.data(Schema.Unknown)(response), (data) =>
    HttpClientResponse.fromWeb(response.request, Response.json(data))
  )

/** Each call fails with `NombaRequestFailed` if Nomba says so, also with HTTP 200. */
export const resources = Effect.gen(function* () {
  const nomba = yield* NombaClient
  const httpClient = HttpClient.transformResponse(nomba, Effect.flatMap(decideAndUnwrap))
  return yield* HttpApiClient.makeWith(Resources, { httpClient })
})
