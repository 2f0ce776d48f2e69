import { spawn } from "node:child_process"
import { once } from "node:events"
import { assert, it } from "vitest"

const program = `
import { spawn } from "node:child_process"
import { killWithParent } from ${JSON.stringify(new URL("./killWithParent.ts", import.meta.url).href)}
const child = spawn("sleep", ["90"], { stdio: ["ignore", "inherit", "inherit"] })
killWithParent(child)
child.kill("SIGSTOP")
console.log("begun")
`

it("a stalled child is killed with its parent", async () => {
  const parent = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const [said] = await once(parent.stdout, "data")
  assert.strictEqual(String(said), "begun\n")
  parent.kill("SIGKILL")
  // The child writes to the same place, which ends with the last who holds it.
  await once(parent.stdout, "end")
})
