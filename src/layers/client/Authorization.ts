/**
 * The headers that a request to Nomba carries.
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { UnexpectedResponse } from "../../schemas/AuthError.js"
import { isHeaderSafe } from "../../schemas/Secrets.js"

/**
 * Puts the token and the account id on a request.
 *
 * @since 0.1.0
 * @category models
 */
export type Authorize = (
  request: HttpClientRequest.HttpClientRequest,
  token: Redacted.Redacted<string>
) => Either.Either<HttpClientRequest.HttpClientRequest, UnexpectedResponse>

/**
 * An account id that the request names itself stays. The header of the last token is kept, because one token serves many
 * requests.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (accountId: Option.Option<string>): Authorize => {
  const account = Option.match(accountId, { onNone: () => ({}), onSome: (accountid) => ({ accountid }) })
  let held: readonly [Redacted.Redacted<string>, Either.Either<string, UnexpectedResponse>] | undefined
  return (request, token) => {
    if (held?.[0] !== token) held = [token, bearer(token)]
    const authorization = held[1]
    if (Either.isLeft(authorization)) return Either.left(authorization.left)
    const headers = { authorization: authorization.right }
    return Either.right(
      HttpClientRequest.setHeaders(
        request,
        Headers.has(request.headers, "accountid") ? headers : { ...account, ...headers }
      )
    )
  }
}

const bearer = (token: Redacted.Redacted<string>): Either.Either<string, UnexpectedResponse> => {
  const value = Redacted.value(token)
  return isHeaderSafe(value)
    ? Either.right(`Bearer ${value}`)
    : Either.left(
        new UnexpectedResponse({
          operation: "request",
          reason: "NoUsableToken",
          issues: ["access token: has characters that a header cannot carry"]
        })
      )
}
