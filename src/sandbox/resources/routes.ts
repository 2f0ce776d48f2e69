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

/** All routes in the order in which they are tried: those of the user first, exact paths before patterns. */
export const listed = (own: ReadonlyArray<Resource>, withBuiltIn: boolean): ReadonlyArray<Listed> => {
  const exactFirst = (routes: ReadonlyArray<Listed>) =>
    [...routes].sort((one, other) => one.path.split(/[{*]/).length - other.path.split(/[{*]/).length)
  return [
    ...exactFirst(own.map((resource) => ({ ...resource, definition: { own: resource } }))),
    ...(withBuiltIn ? builtInRoutes : [])
  ]
}

const builtInRoutes: ReadonlyArray<Listed> = builtIn
  .flatMap((resource) =>
    resource.paths.map((path) => ({ method: resource.method, path, definition: { builtIn: resource } }))
  )
  .sort((one, other) => one.path.split("{").length - other.path.split("{").length)

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
