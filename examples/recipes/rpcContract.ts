import { Rpc, RpcGroup } from "@effect/rpc"
import { Schema } from "effect"

export class Balance extends Schema.Class<Balance>("Balance")({ amount: Schema.String, currency: Schema.String }) {}

/** The one failure that callers handle: they wait and try again. */
export class NombaUnavailable extends Schema.TaggedError<NombaUnavailable>()("NombaUnavailable", {
  retryAfter: Schema.Duration
}) {}

export class BalanceRpcs extends RpcGroup.make(Rpc.make("Balance", { success: Balance, error: NombaUnavailable })) {}
