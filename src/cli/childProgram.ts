/** The program that follows `--`: it runs in the place of this one, as far as its user can tell. */
import { type ChildProcess, spawn } from "node:child_process"
import { constants } from "node:os"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { Ended } from "./ExitCode.js"
import * as Output from "./Output.js"

/** A terminal sends these to the program as well. */
const FROM_TERMINAL = ["SIGINT", "SIGQUIT"] as const

const FORWARDED = [...FROM_TERMINAL, "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"] as const

const isFromTerminal = (signal: NodeJS.Signals): boolean =>
  process.stdin.isTTY === true && FROM_TERMINAL.some((name) => name === signal)

/** As a shell reports it: 127 if there is no such program, 126 if it cannot be run. */
const notStarted = (command: string, { code, name }: NodeJS.ErrnoException): Effect.Effect<never, Ended> =>
  Effect.zipRight(
    Output.say(`${command}: cannot be run (${code ?? name})`),
    new Ended({ code: code === "ENOENT" ? 127 : 126 })
  )

/** Node.js throws some failures to start, and reports the others as an event. */
const start = (
  command: string,
  args: ReadonlyArray<string>,
  env: Readonly<NodeJS.ProcessEnv>
): Either.Either<ChildProcess, NodeJS.ErrnoException> =>
  Either.try({
    try: () => spawn(command, args, { stdio: "inherit", env }),
    catch: (error) => error as NodeJS.ErrnoException
  })

const exitCodeOf = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (signal === null ? 0 : constants.signals[signal])

const hasEnded = ({ exitCode, pid, signalCode }: ChildProcess): boolean =>
  pid === undefined || exitCode !== null || signalCode !== null

/** How long a program may take to stop, in milliseconds. */
const GRACE = 10_000

/**
 * Runs a program until it ends, passes signals on to it, and ends with its exit code. If it is interrupted it stops the
 * program with SIGTERM, after ten seconds with SIGKILL, and waits for it.
 */
export const run = (
  [command = "", ...args]: ReadonlyArray<string>,
  env: Readonly<NodeJS.ProcessEnv>
): Effect.Effect<void, Ended> =>
  Effect.async<void, Ended>((resume) => {
    if (command === "")
      return resume(Effect.zipRight(Output.say("the program after -- has no name"), new Ended({ code: 127 })))
    const started = start(command, args, env)
    if (Either.isLeft(started)) return resume(notStarted(command, started.left))
    const child = started.right
    const forward = (signal: NodeJS.Signals): void => {
      if (!isFromTerminal(signal)) child.kill(signal)
    }
    for (const signal of FORWARDED) process.on(signal, forward)
    const end = (result: Effect.Effect<void, Ended>): void => {
      for (const signal of FORWARDED) process.off(signal, forward)
      resume(result)
    }
    child.once("error", (error) => end(notStarted(command, error)))
    child.once("exit", (code, signal) => {
      process.exitCode = exitCodeOf(code, signal)
      end(Effect.void)
    })
    return Effect.async<void>((stopped) => {
      if (hasEnded(child)) return stopped(Effect.void)
      const killed = setTimeout(() => child.kill("SIGKILL"), GRACE)
      child.once("exit", () => {
        clearTimeout(killed)
        stopped(Effect.void)
      })
      child.kill("SIGTERM")
    })
  })
