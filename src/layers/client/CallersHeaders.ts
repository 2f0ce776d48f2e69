/**
 * The headers that a caller's request brings.
 *
 * @since 0.1.0
 */
import * as Headers from "@effect/platform/Headers"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as Either from "effect/Either"
import { InvalidRequest } from "../../schemas/AuthError.js"

/**
 * The request, unless a client would refuse to send one of its headers, without a word of which.
 *
 * @since 0.1.0
 */
export const check = (
  request: HttpClientRequest.HttpClientRequest
): Either.Either<HttpClientRequest.HttpClientRequest, InvalidRequest> => {
  if (request.headers === Headers.empty) return Either.right(request)
  const errors = Object.entries(request.headers)
    .filter(([, value]) => !isFieldValue.test(value))
    .map(([name]) => `header ${name}: has characters that a header cannot carry`)
  return errors.length === 0 ? Either.right(request) : Either.left(new InvalidRequest({ operation: "request", errors }))
}

/** RFC 9110 section 5.5, read as Latin-1. */
const isFieldValue = /^[\t\x20-\x7e\x80-\xff]*$/
