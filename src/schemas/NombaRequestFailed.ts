/**
 * The failure of a call to one of Nomba's resources.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import { MESSAGE_LIMIT, oneLine } from "./SafeText.js"

/**
 * Nomba answered, and the answer is not a success: the HTTP status is not 2xx, the `code` says that the call failed, or the
 * `description` does.
 *
 * It holds Nomba's own words with secrets masked, and no request, response or body. `retryable` fits `Effect.retry`:
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { NombaClient, NombaResponse } from "nomba-auth"
 *
 * const Balance = Schema.Struct({ amount: Schema.String, currency: Schema.String })
 *
 * export const balance = Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/accounts/balance")).pipe(
 *   Effect.flatMap(NombaResponse.data(Balance)),
 *   Effect.retry({ times: 2, while: (error) => error._tag === "NombaRequestFailed" && error.retryable })
 * )
 * ```
 *
 * @since 0.1.0
 * @category errors
 */
export class NombaRequestFailed extends Schema.TaggedError<NombaRequestFailed>("nomba-auth/NombaRequestFailed")(
  "NombaRequestFailed",
  {
    /** The HTTP status. It may be 200: see `code`. */
    status: Schema.Int,
    /** Nomba's `code` as text; absent if the body has none. */
    code: Schema.optional(Schema.String),
    /** Nomba's `description`, or its `message` if there is no description. */
    description: Schema.optional(Schema.String),
    /** Nomba's list of details. */
    errors: Schema.optionalWith(Schema.Array(Schema.String), { default: () => [] }),
    /** Whether the same call may be sent again without a reference that makes it idempotent: 429, or a 5xx on GET or HEAD. */
    retryable: Schema.Boolean,
    /**
     * `no` if Nomba certainly did not carry out this request: a 4xx other than 408 and 499, or a description that says so.
     * `unknown` otherwise. It says nothing about an earlier request with the same `merchantTxRef`.
     */
    processed: Schema.Literal("no", "unknown"),
    /** How long to wait before the next request: what a 429 or 5xx states. */
    retryAfter: Schema.optional(Schema.Duration)
  }
) {
  override get message(): string {
    const facts = [
      `HTTP ${this.status}`,
      ...(this.code === undefined ? [] : [`code ${this.code}`]),
      ...(this.description === undefined ? [] : [`"${this.description}"`])
    ].join(", ")
    const what =
      this.processed === "no"
        ? "Nomba refused the request"
        : "The request failed, and Nomba may have carried it out all the same"
    const errors = this.errors.length === 0 ? "" : `: ${this.errors.join("; ")}`
    const hint = hints[this.status] === undefined ? "" : ` ${hints[this.status]}`
    const wait =
      this.retryAfter === undefined ? "" : ` Try again after ${Math.ceil(Duration.toSeconds(this.retryAfter))} s.`
    return oneLine(
      `${oneLine(`${what} (${facts})${errors}.`, MESSAGE_LIMIT - hint.length - wait.length)}${hint}${wait}`
    )
  }
}

const hints: Record<number, string> = {
  401: "A new token did not help: check that the account id is set and right, and that no other program logs in with these credentials.",
  403: "Check that the account id is the parent account's, and that Nomba allows this machine's IP address.",
  404: "Check the path and the base URL."
}
