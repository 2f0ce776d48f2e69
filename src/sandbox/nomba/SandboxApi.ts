/** Everything the sandbox serves: the contract, and a resource behind the bearer token to try the token on. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { Authentication, BearerAuth } from "../../schemas/NombaApi.js"
import type { Endpoint } from "../config/endpoints.js"
import * as httpApiRoutes from "../http/httpApiRoutes.js"
import { ReadJson } from "../http/JsonBody.js"

const getBalance = HttpApiEndpoint.get("getBalance", "/v1/accounts/balance")
  .addSuccess(
    Schema.Struct({
      code: Schema.String,
      description: Schema.String,
      data: Schema.Struct({ amount: Schema.String, currency: Schema.String })
    })
  )
  .middleware(BearerAuth)
  .annotateContext(
    OpenApi.annotations({ summary: "Read the balance", description: "A made-up amount, for a live bearer token." })
  )

/**
 * A resource that asks for a bearer token. It is not part of `NombaApi`; derive a client from it to try one:
 * `HttpApiClient.makeWith(AccountsApi, { httpClient: yield* NombaClient })`.
 *
 * @since 0.1.0
 * @category contract
 */
export class AccountsApi extends HttpApi.make("accounts").add(
  HttpApiGroup.make("Accounts", { topLevel: true }).add(getBalance)
) {}

/** Both, as they are served. */
export class SandboxApi extends HttpApi.make("sandbox")
  .add(Authentication.middleware(ReadJson))
  .addHttpApi(AccountsApi) {}

const names: Readonly<Record<string, Endpoint>> = {
  obtainAccessToken: "issue",
  refreshAccessToken: "refresh",
  revokeAccessToken: "revoke",
  getBalance: "balance"
}

/** Which operation an endpoint of the API is. */
export const endpointOf = (name: string): Endpoint | "other" => names[name] ?? "other"

/** What is served where. */
export const routes: httpApiRoutes.Routes = httpApiRoutes.routesOf(SandboxApi)
