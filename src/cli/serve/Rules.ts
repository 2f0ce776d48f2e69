/** Paths that every server reads in the same way, and the rules that say which of them a caller may use. */
import * as Either from "effect/Either"
import type { Refusal } from "./OwnResponse.js"

interface BadPath extends Refusal {
  readonly problem: string
}

const badPath = (problem: string): Either.Either<never, BadPath> =>
  Either.left({ status: 400, tag: "InvalidRequest", description: `The path ${problem}.`, problem })

/** The path as it is checked and sent, and the query with its question mark. */
export interface Target {
  readonly path: string
  readonly query: string
}

/** A path without an escape, which is its own normal form if it has no dot segment. */
const isPlain = /^(?:\/[\w~-][\w.~!$&'()*+,=:@-]*)+\/?$/

const segments = /^(?:\/(?:[\w.~!$&'()*+,=:@-]|%[\dA-F]{2})*)+$/

/** What a server may take for a separator after decoding: `/ \ ; ? # %` and control characters. */
const ambiguous = /%(?:2F|5C|3B|3F|23|25|[01][\dA-F]|7F)/

/**
 * The normal form of a request target: unreserved characters are decoded, other escapes are upper case (RFC 3986 section
 * 6.2.2). Refused is whatever two servers may read in two ways: absolute URLs, dot segments, empty segments, backslashes,
 * path parameters (`;`), escaped separators, double escapes and invalid UTF-8, in every spelling.
 */
export const normalise = (target: string): Either.Either<Target, BadPath> => {
  if (!target.startsWith("/")) return badPath("must begin with a slash: absolute URLs are not passed on")
  const mark = target.indexOf("?")
  const given = mark < 0 ? target : target.slice(0, mark)
  const query = mark < 0 ? "" : target.slice(mark)
  if (query.includes("#") || given.includes("#")) return badPath("must not have a fragment")
  if (isPlain.test(given)) return Either.right({ path: given, query })
  const path = given.replace(/%[\da-f]{2}/gi, (escape) => {
    const letter = String.fromCharCode(Number.parseInt(escape.slice(1), 16))
    return /[\w.~-]/.test(letter) ? letter : escape.toUpperCase()
  })
  if (ambiguous.test(path)) return badPath("has an escaped separator or control character")
  if (!segments.test(path)) return badPath("has a character that has to be percent-encoded")
  if (path.includes("//")) return badPath("has an empty segment")
  if (/\/\.\.?(?:\/|$)/.test(path)) return badPath("has a dot segment")
  return isUtf8(path) ? Either.right({ path, query }) : badPath("is not UTF-8")
}

const isUtf8 = (path: string): boolean => {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

/**
 * The token operations, which the proxy does itself: a caller's own would end the session of all others, and their responses
 * are tokens. Some servers drop a dot or a space at the end of a segment.
 */
export const isTokenOperation = (path: string): boolean => /^\/(?:v\d+\/)?auth(?![\w-])/i.test(path)

/** Methods of Nomba's API. TRACE echoes credentials, and OPTIONS and CONNECT have no meaning here. */
export const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])

/** What `--allow` permits. */
export interface Rule {
  readonly text: string
  readonly allows: (method: string, path: string) => boolean
}

/**
 * Reads a rule such as `GET /v1/accounts/**`, otherwise says what is wrong with it. Methods are separated by commas, or `*`;
 * GET includes HEAD. In the path `*` is one segment, and `**` at the end is any number of segments, none included.
 */
export const parseRule = (text: string): Either.Either<Rule, string> => {
  const [, methods = "", pattern = ""] = /^\s*(\S+)\s+(\S+)\s*$/.exec(text) ?? []
  const known = methods.split(",")
  const wrong = known.find((method) => method !== "*" && !METHODS.has(method))
  if (pattern === "" || wrong !== undefined) {
    return Either.left(
      `must be METHOD /path, such as "GET /v1/accounts/**", with methods of ${[...METHODS].join(", ")}`
    )
  }
  const normal = normalise(pattern)
  if (Either.isLeft(normal)) return Either.left(`the path ${normal.left.problem}`)
  if (normal.right.query !== "") return Either.left("cannot check a query: end the path before the ?")
  const parts = normal.right.path.split("/").slice(1)
  const isOpen = parts.at(-1) === "**"
  const fixed = isOpen ? parts.slice(0, -1) : parts
  if (fixed.some((part) => part.includes("*") && part !== "*")) {
    return Either.left("may have * in place of a whole segment, and ** as the last one only")
  }
  return Either.right({
    text: `${methods} ${normal.right.path}`,
    allows: (method, path) => {
      if (!known.includes("*") && !known.includes(method) && !(method === "HEAD" && known.includes("GET"))) return false
      const given = path.split("/").slice(1)
      if (isOpen ? given.length < fixed.length : given.length !== fixed.length) return false
      return fixed.every((part, index) => (part === "*" ? given[index] !== "" : part === given[index]))
    }
  })
}

/** Whether a list of rules permits a request; no list permits all. */
export const permits = (rules: ReadonlyArray<Rule> | undefined, method: string, path: string): boolean =>
  rules === undefined || rules.some(({ allows }) => allows(method, path))
