import { assert, describe, it } from "vitest"
import { usageProblem } from "../../src/cli/usageProblem.js"

const help = `Usage: nomba-auth token [OPTIONS]

Options:
  --client-secret-file PATH
                            Read the client secret from this file.
  --subject NAME            Use the session of this name.
  -X, --request METHOD      The method.
  -H, --header HEADER       A header. May be
                            repeated.
  --format raw | json       The format.
  --min-ttl SECONDS         Renew a token that has fewer seconds left.
  --yes                     Do not ask.`

describe("what is wrong with a command line", () => {
  it.each<readonly [string, ReadonlyArray<string>, string]>([
    ["Received unknown argument: '--formt'", ["--formt", "raw"], "--formt: there is no such option"],
    ["Received unknown argument: '--subject'", ["--subject"], "--subject: needs a value"],
    [
      "Received unknown argument: '--client-secret-file'",
      ["--client-secret-file"],
      "--client-secret-file: needs a value"
    ],
    ["Received unknown argument: '-X'", ["-X"], "-X: needs a value"],
    ["Received unknown argument: '--request'", ["--request"], "--request: needs a value"],
    ["Received unknown argument: '--yes'", ["--yes", "--yes"], "--yes: may be given once"],
    ["Received unknown argument: '-X'", ["-X", "GET", "-X", "PUT"], "-X: may be given once"],
    ["Received unknown argument: '--format'", ["--format=raw", "--format", "json"], "--format: may be given once"],
    ["Received unknown argument: 'extra'", ["extra"], "extra: is one argument too many"],
    ["Received unknown argument: 'extra'", ["-s", "extra"], "-s: there is no such option"],
    ["Received unknown argument: '-x'", ["--", "-x"], "-x: is one argument too many"],
    ["Received unknown argument: '-s'", ["-s"], "-s: there is no such option"],
    ["Received unknown argument: '{}'", ["--jsn={}", "extra"], "--jsn: there is no such option"],
    ["Received unknown argument: 'b'", ["--subject", "a", "--subject", "b"], "--subject: may be given once"],
    ["Received unknown argument: 'c'", ["-H", "-a", "--header", "-b", "-", "c"], "c: is one argument too many"],
    ["Received unknown argument: 'c'", ["--log-level", "debug", "c"], "c: is one argument too many"],
    ["Received unknown argument: 'c'", ["-X", "GET", "--request=PUT", "c"], "--request: may be given once"],
    ["'soon' is not a integer", ["--min-ttl", "soon"], "--min-ttl soon: must be a whole number"],
    ["'soon' is not a integer", ["--min-ttl=soon"], "--min-ttl soon: must be a whole number"],
    ["Expected one of the following cases: raw, json", ["--format", "xml"], "--format: must be one of raw, json"],
    ["Expected one of the following cases: bash, zsh", ["tcsh"], "the argument: must be one of bash, zsh"],
    ["Missing argument <SHELL> with choices bash | zsh", [], "SHELL is missing"],
    ["something else", [], "something else"]
  ])("is said of %j", (said, args, expected) => {
    assert.strictEqual(usageProblem(said, args, help), expected)
  })

  it.each([
    ["Usage: nomba-auth exec [OPTIONS] -- PROGRAM [ARGUMENTS]", "exec"],
    ["Usage: nomba-auth sandbox [OPTIONS] [-- PROGRAM [ARGUMENTS]]", "sandbox"]
  ])("is that a program stands after -- (%s)", (usage, name) => {
    assert.strictEqual(
      usageProblem("Received unknown argument: 'true'", ["true"], usage),
      `true: name the program after --: nomba-auth ${name} -- true`
    )
  })
})
