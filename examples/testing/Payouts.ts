import { HttpClientRequest } from "@effect/platform"
import { Context, Data, Effect, Layer, Schema } from "effect"
import { NombaClient, NombaResponse } from "nomba-auth"

/** Nomba did not carry out this payout. */
export class PayoutRefused extends Data.TaggedError("PayoutRefused")<{ readonly why: string }> {}

/** Nomba may have carried it out. Call `find` before you do anything else, and never pay again with a new reference. */
export class PayoutUncertain extends Data.TaggedError("PayoutUncertain")<{ readonly why: string }> {}

/** Nothing was sent: fix the configuration, or try again later. */
export class PayoutNotSent extends Data.TaggedError("PayoutNotSent")<{ readonly why: string }> {}

export interface Payout {
  /** Yours, one for each payout, stored before you send it. Nomba does not pay the same reference twice. */
  readonly merchantTxRef: string
  readonly amount: number
  readonly accountNumber: string
  readonly accountName: string
  readonly bankCode: string
}

const Transfer = Schema.Struct({ id: Schema.String, status: Schema.String })

export interface Receipt {
  readonly id: string
  /** If it is pending, a webhook tells the outcome, or `find` does later. */
  readonly state: "paid" | "pending"
}

const failed = new Set(["REFUND", "CANCELLED", "PAYMENT_FAILED", "REVERSED_BY_VENDOR"])

const receipt = (
  { id, status }: typeof Transfer.Type,
  isPending: boolean
): Effect.Effect<Receipt, PayoutRefused | PayoutUncertain> => {
  if (status === "PENDING_BILLING") return Effect.succeed({ id, state: "pending" })
  if (status === "SUCCESS") return Effect.succeed({ id, state: isPending ? "pending" : "paid" })
  return Effect.fail(failed.has(status) ? new PayoutRefused({ why: status }) : new PayoutUncertain({ why: status }))
}

export class Payouts extends Context.Tag("app/Payouts")<
  Payouts,
  {
    readonly send: (payout: Payout) => Effect.Effect<Receipt, PayoutRefused | PayoutUncertain | PayoutNotSent>
    /** What became of a payout. It sends no money, and can be repeated. */
    readonly find: (merchantTxRef: string) => Effect.Effect<Receipt, PayoutRefused | PayoutUncertain>
  }
>() {
  static readonly layer = Layer.effect(
    Payouts,
    Effect.map(NombaClient, (nomba) => ({
      send: (payout: Payout) =>
        HttpClientRequest.post("/v2/transfers/bank").pipe(
          HttpClientRequest.bodyUnsafeJson(payout),
          nomba.execute,
          Effect.timeout("20 seconds"), // the client has no timeout for your calls
          Effect.flatMap(NombaResponse.result(Transfer)),
          Effect.flatMap(({ data, isPending }) => receipt(data, isPending)),
          Effect.catchTags({
            NombaRequestFailed: (error) =>
              error.processed === "no"
                ? new PayoutRefused({ why: error.message })
                : new PayoutUncertain({ why: error.message }),
            // No response, half a response, a redirect, or one that does not fit the schema.
            RequestError: (error) => new PayoutUncertain({ why: error.message }),
            ResponseError: (error) => new PayoutUncertain({ why: error.message }),
            UnexpectedResponse: (error) => new PayoutUncertain({ why: error.message }),
            TimeoutException: () => new PayoutUncertain({ why: "no response within 20 seconds" }),
            // No token: the payout was not sent, or Nomba answered 401 to it.
            InvalidCredentials: (error) => new PayoutNotSent({ why: error.message }),
            InvalidRequest: (error) => new PayoutNotSent({ why: error.message }),
            Expired: (error) => new PayoutNotSent({ why: error.message }),
            Unavailable: (error) => new PayoutNotSent({ why: error.message })
          })
        ),
      find: (merchantTxRef: string) =>
        nomba.get("/v1/transactions/accounts/single", { urlParams: { merchantTxRef } }).pipe(
          Effect.flatMap(NombaResponse.data(Transfer)),
          Effect.timeout("20 seconds"),
          Effect.mapError((error) => new PayoutUncertain({ why: error.message })),
          Effect.flatMap((found) => receipt(found, false))
        )
    }))
  )
}
