#!/usr/bin/env node
/**
 * What is loaded first: it answers what needs no other code, and leaves the rest to the chunks beside it, so that the
 * start costs what the command needs.
 */
import { version } from "./version.js"

const [, , command, ...args] = process.argv
// A reader that has gone (`| head -1`) is no reason for a message; who writes more finds out when it writes.
process.stdout.on("error", () => {})
process.stderr.on("error", () => {})
const answer =
  command === "--version" && args.length === 0
    ? version
    : command === "token"
      ? (await import("./tokenHit.js")).tokenHit(args)
      : undefined
if (answer === undefined) (await import("./Cli.js")).run(process.argv)
else process.stdout.write(`${answer}\n`)
