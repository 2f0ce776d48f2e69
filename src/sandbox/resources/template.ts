/** Placeholders such as `{{path.id}}` and `{{body.reference ?? uuid}}` in JSON. */
import * as Predicate from "effect/Predicate"

/** The values that placeholders name. A function gives a new value for each placeholder. */
export type Scope = Readonly<Record<string, unknown>>

/** The member at a dotted path; `undefined` if it is not there. Never a member of a prototype. */
export const member = (value: unknown, path: string): unknown =>
  path
    .split(".")
    .reduce<unknown>(
      (inner, name) =>
        typeof inner === "object" && inner !== null && Object.hasOwn(inner, name)
          ? (inner as Readonly<Record<string, unknown>>)[name]
          : undefined,
      value
    )

const money = /^money (\S+)$/

const valueOf = (name: string, scope: Scope): unknown => {
  const amount = money.exec(name)?.[1]
  if (amount !== undefined) return Number(member(scope, amount)).toFixed(2)
  const value = member(scope, name)
  return typeof value === "function" ? value() : value
}

const evaluate = (expression: string, scope: Scope): unknown => {
  for (const alternative of expression.split("??")) {
    const value = valueOf(alternative.trim(), scope)
    if (value !== undefined && value !== null) return value
  }
  return undefined
}

const alone = /^\{\{([^{}]*)\}\}$/
const anywhere = /\{\{([^{}]*)\}\}/g

const asText = (value: unknown): string =>
  value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)

const fillText = (text: string, scope: Scope): unknown => {
  const expression = alone.exec(text)?.[1]
  return expression === undefined
    ? text.replace(anywhere, (_, inner: string) => asText(evaluate(inner, scope)))
    : evaluate(expression, scope)
}

/**
 * Replaces the placeholders. A text that is one placeholder becomes the value itself; a member whose value is missing is
 * left out.
 */
export const fill = (template: unknown, scope: Scope): unknown => {
  if (typeof template === "string") return fillText(template, scope)
  if (Array.isArray(template)) return template.map((item) => fill(item, scope) ?? null)
  // As JSON has it: a `Date`, for one.
  if (Predicate.hasProperty(template, "toJSON") && typeof template.toJSON === "function") {
    return fill(template.toJSON(), scope)
  }
  if (!Predicate.isRecord(template)) return template
  return Object.fromEntries(
    Object.entries(template).flatMap(([name, value]) => {
      const filled = fill(value, scope)
      return filled === undefined ? [] : [[name, filled]]
    })
  )
}
