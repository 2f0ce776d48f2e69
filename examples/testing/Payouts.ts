import { HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { Context, Data, Effect, Layer, Schema } from "effect"
import { type AuthError, NombaClient, type UnexpectedResponse } from "nomba-auth"

/** Nomba said no to this payout. */
export class PayoutRefused extends Data.TaggedError("PayoutRefused")<{ readonly why: string }> {}

/** Nobody can tell whether it was carried out: ask again, with the same reference. */
export class PayoutUncertain extends Data.TaggedError("PayoutUncertain") {}

const Envelope = Schema.Struct({
  code: Schema.String,
  description: Schema.optional(Schema.String),
  message: Schema.optional(Schema.String)
})
const Accepted = Schema.Struct({ code: Schema.Literal("00"), data: Schema.Struct({ id: Schema.String }) })

const isRefusal = (status: number) => status === 400 || status === 422

interface Payout {
  readonly reference: string
  readonly amount: string
  readonly accountNumber: string
}

export class Payouts extends Context.Tag("app/Payouts")<
  Payouts,
  {
    /** Gives the id. With one of the client's own errors nothing was carried out: it was not sent, or not let in. */
    readonly send: (
      payout: Payout
    ) => Effect.Effect<string, PayoutRefused | PayoutUncertain | Exclude<AuthError, UnexpectedResponse>>
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
          const { code, description, message } = yield* HttpClientResponse.schemaBodyJson(Envelope)(response)
          // Beside a status of 200 the code says what the status should have been.
          if (isRefusal(response.status === 200 ? Number(code) : response.status)) {
            return yield* new PayoutRefused({ why: description ?? message ?? code })
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
            "UnexpectedResponse", // a redirect, for instance: it answers what has been sent
            () => new PayoutUncertain()
          )
        )
    }))
  )
}
