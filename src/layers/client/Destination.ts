/**
 * Where a request may go: the configured base URL, and nowhere else.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { InvalidRequest } from "../../schemas/AuthError.js"

/**
 * Makes the function from the URL that a caller gave to the absolute one that is requested. A path begins with one slash
 * and is taken below the base's own path; an absolute URL must lie there already. Whatever `URL` would read as another
 * host or as a way out of the base's path is refused, in every spelling.
 *
 * @since 0.1.0
 */
export const make = (baseUrl: string): ((given: string) => Either.Either<string, InvalidRequest>) => {
  const { origin, pathname } = new URL(baseUrl)
  const prefix = pathname.replace(/\/$/, "")
  const base = origin + prefix

  const isBelowBase = (url: URL): boolean =>
    url.origin === origin && url.username === "" && url.password === "" && `${url.pathname}/`.startsWith(`${prefix}/`)

  const resolve = (given: string): Option.Option<URL> =>
    given.startsWith("/")
      ? Option.flatMap(
          Option.filter(parse(given, origin), (alone) => alone.origin === origin),
          () => parse(prefix + given, origin)
        )
      : parse(given)

  return (given) => {
    const path = given.startsWith(`${base}/`) ? given.slice(base.length) : given
    if (isPlain.test(path)) return Either.right(base + path)
    return Option.match(resolve(given), {
      onNone: () => refuse(base, isAbsolute.test(given) || given.startsWith("/") ? LEAVES : NO_SLASH),
      onSome: (url) => (isBelowBase(url) && isBelowBase(unescaped(url)) ? Either.right(url.href) : refuse(base, LEAVES))
    })
  }
}

/** A path, perhaps with a query, that `URL` leaves as it is: no dot segment, no escape, nothing that it rewrites. */
const isPlain = /^(?:\/[\w~-][\w.~:@!$&()*+,;=-]*)+\/?(?:\?[\w.~:@!$&()*+,;=/?-]*)?$/

const parse = Option.liftThrowable((url: string, base?: string): URL => new URL(url, base))

/** As a server reads it that takes escaped slashes for slashes. */
const unescaped = (url: URL): URL => new URL(url.origin + url.pathname.replace(/%2f|%5c/gi, "/"))

const isAbsolute = /^[a-z][a-z\d+.-]*:/i

const LEAVES = "its URL leaves the configured base URL"
const NO_SLASH = "its path does not begin with a slash"

const refuse = (base: string, problem: string): Either.Either<never, InvalidRequest> =>
  Either.left(
    new InvalidRequest({
      operation: "request",
      errors: [problem],
      hint: `Begin the path with one slash, or give an absolute URL below ${base}/.`
    })
  )
