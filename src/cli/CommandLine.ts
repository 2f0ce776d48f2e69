/** What commands share in how they are called and described. */
import type * as CliApp from "@effect/cli/CliApp"
import type * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Span from "@effect/cli/HelpDoc/Span"
import * as Options from "@effect/cli/Options"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Option from "effect/Option"

/** The program that follows `--` on the command line, for `sandbox` and `exec`; empty without one. */
export class Program extends Context.Tag("nomba-auth/cli/Program")<Program, ReadonlyArray<string>>() {}

/** The description of a command, with examples. */
export const describe = (text: string, examples: readonly [string, ...ReadonlyArray<string>]): HelpDoc.HelpDoc =>
  HelpDoc.blocks([
    HelpDoc.p(text),
    HelpDoc.h1("EXAMPLES"),
    ...examples.map((example) => HelpDoc.p(Span.code(`$ ${example}`)))
  ])

/** An option without a value. */
export const flag = (name: string, description: string): Options.Options<boolean> =>
  Options.boolean(name).pipe(Options.withDescription(description))

/** An option that may be left out. `value` is what the help calls its value. */
export const optional = <A>(
  option: Options.Options<A>,
  value: string,
  description: string
): Options.Options<Option.Option<A>> =>
  option.pipe(Options.withPseudoName(value), Options.withDescription(description), Options.optional)

/** An option that may be given several times. */
export const repeated = <A>(
  option: Options.Options<A>,
  value: string,
  description: string
): Options.Options<Array<A>> =>
  option.pipe(
    Options.withPseudoName(value),
    Options.withDescription(`${description} May be repeated.`),
    Options.repeated
  )

/** For a command that listens. */
export const portFlag = (byDefault: number): Options.Options<Option.Option<number>> =>
  optional(Options.integer("port"), "PORT", `The port; 0 takes a free one. Default: ${byDefault}.`)

/** For a command that checks the `Host` header. */
export const allowedHostsFlag: Options.Options<Array<string>> = repeated(
  Options.text("allow-host"),
  "NAME",
  "Extra Host name to accept, such as a container's."
)

/** Whichever command it is. */
export type AnyCommand = Command.Command<string, Services, unknown, object>

/** What every command can ask for. */
export type Services = Program | AllCommands | CliApp.CliApp.Environment

/** The whole command line. */
export class AllCommands extends Context.Tag("nomba-auth/cli/AllCommands")<AllCommands, Effect.Effect<AnyCommand>>() {}
