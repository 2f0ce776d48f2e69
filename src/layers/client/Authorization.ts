/**
 * The headers that a request to Nomba carries.
 */
import * as Headers from "@effect/platform/Headers"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { UnexpectedResponse } from "../../schemas/AuthError.js"
import { isHeaderSafe } from "../../schemas/Secrets.js"
import * as HiddenRequest from "../http/HiddenRequest.js"

/** Sets the absolute URL, the token and the account id. */
export type Authorize = (
  request: HttpClientRequest.HttpClientRequest,
  url: string,
  token: Redacted.Redacted<string>
) => Either.Either<HttpClientRequest.HttpClientRequest, UnexpectedResponse>

/**
 * An account id that the request brings itself stays. The headers of one token are kept for the next request, which is
 * likely to carry the same token.
 */
export const make = (accountId: Option.Option<string>): Authorize => {
  const account = Option.match(accountId, { onNone: () => ({}), onSome: (accountid) => ({ accountid }) })
  const prepare = (token: Redacted.Redacted<string>) =>
    Either.map(bearer(token), (authorization) => ({
      own: { authorization },
      all: Headers.fromInput({ ...account, authorization })
    }))
  let last: { readonly token: unknown; readonly prepared: ReturnType<typeof prepare> } | undefined
  return (request, url, token) => {
    if (last?.token !== token) last = { token, prepared: prepare(token) }
    return Either.map(last.prepared, ({ all, own }) => {
      if (request.headers === Headers.empty) return HiddenRequest.make(request, { url, headers: all })
      const added = Headers.has(request.headers, "accountid") ? own : all
      return HiddenRequest.make(request, { url, headers: Headers.setAll(request.headers, added) })
    })
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
