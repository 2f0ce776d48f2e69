/** `nomba-auth doctor`: finds out what is wrong, step by step, and says what to change. */
import * as Command from "@effect/cli/Command"
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import { oneLine } from "../schemas/SafeText.js"
import { describe, flag } from "./CommandLine.js"
import { checksOf, runAll } from "./doctor/checks.js"
import type { Result } from "./doctor/Finding.js"
import { gather } from "./doctor/settings.js"
import * as Environment from "./Environment.js"
import * as ExitCode from "./ExitCode.js"
import * as Output from "./Output.js"

const flags = {
  ...Environment.flags,
  ...Output.yesFlag,
  ...Output.jsonFlag,
  login: flag(
    "login",
    "Also try the credentials with a token request. It ends the session of every other program with these credentials."
  )
}

const colours: Readonly<Record<Result["level"], number>> = { ok: 32, skipped: 2, warning: 33, problem: 31 }

const NAME_WIDTH = 14
const LEVEL_WIDTH = 9

/** A finding for people: what was found, and under it what to change. */
export const lines = (result: Result, isColoured: boolean): string => {
  const level = result.level.padEnd(LEVEL_WIDTH)
  const shown = isColoured ? `\u001b[${colours[result.level]}m${level}\u001b[0m` : level
  const found = `${shown}${result.check.padEnd(NAME_WIDTH)}${oneLine(result.says)}`
  return "change" in result ? `${found}\n${" ".repeat(LEVEL_WIDTH + NAME_WIDTH)}-> ${oneLine(result.change)}` : found
}

/** That of the first problem. */
export const exitCodeOf = (results: ReadonlyArray<Result>): number =>
  results.find((result) => result.level === "problem")?.exitCode ?? ExitCode.SUCCESS

/** The report for programs. */
export const report = (results: ReadonlyArray<Result>): string => {
  const exitCode = exitCodeOf(results)
  const checks = results.map((result) => ({
    check: result.check,
    level: result.level,
    says: oneLine(result.says),
    ...("change" in result ? { change: oneLine(result.change) } : {})
  }))
  return JSON.stringify({ ok: exitCode === ExitCode.SUCCESS, exitCode, checks })
}

const STEP_TIMEOUT = Duration.seconds(5)

/** `NODE_USE_ENV_PROXY` came with 24.0 and, with the option of the same name, with 22.21 and 24.5. */
const nodeProxy = () => {
  const { execArgv, env, version } = process
  const option = "--use-env-proxy"
  return {
    version: version.slice(1),
    isSupported: process.allowedNodeEnvironmentFlags.has(option) || /^v24\./.test(version),
    isOn:
      env["NODE_USE_ENV_PROXY"] === "1" || [...execArgv, ...(env["NODE_OPTIONS"] ?? "").split(/\s+/)].includes(option)
  }
}

/** Makes all checks with these flags and this environment, and hands on each result at once. */
export const examine = <E, R>(
  given: Environment.Flags & { readonly login: boolean },
  variables: Readonly<Record<string, string | undefined>>,
  onResult: (result: Result) => Effect.Effect<void, E, R>
) =>
  Effect.gen(function* () {
    const settings = yield* gather(given, variables)
    const context = { settings, variables, node: nodeProxy(), stepTimeout: STEP_TIMEOUT, login: given.login }
    return yield* runAll(checksOf(context), onResult)
  }).pipe(Effect.provide(FetchHttpClient.layer))

export const command = Command.make("doctor", flags, (given) =>
  Effect.gen(function* () {
    if (given.login) {
      yield* Output.confirm("A new token ends the session of every other program with these credentials.", given)
    }
    const isColoured = Output.isColoured(process.stdout)
    const results = yield* examine(given, process.env, (result) =>
      given.json ? Effect.void : Output.result(lines(result, isColoured))
    )
    if (given.json) yield* Output.result(report(results))
    const code = exitCodeOf(results)
    if (code !== ExitCode.SUCCESS) return yield* new ExitCode.Ended({ code })
  })
).pipe(
  Command.withDescription(
    describe("Find out what is wrong, step by step, and what to change. Without --login it ends no session.", [
      "nomba-auth doctor",
      "nomba-auth doctor --login --yes --json"
    ])
  )
)
