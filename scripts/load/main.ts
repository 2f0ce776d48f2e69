/** Runs one of the load tests: `npm run load`, `npm run load -- proxy`, `npm run load -- otherLogins`. */
const runs: Readonly<Record<string, () => Promise<unknown>>> = {
  sandbox: () => import("./sandbox.js"),
  proxy: () => import("./proxy.js"),
  otherLogins: () => import("./otherLogins.js")
}

const name = process.argv[2] ?? "sandbox"
const run = Object.hasOwn(runs, name) ? runs[name] : undefined
if (run === undefined) {
  console.error(`There is ${Object.keys(runs).join(", ")}.`)
  process.exit(2)
}
await run()
