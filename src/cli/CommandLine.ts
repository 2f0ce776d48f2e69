/** What commands share in how they are called and described. */
import type * as CliApp from "@effect/cli/CliApp"
import type * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Span from "@effect/cli/HelpDoc/Span"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/** The program that follows `--` on the command line, for `sandbox` and `exec`; empty without one. */
export class Program extends Context.Tag("nomba-auth/cli/Program")<Program, ReadonlyArray<string>>() {}

/** The description of a command, with examples. */
export const describe = (text: string, examples: readonly [string, ...ReadonlyArray<string>]): HelpDoc.HelpDoc =>
  HelpDoc.blocks([
    HelpDoc.p(text),
    HelpDoc.h1("EXAMPLES"),
    ...examples.map((example) => HelpDoc.p(Span.code(`$ ${example}`)))
  ])

/** Whichever command it is. */
export type AnyCommand = Command.Command<string, Services, unknown, object>

/** What every command can ask for. */
export type Services = Program | AllCommands | CliApp.CliApp.Environment

/** The whole command line. */
export class AllCommands extends Context.Tag("nomba-auth/cli/AllCommands")<AllCommands, Effect.Effect<AnyCommand>>() {}
