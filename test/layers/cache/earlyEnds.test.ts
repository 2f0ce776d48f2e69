import { assert, describe, it } from "@effect/vitest"
import { makeEarlyEnds } from "../../../src/layers/cache/RouteGuard.js"

type Step = readonly [step: "ended" | "accepted" | "rejected", token: string, resource?: string]

/** What the steps explain, in order. */
const explained = (...steps: ReadonlyArray<Step>) => {
  const ends = makeEarlyEnds()
  return steps.flatMap(([step, token, resource]) => ends[step](token, resource) ?? [])
}

const cases: Readonly<Record<string, readonly [ReadonlyArray<Step>, ReadonlyArray<string>]>> = {
  "another program, if the same request succeeds with a newer token": [
    [
      ["ended", "1", "GET /a"],
      ["accepted", "2", "GET /a"],
      ["accepted", "2", "GET /a"]
    ],
    ["another_program"]
  ],
  "the account id or the route, if the same request fails with a newer token": [
    [
      ["ended", "1", "GET /a"],
      ["rejected", "2", "GET /a"],
      ["rejected", "2", "GET /a"]
    ],
    ["account_or_route"]
  ],
  "nothing yet, if another request succeeds, or a late response of the old token arrives": [
    [
      ["ended", "1", "GET /a"],
      ["accepted", "1", "GET /a"],
      ["rejected", "1", "GET /a"],
      ["accepted", "2", "GET /b"],
      ["rejected", "2", "GET /b"]
    ],
    []
  ],
  "not known, if other requests succeeded until a third one ends the next session": [
    [
      ["ended", "1", "GET /a"],
      ["accepted", "2", "GET /b"],
      ["ended", "2", "GET /c"]
    ],
    []
  ],
  "the account id or the route, if the next session ends early too and no request succeeded in between": [
    [
      ["ended", "1", "GET /a"],
      ["ended", "2", "GET /b"]
    ],
    ["account_or_route"]
  ],
  "another program, if nothing is known of the request, nor of one that succeeds": [
    [
      ["ended", "1"],
      ["rejected", "2", "GET /a"],
      ["accepted", "2", "GET /a"],
      ["accepted", "2"]
    ],
    ["another_program"]
  ]
}

describe("the cause of a session that ended early", () => {
  for (const [name, [steps, causes]] of Object.entries(cases)) {
    it(`is ${name}`, () => assert.deepStrictEqual(explained(...steps), causes))
  }
})
