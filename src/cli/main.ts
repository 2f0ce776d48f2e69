#!/usr/bin/env node
/**
 * What is loaded first: it answers what needs no other code, and leaves the rest to the chunks beside it, so that the
 * start costs what the command needs.
 */
import { version } from "./version.js"

const [, , command, ...args] = process.argv
// The write that failed reports the error too. The command goes on if the reader of its stderr has gone.
process.stdout.on("error", () => {})
process.stderr.on("error", () => {})
// Without a listener, Node.js opens its debugger, in which every user of this machine can read the secret.
process.on("SIGUSR1", () => {})
const answer =
  command === "--version" && args.length === 0
    ? version
    : command === "token"
      ? (await import("./tokenHit.js")).tokenHit(args)
      : undefined
// The young generation must not grow while the proxy starts: serve.ts lets it grow afterwards, in one step.
if (command === "serve") (await import("node:v8")).setFlagsFromString("--semi-space-growth-factor=1")
if (answer === undefined) (await import("./Cli.js")).run(process.argv)
else
  process.stdout.write(`${answer}\n`, (error) => {
    const code = (error as NodeJS.ErrnoException | null | undefined)?.code
    if (code === undefined || code === "EPIPE") return
    process.exitCode = 1
    process.stderr.write(`nomba-auth: stdout: cannot be written (${code})\n`)
  })
