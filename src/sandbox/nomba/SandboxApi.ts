/** The token operations as the sandbox serves them, and a contract of one resource for typed clients. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { Authentication, BearerAuth } from "../../schemas/NombaApi.js"
import type { Operation } from "../config/operations.js"
import * as httpApiRoutes from "../http/httpApiRoutes.js"
import { ReadJson } from "../http/JsonBody.js"

const getBalance = HttpApiEndpoint.get("getBalance", "/v1/accounts/balance")
  .addSuccess(
    Schema.Struct({
      code: Schema.String,
      description: Schema.String,
      data: Schema.Struct({ amount: Schema.String, currency: Schema.String, timeCreated: Schema.String })
    })
  )
  .middleware(BearerAuth)
  .annotateContext(
    OpenApi.annotations({ summary: "Read the balance", description: "A made-up amount, for a valid bearer token." })
  )

/**
 * A resource that needs a bearer token. It is not part of `NombaApi`. To try a token, derive a client from it:
 * `HttpApiClient.makeWith(AccountsApi, { httpClient: yield* NombaClient })`.
 *
 * @since 0.1.0
 * @category contract
 */
export class AccountsApi extends HttpApi.make("accounts").add(
  HttpApiGroup.make("Accounts", { topLevel: true }).add(getBalance)
) {}

export class SandboxApi extends HttpApi.make("sandbox").add(Authentication.middleware(ReadJson)) {}

const names: Readonly<Record<string, Operation>> = {
  obtainAccessToken: "issue",
  refreshAccessToken: "refresh",
  revokeAccessToken: "revoke"
}

export const operationOf = (endpoint: string): Operation => names[endpoint] ?? "resource"

export const routes: httpApiRoutes.Routes = httpApiRoutes.routesOf(SandboxApi)
