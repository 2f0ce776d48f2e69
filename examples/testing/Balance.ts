import { HttpClientResponse } from "@effect/platform"
import { Context, Data, Duration, Effect, Layer, Schema } from "effect"
import { NombaClient } from "nomba-auth"

/** Nomba cannot be asked now; try again after a while. */
export class BalanceUnknown extends Data.TaggedError("BalanceUnknown")<{ readonly retryAfter: Duration.Duration }> {}

/** Somebody has to look at the configuration. */
export class Misconfigured extends Data.TaggedError("Misconfigured")<{ readonly advice: string }> {}

const Envelope = Schema.Struct({ code: Schema.String })
const Answer = Schema.Struct({ data: Schema.Struct({ amount: Schema.String }) })

const unknown = new BalanceUnknown({ retryAfter: Duration.seconds(1) })
const isPassing = (status: number) => status === 429 || status >= 500

/** A service of your own. */
export class Balance extends Context.Tag("app/Balance")<
  Balance,
  { readonly amount: Effect.Effect<string, BalanceUnknown | Misconfigured> }
>() {
  static readonly layer = Layer.effect(
    Balance,
    Effect.map(NombaClient, (nomba) => ({
      amount: Effect.gen(function* () {
        const response = yield* nomba.get("/v1/accounts/balance")
        yield* HttpClientResponse.filterStatusOk(response)
        // An answer of 200 with another code than "00" is none: the code says what the status should have been.
        const { code } = yield* HttpClientResponse.schemaBodyJson(Envelope)(response)
        if (code !== "00") {
          return yield* isPassing(Number(code)) ? unknown : Effect.dieMessage(`The balance was refused: code ${code}`)
        }
        const { data } = yield* HttpClientResponse.schemaBodyJson(Answer)(response)
        return data.amount
      }).pipe(
        Effect.catchTags({
          InvalidCredentials: (error) => new Misconfigured({ advice: error.message }),
          Unavailable: (error) => new BalanceUnknown({ retryAfter: error.retryAfter ?? Duration.seconds(1) }),
          // The call of the balance itself: no answer came, or one that says that it failed.
          RequestError: (error) => (error.reason === "Transport" ? unknown : Effect.die(error)),
          ResponseError: (error) => (isPassing(error.response.status) ? unknown : Effect.die(error)),
          // The rest would be a bug of this service or a change of the API: nothing its callers can do.
          Expired: Effect.die,
          InvalidRequest: Effect.die,
          UnexpectedResponse: Effect.die,
          ParseError: Effect.die
        })
      )
    }))
  )
}
