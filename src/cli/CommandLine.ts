/** What commands share in how they are called and described. */
import type * as CliApp from "@effect/cli/CliApp"
import type * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Span from "@effect/cli/HelpDoc/Span"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
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

/** Whether the command line gives an option an empty value, or ends with its name. */
const lacksValue = (name: string): boolean => {
  const end = process.argv.indexOf("--")
  const args = end < 0 ? process.argv : process.argv.slice(0, end)
  return args.some((arg, at) => arg === `${name}=` || (arg === name && !args[at + 1]))
}

/**
 * An option that may be given several times. `@effect/cli` leaves an empty value out, as if the option had not been given:
 * `--allow ""` would allow everything.
 */
export const repeated = <A>(
  option: Options.Options<A>,
  value: string,
  description: string
): Options.Options<Array<A>> => {
  const usage = Options.getUsage(option)
  const names = usage._tag === "Named" ? usage.names : []
  return option.pipe(
    Options.withPseudoName(value),
    Options.withDescription(`${description} May be repeated.`),
    Options.repeated,
    Options.mapEffect((values) => {
      const empty = names.find(lacksValue)
      return empty === undefined
        ? Effect.succeed(values)
        : Effect.fail(ValidationError.invalidValue(HelpDoc.p(`${empty} is empty: give it a value, or leave it out`)))
    })
  )
}

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
