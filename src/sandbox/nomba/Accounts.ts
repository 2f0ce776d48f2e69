/** The protected resource. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import { Bearer, type BearerAuth } from "../../schemas/NombaApi.js"
import { Emulator } from "../state/Emulator.js"
import * as bearerMiddleware from "./bearerMiddleware.js"
import { SandboxApi } from "./SandboxApi.js"

/** The handler of the balance. */
export const layer: Layer.Layer<
  HttpApiGroup.ApiGroup<"sandbox", "Accounts">,
  never,
  Emulator | BearerAuth
> = HttpApiBuilder.group(SandboxApi, "Accounts", (handlers) =>
  Effect.map(Emulator, (emulator) =>
    handlers.handle(
      "getBalance",
      ({ request }) =>
        Effect.gen(function* () {
          const { clientId } = yield* Bearer
          const switches = yield* emulator.switches
          if (!bearerMiddleware.accountMatches(emulator, switches, request.headers)(clientId))
            return yield* bearerMiddleware.wrongAccount
          return { code: "00", description: "Success", data: { amount: "250000.00", currency: "NGN" } }
        }),
      { uninterruptible: true }
    )
  )
)
