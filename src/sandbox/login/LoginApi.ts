/** The authorization endpoint. Nomba's description has none: PKCE is not available yet. */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"

export const path = "/v1/auth/authorize"

const Html = Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/html" }))

const ask = HttpApiEndpoint.get("ask", path)
  .addSuccess(Html)
  .annotateContext(
    OpenApi.annotations({
      summary: "Show the login page",
      description: "Takes the parameters of RFC 6749 section 4.1.1 and RFC 7636 section 4.3, and shows a form."
    })
  )

const answer = HttpApiEndpoint.post("answer", path)
  .addSuccess(HttpApiSchema.Empty(303))
  .annotateContext(
    OpenApi.annotations({
      summary: "Approve or deny",
      description: "The form of that page. Redirects to the client's redirect URI with a code or `access_denied`."
    })
  )

export class LoginApi extends HttpApi.make("authorize").add(
  HttpApiGroup.make("Authorize", { topLevel: true }).add(ask).add(answer)
) {}
