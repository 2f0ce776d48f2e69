/** Which resource a request is for. */
import type { Resource } from "../config/Resource.js"
import { matchPath } from "../config/routePattern.js"
import { type BuiltIn, builtIn } from "./builtIn.js"

export type Definition = { readonly own: Resource } | { readonly builtIn: BuiltIn }

export interface Match {
  readonly definition: Definition
  /** The named segments of the path. */
  readonly path: Readonly<Record<string, string>>
}

interface Listed {
  readonly method: string
  readonly path: string
  readonly definition: Definition
}

/** Exact paths come before those with `{name}`, and these before those with a final `*`. */
const vagueness = (path: string): number => path.split("{").length + (path.endsWith("*") ? 100 : 0)

const exactFirst = (routes: ReadonlyArray<Listed>): ReadonlyArray<Listed> =>
  [...routes].sort((one, other) => vagueness(one.path) - vagueness(other.path))

const builtInRoutes = exactFirst(
  builtIn.flatMap((resource) =>
    resource.paths.map((path) => ({ method: resource.method, path, definition: { builtIn: resource } }))
  )
)

/** All routes in the order in which they are tried: first those of the user. */
export const listed = (own: ReadonlyArray<Resource>, withBuiltIn: boolean): ReadonlyArray<Listed> => [
  ...exactFirst(
    own.map((resource) => ({ method: resource.method, path: resource.path, definition: { own: resource } }))
  ),
  ...(withBuiltIn ? builtInRoutes : [])
]

/** The methods that a path has, and the resource for one of them. */
export const find = (
  routes: ReadonlyArray<Listed>,
  method: string,
  path: string
): { readonly methods: ReadonlyArray<string>; readonly match: Match | undefined } => {
  const there = routes.flatMap((route) => {
    const named = matchPath(route.path, path)
    return named === undefined ? [] : [{ ...route, named }]
  })
  const route = there.find((one) => one.method === method)
  return {
    methods: [...new Set(there.map((one) => one.method))],
    match: route === undefined ? undefined : { definition: route.definition, path: route.named }
  }
}
