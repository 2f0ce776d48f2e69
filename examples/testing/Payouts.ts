import { HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Context, Data, Effect, Layer, Schema } from "effect"
import { type AuthError, NombaClient } from "nomba-auth"

/** Nomba said no to this payout. */
export class PayoutRefused extends Data.TaggedError("PayoutRefused")<{ readonly why: string }> {}

/** Nobody can tell whether it was carried out: ask again, with the same reference. */
export class PayoutUncertain extends Data.TaggedError("PayoutUncertain") {}

const Accepted = Schema.Struct({ data: Schema.Struct({ id: Schema.String }) })
const Refusal = Schema.Struct({ description: Schema.String })

interface Payout {
  readonly reference: string
  readonly amount: string
  readonly accountNumber: string
}

export class Payouts extends Context.Tag("app/Payouts")<
  Payouts,
  {
    /** Gives the id. With one of the client's own errors there was no token: nothing was carried out. */
    readonly send: (payout: Payout) => Effect.Effect<string, PayoutRefused | PayoutUncertain | AuthError>
  }
>() {
  static readonly layer = Layer.effect(
    Payouts,
    Effect.map(NombaClient, (nomba) => ({
      send: (payout: Payout) =>
        Effect.gen(function* () {
          const response = yield* HttpClientRequest.post("/v1/transfers/bank").pipe(
            HttpClientRequest.setHeader("idempotency-key", payout.reference),
            HttpClientRequest.bodyUnsafeJson(payout),
            nomba.execute
          )
          if (response.status === 422) {
            const { description } = yield* HttpClientResponse.schemaBodyJson(Refusal)(response)
            return yield* new PayoutRefused({ why: description })
          }
          yield* HttpClientResponse.filterStatusOk(response)
          const { data } = yield* HttpClientResponse.schemaBodyJson(Accepted)(response)
          return data.id
        }).pipe(
          Effect.timeout("20 seconds"), // the client itself lets a call take as long as it takes
          Effect.catchTag(
            "RequestError",
            "ResponseError",
            "ParseError",
            "TimeoutException",
            () => new PayoutUncertain()
          )
        )
    }))
  )
}
