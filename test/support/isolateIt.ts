/**
 * `it.layer` of @effect/vitest puts the methods of its layer on the one `it` of all files that share a worker. Each file
 * leaves it as it was; loaded before every one of them.
 */
import { it } from "@effect/vitest"
import { afterAll } from "vitest"

const { effect, flakyTest, layer, prop, scoped } = it

afterAll(() => {
  Object.assign(it, { effect, flakyTest, layer, prop, scoped })
})
