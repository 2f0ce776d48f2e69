/** Which resource a request is for. */
import type { Settings } from "../config/Options.js"
import type { Resource } from "../config/Resource.js"
import { matchPath } from "../config/routePattern.js"
import { type BuiltIn, builtIn } from "./builtIn.js"

export type Definition = { readonly own: Resource } | { readonly builtIn: BuiltIn } | { readonly example: Resource }

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

type Available = Pick<Settings, "builtInResources" | "examples">

const shapeOf = ({ method, path }: Listed): string => `${method} ${path.replace(/\{[^{}]*\}/g, "{}")}`

/** Those that are there from the start. A built-in one comes before an example for the same calls. */
export const provided = ({ builtInResources, examples }: Available): ReadonlyArray<Listed> => {
  if (examples.length === 0) return builtInResources ? builtInRoutes : []
  const answered = builtInResources ? builtInRoutes : []
  const shapes = new Set(answered.map(shapeOf))
  const others = examples.map((example) => ({ method: example.method, path: example.path, definition: { example } }))
  return exactFirst([...answered, ...others.filter((route) => !shapes.has(shapeOf(route)))])
}

/** All routes in the order in which they are tried: first those of the user. */
export const listed = (own: ReadonlyArray<Resource>, others: ReadonlyArray<Listed>): ReadonlyArray<Listed> => [
  ...exactFirst(
    own.map((resource) => ({ method: resource.method, path: resource.path, definition: { own: resource } }))
  ),
  ...others
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
    methods: [...new Set(there.flatMap((one) => (one.method === "GET" ? ["GET", "HEAD"] : [one.method])))],
    match: route === undefined ? undefined : { definition: route.definition, path: route.named }
  }
}
