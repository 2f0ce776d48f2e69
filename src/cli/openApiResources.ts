/** Responses from the examples of an OpenAPI document, for `--openapi`. */
import * as Predicate from "effect/Predicate"
import { sample } from "openapi-sampler"
import { parse } from "yaml"
import type { Resource } from "../sandbox/config/Resource.js"
import { isPattern } from "../sandbox/config/routePattern.js"

type Node = Readonly<Record<string, unknown>>

const record = (node: unknown): Node => (Predicate.isRecord(node) ? node : {})

const DEEPEST = 16

/** Follows a reference within the document. */
const resolve = (document: Node, node: unknown, depth = 0): Node => {
  const reference = record(node)["$ref"]
  if (typeof reference !== "string") return record(node)
  const target = reference.startsWith("#/")
    ? reference
        .slice(2)
        .split("/")
        .map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"))
        .reduce<unknown>((inner, part) => record(inner)[part], document)
    : undefined
  if (target === undefined || depth > DEEPEST) throw new Error(`the reference ${reference} leads to nothing`)
  return resolve(document, target, depth + 1)
}

/** The media types that JSON is sent as, the likeliest first. */
const MEDIA_TYPES = [/^application\/json$/, /^application\/([\w.-]+\+)?json\b/, /^(application|\*)\/\*/]

const mediaOf = (response: Node): Node => {
  const content = Object.entries(record(response["content"]))
  const [found] = MEDIA_TYPES.flatMap((type) => content.filter(([name]) => type.test(name.toLowerCase())))
  if (found === undefined && content.length > 0) throw new Error("its response is not JSON")
  return record(found?.[1])
}

const exampleOf = (document: Node, response: Node): unknown => {
  const media = mediaOf(response)
  if (media["example"] !== undefined) return media["example"]
  const [first] = Object.values(record(media["examples"]))
  const example = resolve(document, first)["value"]
  if (example !== undefined) return example
  return media["schema"] === undefined ? undefined : sample(media["schema"] as never, { skipWriteOnly: true }, document)
}

const successOf = (document: Node, operation: Node): { readonly status: number; readonly body: unknown } => {
  const responses = Object.entries(record(operation["responses"]))
  const [code, response] =
    responses.find(([name]) => /^2(\d\d|XX)$/i.test(name)) ?? responses.find(([name]) => name === "default") ?? []
  if (code === undefined) throw new Error("it has no response for a success")
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

const METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"] as const

export interface OpenApiResources {
  readonly examples: ReadonlyArray<Resource>
  /** What cannot be answered, and why. */
  readonly leftOut: ReadonlyArray<string>
}

/**
 * A response for every operation under `/v1/` and `/v2/` that is not a token operation. Throws if the text is neither JSON
 * nor YAML.
 */
export const openApiResources = (text: string): OpenApiResources => {
  const document = record(parse(text))
  const base = basePath(document)
  const leftOut: Array<string> = []
  const outside: Array<string> = []
  const example = (method: Resource["method"], path: string, operation: Node): ReadonlyArray<Resource> => {
    try {
      const { body, status } = successOf(document, operation)
      return [{ method, path, status, ...(body === undefined ? {} : { body }) }]
    } catch (error) {
      leftOut.push(`${method} ${path}: ${error instanceof Error ? error.message : "has no example"}`)
      return []
    }
  }
  const examples = Object.entries(record(document["paths"])).flatMap(([template, item]) => {
    const path = /^\/v[12]\//.test(template) ? template : `${base}${template}`
    if (path.startsWith("/v1/auth/")) return []
    if (!/^\/v[12]\/[^\s?#]+$/.test(path)) {
      outside.push(path)
      return []
    }
    const own = path.replace(/\{[^{}]*\}/g, (name) => `{${name.replace(/[^\w-]/g, "")}}`)
    if (!isPattern(own)) {
      leftOut.push(`${path}: has a {name} that is not a whole segment`)
      return []
    }
    return METHODS.flatMap((method): ReadonlyArray<Resource> => {
      const operation = resolve(document, item)[method.toLowerCase()]
      return Predicate.isRecord(operation) ? example(method, own, operation) : []
    })
  })
  if (outside.length > 0) {
    const more = outside.length > 3 ? ` and ${outside.length - 3} more` : ""
    leftOut.push(`paths outside /v1/ and /v2/: ${outside.slice(0, 3).join(", ")}${more}`)
  }
  return { examples, leftOut }
}
