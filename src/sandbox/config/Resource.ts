/** Responses that a user adds to the sandbox. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { body, HttpHeaders, Status } from "./Fault.js"
import { isPattern } from "./routePattern.js"
import { SandboxError } from "./SandboxError.js"
import { mustBe, validationMessages } from "./validationMessages.js"

/**
 * A response to calls of one method and path, for a valid bearer token.
 *
 * ```ts
 * import { startSandbox } from "nomba-auth/sandbox"
 *
 * const sandbox = await startSandbox({
 *   resources: [
 *     {
 *       method: "GET",
 *       path: "/v1/terminals/{id}",
 *       body: { code: "00", description: "Success", data: { id: "{{path.id}}", status: "ACTIVE" } }
 *     }
 *   ]
 * })
 * ```
 *
 * @since 0.1.0
 * @category models
 */
export interface Resource {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE"
  /** Under `/v1/` or `/v2/`. `{name}` stands for one segment, a final `*` for the rest. */
  readonly path: string
  /** 200 to 599. Default: 200. */
  readonly status?: number | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
  /**
   * Sent as JSON, text as it is. Default: the envelope of a success without data. In a text, `{{path.name}}`,
   * `{{query.name}}`, `{{body.member.member}}`, `{{uuid}}`, `{{now}}` and `{{accountId}}` are replaced; a text that is one
   * placeholder becomes the value itself. `{{body.reference ?? uuid}}` takes the first that is there.
   */
  readonly body?: unknown
}

/** How a resource is given, in code, in a file and over HTTP. */
export const Resource: Schema.Schema<Resource> = Schema.Struct({
  method: Schema.Literal("GET", "POST", "PUT", "PATCH", "DELETE").annotations({
    description: "The method.",
    ...mustBe("one of GET, POST, PUT, PATCH, DELETE")
  }),
  path: Schema.String.pipe(
    Schema.filter(
      (path) =>
        path.length <= 256 && /^\/v[12]\/[^\s?#]+$/.test(path) && !path.startsWith("/v1/auth/") && isPattern(path)
    )
  ).annotations({
    description: "The path. `{name}` stands for one segment, a final `*` for the rest.",
    ...mustBe(
      "a path under /v1/ or /v2/ without a query, and not under /v1/auth/; {name} stands for a whole segment, and * only at the end"
    )
  }),
  status: Schema.optional(
    Status.annotations({ description: "Default: 200.", ...mustBe("a whole number from 200 to 599") })
  ),
  headers: Schema.optional(
    HttpHeaders.annotations(mustBe("headers that HTTP allows, without content-length, trailer and transfer-encoding"))
  ),
  body: Schema.optional(body("Text is sent as it is, anything else as JSON. Placeholders are replaced."))
}).annotations({ identifier: "Resource", description: "A response to calls of one method and path." })

const decode = Schema.decodeUnknownEither(Resource, { errors: "all", onExcessProperty: "error" })

export const resourceIssues = (resource: unknown, name: string): ReadonlyArray<string> => {
  const decoded = decode(resource)
  if (decoded._tag === "Right") return []
  return validationMessages(decoded.left.issue, "").map((message) =>
    message.startsWith(":") ? `${name}${message}` : `${name}.${message}`
  )
}

export const checkResource = (resource: unknown): Effect.Effect<Resource, SandboxError> =>
  Effect.mapError(
    decode(resource),
    ({ issue }) => new SandboxError({ reason: "Resource", issues: validationMessages(issue, "resource") })
  )
