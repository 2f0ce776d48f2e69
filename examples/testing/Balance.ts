import { Context, Data, Duration, Effect, Layer, Schema } from "effect"
import { NombaClient, NombaResponse } from "nomba-auth"

/** Nomba cannot be asked now; try again later. */
export class BalanceUnknown extends Data.TaggedError("BalanceUnknown")<{ readonly retryAfter: Duration.Duration }> {}

/** The configuration is wrong; a developer has to fix it. */
export class Misconfigured extends Data.TaggedError("Misconfigured")<{ readonly advice: string }> {}

const Amount = Schema.Struct({ amount: Schema.String })

const unknown = (retryAfter: Duration.Duration = Duration.seconds(1)) => new BalanceUnknown({ retryAfter })

/** A service of your own. */
export class Balance extends Context.Tag("app/Balance")<
  Balance,
  { readonly amount: Effect.Effect<string, BalanceUnknown | Misconfigured> }
>() {
  static readonly layer = Layer.effect(
    Balance,
    Effect.map(NombaClient, (nomba) => ({
      amount: nomba.get("/v1/accounts/balance").pipe(
        Effect.flatMap(NombaResponse.data(Amount)),
        Effect.map(({ amount }) => amount),
        Effect.catchTags({
          InvalidCredentials: (error) => new Misconfigured({ advice: error.message }),
          Unavailable: (error) => unknown(error.retryAfter),
          // The call itself failed: Nomba said so, or no response came.
          NombaRequestFailed: (error) => (error.retryable ? unknown(error.retryAfter) : Effect.die(error)),
          RequestError: (error) => (error.reason === "Transport" ? unknown() : Effect.die(error)),
          // The rest is a bug in this service or a change of the API: its callers can do nothing about it.
          ResponseError: Effect.die,
          Expired: Effect.die,
          InvalidRequest: Effect.die,
          UnexpectedResponse: Effect.die
        })
      )
    }))
  )
}
