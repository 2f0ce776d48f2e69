import { assert, describe, it } from "@effect/vitest"

/** In the place of tests whose program is missing. On CI that is a failure. */
export const skipWithout = (missing: string, name: string): void => {
  describe(name, () => {
    if (process.env["CI"] === "true") it(missing, () => assert.fail(missing))
    else it.skip(missing)
  })
}
