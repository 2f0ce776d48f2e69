/**
 * What stands between the document that platform makes of `ControlApi` and what is served: platform adds its own decode
 * error to every 400, which the sandbox never answers.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"

const platforms: ReadonlyArray<string> = ["HttpApiDecodeError", "Issue", "PropertyKey"]

const isPlatforms = (node: unknown): boolean =>
  Predicate.hasProperty(node, "$ref") && node.$ref === "#/components/schemas/HttpApiDecodeError"

/** A response that is nothing but platform's decode error. */
const isDecodeError = (node: unknown): boolean =>
  Predicate.hasProperty(node, "content") &&
  Predicate.hasProperty(node.content, "application/json") &&
  Predicate.hasProperty(node.content["application/json"], "schema") &&
  isPlatforms(node.content["application/json"].schema)

const isRepeated = (node: unknown, index: number, nodes: ReadonlyArray<unknown>): boolean =>
  nodes.findIndex((other) => JSON.stringify(other) === JSON.stringify(node)) < index

/** The document without platform's decode error, and without an alternative that is there twice. */
export const withoutDecodeError = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(withoutDecodeError)
  if (!Predicate.isRecord(node)) return node
  const { anyOf, ...rest } = Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => !platforms.includes(key) && !isDecodeError(value))
      .map(([key, value]) => [key, withoutDecodeError(value)])
  )
  if (!Array.isArray(anyOf)) return rest
  const left = anyOf.filter((one, index) => !isPlatforms(one) && !isRepeated(one, index, anyOf))
  return left.length === 1 ? { ...rest, ...left[0] } : { ...rest, anyOf: left }
}
