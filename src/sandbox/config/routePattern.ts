/** Paths with `{name}` for one segment and a final `*` for the rest. */

export interface Route {
  /** `*` is any. */
  readonly method: string
  readonly path: string
}

const written = /^(\*|[A-Z]{1,16}) (\/[^\s?#]*)$/

/** Reads `POST /v2/transfers/bank`. */
export const parseRoute = (text: string): Route | undefined => {
  const [, method, path] = written.exec(text) ?? []
  return method === undefined || path === undefined ? undefined : { method, path }
}

const named = /^\{([\w-]+)\}$/

/** Whether a request can match the path: anything else with a brace or a star is a slip. */
export const isPattern = (path: string): boolean =>
  path
    .split("/")
    .every(
      (part, index, { length }) => named.test(part) || !/[{}*]/.test(part) || (part === "*" && index === length - 1)
    )

const decoded = (segment: string): string => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

/** The named segments of a path that the pattern matches. */
export const matchPath = (pattern: string, path: string): Readonly<Record<string, string>> | undefined => {
  const wanted = pattern.split("/")
  const given = path.split("/")
  const open = wanted.at(-1) === "*"
  if (open ? given.length < wanted.length : given.length !== wanted.length) return undefined
  const names: Array<[string, string]> = []
  for (const [index, part] of (open ? wanted.slice(0, -1) : wanted).entries()) {
    const segment = given[index] ?? ""
    const name = named.exec(part)?.[1]
    if (name === undefined ? part !== segment && decoded(part) !== decoded(segment) : segment === "") return undefined
    if (name !== undefined) names.push([name, decoded(segment)])
  }
  return Object.fromEntries(names)
}

export const matchesRoute = (target: string, method: string, path: string): boolean => {
  const route = parseRoute(target)
  return (
    route !== undefined &&
    (route.method === "*" || route.method === method) &&
    matchPath(route.path, path) !== undefined
  )
}
