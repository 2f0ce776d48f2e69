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

/** What is wrong in the scripts of `@effect/cli`. All offer `--completions` and `--wizard`, which this command line does not have. */
const corrections: Readonly<Record<keyof typeof shells, ReadonlyArray<readonly [RegExp, string]>>> = {
  bash: [
    // A name with a dash is written in two ways, so that the options of a command are not found.
    [/^( +cmd=")nomba-auth"$/m, '$1nomba__auth"'],
    [/^( +)nomba-auth\)$/m, "$1nomba__auth)"],
    [/(?<=compgen -W "[\w,]*),/g, " "],
    [/ --(?:completions|wizard)(?=[ "])/g, ""]
  ],
  zsh: [
    [/^( +':.*:)CHOICE:(?=\()/gm, "$1"],
    // zsh calls it by the name of its file.
    [/(?<="\$funcstack\[1\]" = ")_nomba-auth_zsh_completions(?=")/, "_nomba-auth"],
    [/^ +'--(?:completions|wizard)\[.*\n/gm, ""]
  ],
  fish: [[/^complete .* -l (?:completions|wizard) .*\n/gm, ""]]
}

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
    const name = shell as keyof typeof shells
    const lines = yield* shells[name](root, "nomba-auth")
    yield* Output.result(
      corrections[name].reduce((script, [wrong, right]) => script.replace(wrong, right), lines.join("\n"))
    )
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
