/**
 * Standard Schema version 1 (https://standardschema.dev): the interface that Zod, Valibot, ArkType and
 * `Schema.standardSchemaV1` of Effect share.
 *
 * @since 0.1.0
 */
import * as Predicate from "effect/Predicate"

/**
 * A schema of any library that implements Standard Schema.
 *
 * @since 0.1.0
 * @category models
 */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/**
 * The value, or what is wrong with it.
 *
 * @since 0.1.0
 * @category models
 */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: ReadonlyArray<StandardIssue> }

/**
 * What is wrong with one value, by the Standard Schema specification.
 *
 * @since 0.1.0
 * @category models
 */
export interface StandardIssue {
  readonly message: string
  readonly path?: ReadonlyArray<PropertyKey | { readonly key: PropertyKey }> | undefined
}

/**
 * Whether a schema can be used. It is asked before the request is sent: a transfer must not fail after Nomba carried it out.
 *
 * @internal
 */
export const isStandardSchema = (schema: unknown): boolean =>
  Predicate.hasProperty(schema, "~standard") &&
  Predicate.hasProperty(schema["~standard"], "validate") &&
  Predicate.isFunction(schema["~standard"].validate)

/**
 * Where the data does not fit: `data.amount: missing`. The schema's own messages are left out, because they quote values,
 * and so is a key that is not a plain name.
 *
 * @internal
 */
export const pathsOf = (issues: ReadonlyArray<StandardIssue>, data: unknown): ReadonlyArray<string> => [
  ...new Set(
    issues.slice(0, 20).map(({ path = [] }) => {
      const keys = path.map((step) => (typeof step === "object" ? step.key : step))
      const steps = keys.map((key) =>
        typeof key === "number" || /^[a-z_]\w{0,39}$/i.test(String(key)) ? String(key) : "*"
      )
      const isMissing = keys.reduce<unknown>((value, key) => property(value, key), data) === undefined
      return `${["data", ...steps].join(".")}: ${isMissing ? "missing" : "invalid"}`
    })
  )
]

const property = (value: unknown, key: PropertyKey): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key)
    ? (value as Record<PropertyKey, unknown>)[key]
    : undefined
