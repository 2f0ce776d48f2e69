#!/usr/bin/env node
/**
 * What is loaded first: it answers what needs no other code, and leaves the rest to the chunks beside it, so that the
 * start costs what the command needs.
 */
import { version } from "./version.js"

if (process.argv.length === 3 && process.argv[2] === "--version") process.stdout.write(`${version}\n`)
else (await import("./Cli.js")).run(process.argv)
