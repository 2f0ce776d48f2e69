/**
 * Chai compares what it can enumerate. It takes a `Some` and a `None` for equal, because both have one and the same way to
 * be iterated, and any two `Redacted`, because what they hold is held elsewhere. Loaded before every file of tests.
 */
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { chai } from "vitest"

type Compare = (expected: unknown, actual: unknown, options: { comparator: typeof comparator }) => boolean

let compare: Compare = () => false

/** Says whether two values are equal; null where Chai knows best, which asks again for what they hold. */
const comparator = (one: unknown, other: unknown): boolean | null => {
  if (Option.isOption(one) && Option.isOption(other) && one._tag !== other._tag) return false
  if (Redacted.isRedacted(one) && Redacted.isRedacted(other)) {
    return compare(Redacted.value(one), Redacted.value(other), { comparator })
  }
  return null
}

chai.use((chai, utils) => {
  compare = utils.eql as unknown as Compare
  chai.config.deepEqual = (expected, actual) => compare(expected, actual, { comparator })
})
