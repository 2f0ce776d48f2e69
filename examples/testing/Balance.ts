import { HttpClientResponse } from "@effect/platform"
import { Context, Data, Duration, Effect, Layer, Schema } from "effect"
import { NombaClient } from "nomba-auth"

/** Nomba cannot be asked now; try again after a while. */
export class BalanceUnknown extends Data.TaggedError("BalanceUnknown")<{ readonly retryAfter: Duration.Duration }> {}

/** Somebody has to look at the configuration. */
export class Misconfigured extends Data.TaggedError("Misconfigured")<{ readonly advice: string }> {}

const Answer = Schema.Struct({ data: Schema.Struct({ amount: Schema.String }) })

/** A service of your own. */
export class Balance extends Context.Tag("app/Balance")<
  Balance,
  { readonly amount: Effect.Effect<string, BalanceUnknown | Misconfigured> }
>() {
  static readonly layer = Layer.effect(
    Balance,
    Effect.map(NombaClient, (nomba) => ({
      amount: nomba.get("/v1/accounts/balance").pipe(
        Effect.flatMap(HttpClientResponse.schemaBodyJson(Answer)),
        Effect.map(({ data }) => data.amount),
        Effect.catchTags({
          InvalidCredentials: (error) => new Misconfigured({ advice: error.message }),
          Unavailable: (error) => new BalanceUnknown({ retryAfter: error.retryAfter ?? Duration.seconds(1) }),
          // The rest would be a bug of this service or a change of the API: nothing its callers can do.
          Expired: Effect.die,
          InvalidRequest: Effect.die,
          UnexpectedResponse: Effect.die,
          RequestError: Effect.die,
          ResponseError: Effect.die,
          ParseError: Effect.die
        })
      )
    }))
  )
}
