/** The process that is loaded: a sandbox, which tells its address, and its memory whenever it is asked. */
import { startSandbox } from "../../src/sandbox/index.js"

const sandbox = await startSandbox()
process.on("message", () => {
  globalThis.gc?.()
  const { heapUsed, rss } = process.memoryUsage()
  const { system, user } = process.cpuUsage()
  process.send?.({ heapUsed, rss, cpu: system + user })
})
process.on("disconnect", () => process.exit(0))
process.send?.({ url: sandbox.url, credentials: sandbox.credentials() })
