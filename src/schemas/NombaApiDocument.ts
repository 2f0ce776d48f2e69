/** What stands between the document that platform makes of `NombaApi` and the one that Nomba publishes. */
import type * as OpenApi from "@effect/platform/OpenApi"
import * as Predicate from "effect/Predicate"

/** The description of every 400. It is written over the one of platform's decode error, which comes first in each. */
export const malformed = "A member is missing, of the wrong type, or not one of the values allowed."

const isDecodeError = (node: unknown): boolean =>
  Predicate.hasProperty(node, "$ref") && node.$ref === "#/components/schemas/HttpApiDecodeError"

const isNoise = ([key, value]: [string, unknown]): boolean =>
  key === "additionalProperties" ||
  (["parameters", "required", "security"].includes(key) && Array.isArray(value) && value.length === 0)

const tidy = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.filter((item) => !isDecodeError(item)).map(tidy)
  if (!Predicate.isRecord(node)) return node
  const tidied = Object.fromEntries(
    Object.entries(node)
      .filter((member) => !isNoise(member))
      .map(([key, value]) => [key, tidy(value)])
  )
  const { anyOf } = tidied
  return Array.isArray(anyOf) && anyOf.length === 1 ? anyOf[0] : tidied
}

/**
 * What `NombaApi` does to its document: platform's decode error leaves every 400, and with it the two schemas it needs;
 * `additionalProperties` and empty lists go; the contact, the terms, the licence of this document and the external page come. An
 * operation without a bearer says so with an empty `security`, which linters ask for.
 */
export const withoutPlatformExtras = (document: Record<string, unknown>): Record<string, unknown> => {
  const { openapi, info, servers, tags, paths, components } = tidy(document) as OpenApi.OpenAPISpec
  const { ErrorResponse, SuccessResponse, TokenResponse } = components.schemas
  for (const { post } of Object.values(paths)) {
    Object.assign(post?.responses[400] ?? {}, { description: malformed })
    if (post !== undefined) post.security ??= []
  }
  return {
    openapi,
    info: {
      ...info,
      contact: { name: "Nomba Developer Support", url: "https://developer.nomba.com" },
      termsOfService: "https://nomba.com/terms",
      license: { name: "MIT", identifier: "MIT" }
    },
    externalDocs: {
      description: "Nomba's own page on authentication",
      url: "https://developer.nomba.com/nomba-api-reference/authenticate/obtain-access-token"
    },
    servers,
    tags,
    paths,
    components: {
      securitySchemes: components.securitySchemes,
      schemas: { TokenResponse, SuccessResponse, ErrorResponse }
    }
  }
}
