/** Responses from the examples of an OpenAPI document, for `--openapi`. */
import * as Predicate from "effect/Predicate"
import { sample } from "openapi-sampler"
import { parse } from "yaml"
import type { Resource } from "../sandbox/config/Resource.js"
import { builtIn } from "../sandbox/resources/builtIn.js"

type Node = Readonly<Record<string, unknown>>

const record = (node: unknown): Node => (Predicate.isRecord(node) ? node : {})

/** Follows a reference within the document. */
const resolve = (document: Node, node: unknown, depth = 0): Node => {
  const reference = record(node)["$ref"]
  if (typeof reference !== "string" || !reference.startsWith("#/") || depth > 16) return record(node)
  const target = reference
    .slice(2)
    .split("/")
    .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>((inner, part) => record(inner)[part], document)
  return resolve(document, target, depth + 1)
}

const exampleOf = (document: Node, response: Node): unknown => {
  const media = record(record(response["content"])["application/json"])
  if (media["example"] !== undefined) return media["example"]
  const [first] = Object.values(record(media["examples"]))
  const example = resolve(document, first)["value"]
  if (example !== undefined) return example
  return media["schema"] === undefined ? undefined : sample(media["schema"] as never, {}, document)
}

/** The first success of an operation. */
const successOf = (document: Node, operation: Node): { readonly status: number; readonly body: unknown } => {
  const responses = Object.entries(record(operation["responses"]))
  const [code = "200", response] =
    responses.find(([name]) => /^2(\d\d|XX)$/i.test(name)) ?? responses.find(([name]) => name === "default") ?? []
  const status = /^\d+$/.test(code) ? Number(code) : 200
  return { status, body: exampleOf(document, resolve(document, response)) }
}

/** The path before those of the document, from its first server. */
const basePath = (document: Node): string => {
  const [server] = Array.isArray(document["servers"]) ? document["servers"] : []
  const url = record(server)["url"]
  if (typeof url !== "string") return ""
  const path = URL.canParse(url) ? new URL(url).pathname : url
  return path.replace(/\/$/, "")
}

const shape = (path: string): string => path.replace(/\{[^}]*\}/g, "{}")

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const

/**
 * A response for every operation under `/v1/` and `/v2/` that is neither a token operation nor built in. Throws if the text
 * is neither JSON nor YAML.
 */
export const openApiResources = (text: string): ReadonlyArray<Resource> => {
  const document = record(parse(text))
  const base = basePath(document)
  const taken = new Set(builtIn.flatMap(({ method, paths }) => paths.map((path) => `${method} ${shape(path)}`)))
  return Object.entries(record(document["paths"])).flatMap(([template, item]) => {
    const own = template.replace(/\{[^}]*\}/g, (name) => `{${name.replace(/\W/g, "")}}`)
    const path = /^\/v[12]\//.test(own) ? own : `${base}${own}`
    if (!/^\/v[12]\/[^\s?#]+$/.test(path) || path.startsWith("/v1/auth/")) return []
    return methods.flatMap((method): ReadonlyArray<Resource> => {
      const operation = resolve(document, item)[method.toLowerCase()]
      if (!Predicate.isRecord(operation) || taken.has(`${method} ${shape(path)}`)) return []
      const { body, status } = successOf(document, operation)
      return [{ method, path, status, ...(body === undefined ? {} : { body }) }]
    })
  })
}
