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
 * Addresses a request and puts the token and the account id on it.
 *
 * @since 0.1.0
 * @category models
 */
export type Authorize = (
  request: HttpClientRequest.HttpClientRequest,
  url: string,
  token: Redacted.Redacted<string>
) => Either.Either<HttpClientRequest.HttpClientRequest, UnexpectedResponse>

/**
 * An account id that the request names itself stays. What one token adds is kept for the next request, which is likely to
 * carry the same token.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (accountId: Option.Option<string>): Authorize => {
  const account = Option.match(accountId, { onNone: () => ({}), onSome: (accountid) => ({ accountid }) })
  const prepare = (token: Redacted.Redacted<string>) =>
    Either.map(bearer(token), (authorization) => ({
      headers: { authorization },
      plain: HttpClientRequest.get("", { headers: { ...account, authorization } })
    }))
  let last: { readonly token: unknown; readonly prepared: ReturnType<typeof prepare> } | undefined
  return (request, url, token) => {
    if (last?.token !== token) last = { token, prepared: prepare(token) }
    return Either.map(last.prepared, ({ headers, plain }) =>
      isPlain(request)
        ? HttpClientRequest.setUrl(HttpClientRequest.setMethod(plain, request.method), url)
        : HttpClientRequest.setHeaders(
            HttpClientRequest.setUrl(request, url),
            Headers.has(request.headers, "accountid") ? headers : plain.headers
          )
    )
  }
}

/** Nothing but a method and a URL, as most are. Headers are not copied for it, which takes longer than all the rest. */
const isPlain = (request: HttpClientRequest.HttpClientRequest): boolean =>
  request.headers === Headers.empty &&
  request.body._tag === "Empty" &&
  request.urlParams.length === 0 &&
  Option.isNone(request.hash)

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
