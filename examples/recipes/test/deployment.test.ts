import { readFileSync } from "node:fs"
import { Duration } from "effect"
import { assert, it } from "vitest"
import { parse } from "yaml"
import { RENEWAL_LIMIT } from "../../../src/layers/time.js"
import { folder } from "./program.js"

it("deployment.yaml gives a renewal its whole time after the wait before SIGTERM", () => {
  const { spec } = parse(readFileSync(`${folder}deployment.yaml`, "utf8")).spec.template
  const [, wait] = spec.containers[0].lifecycle.preStop.exec.command
  assert.isAtLeast(spec.terminationGracePeriodSeconds, Number(wait) + Duration.toSeconds(RENEWAL_LIMIT) + 5)
})
