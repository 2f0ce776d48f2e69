/**
 * Where a person logs in. An API of its own, because Nomba's description has no such thing: its pages name PKCE as not
 * yet available.
 */
import * as HttpApi from "@effect/platform/HttpApi"
import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"

/** Where the page is. */
export const path = "/v1/auth/authorize"

const Html = Schema.String.pipe(HttpApiSchema.withEncoding({ kind: "Text", contentType: "text/html" }))

const ask = HttpApiEndpoint.get("ask", path)
  .addSuccess(Html)
  .annotateContext(
    OpenApi.annotations({
      summary: "Ask a person",
      description: "Takes the parameters of RFC 6749 section 4.1.1 and RFC 7636 section 4.3, and shows a form."
    })
  )

const answer = HttpApiEndpoint.post("answer", path)
  .addSuccess(HttpApiSchema.Empty(303))
  .annotateContext(
    OpenApi.annotations({
      summary: "A person's answer",
      description: "The form of that page. Goes to the client's redirect URI with a code, or with `access_denied`."
    })
  )

/** The authorization endpoint. */
export class LoginApi extends HttpApi.make("authorize").add(
  HttpApiGroup.make("Authorize", { topLevel: true }).add(ask).add(answer)
) {}
