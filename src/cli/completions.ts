/** `nomba-auth completions`: what a shell needs to complete commands and options. */
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Effect from "effect/Effect"
import { AllCommands, describe } from "./CommandLine.js"
import * as Output from "./Output.js"

const shells = {
  bash: Command.getBashCompletions,
  zsh: Command.getZshCompletions,
  fish: Command.getFishCompletions
}

/** `@effect/cli` writes a name with a dash in two ways in the script for bash, which then finds no options of a command. */
const withOneName = (script: string): string =>
  script.replace(/^( +cmd=")nomba-auth"$/m, '$1nomba__auth"').replace(/^( +)nomba-auth\)$/m, "$1nomba__auth)")

const flags = {
  shell: Args.choice(
    [
      ["bash", "bash"],
      ["zsh", "zsh"],
      ["fish", "fish"]
    ],
    { name: "SHELL" }
  ).pipe(Args.withDescription("bash, zsh or fish."))
}

export const command = Command.make("completions", flags, ({ shell }) =>
  Effect.gen(function* () {
    const root = yield* yield* AllCommands
    const lines = yield* shells[shell as keyof typeof shells](root, "nomba-auth")
    yield* Output.result(withOneName(lines.join("\n")))
  })
).pipe(
  Command.withDescription(
    describe("Print a script that lets a shell complete the commands and their options.", [
      "nomba-auth completions bash > ~/.local/share/bash-completion/completions/nomba-auth",
      "nomba-auth completions zsh > ~/.zfunc/_nomba-auth",
      "nomba-auth completions fish > ~/.config/fish/completions/nomba-auth.fish"
    ])
  )
)
