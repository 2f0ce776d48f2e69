import { assert, it } from "vitest"
import { quickTargets } from "./targets.js"

it("sends few token requests beside a rival, a rejected route and a Nomba that repeats its token", async () => {
  const seed = Date.now() & 0x7fffffff
  for (const target of quickTargets(seed)) {
    const { broken, name } = await target()
    assert.deepStrictEqual(broken, [], `${name}: npm run simulate -- --quick --target-seed=${seed}`)
  }
})
