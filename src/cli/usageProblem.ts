/** What is wrong with a command line, in the words of all other messages. `@effect/cli` often does not name the option. */

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")

const optionOf = (value: string, args: ReadonlyArray<string>): string => {
  const at = args.findIndex((arg) => arg === value || (arg.startsWith("-") && arg.endsWith(`=${value}`)))
  return (args[at] === value ? args[at - 1] : args[at]?.slice(0, -value.length - 1)) ?? "the value"
}

const unknown = (arg: string, args: ReadonlyArray<string>, help: string): string => {
  if (!arg.startsWith("-")) return `${arg}: is one argument too many`
  const takesValue = new RegExp(`^ +(?:\\S+, )?${escaped(arg)}(?:, \\S+)? \\S`, "m").test(help)
  const isKnown = new RegExp(`^ +(?:\\S+, )?${escaped(arg)}(?:,| |$)`, "m").test(help)
  const times = args.filter((other) => other === arg || other.startsWith(`${arg}=`)).length
  if (isKnown && times > 1) return `${arg}: may be given once`
  return takesValue ? `${arg}: needs a value` : `${arg}: there is no such option`
}

const oneOf = (cases: ReadonlyArray<string>, help: string): string => {
  const option = new RegExp(`(--[\\w-]+) ${cases.map(escaped).join(" \\| ")}`).exec(help)?.[1] ?? "the argument"
  return `${option}: must be one of ${cases.join(", ")}`
}

/** `said` is the message of `@effect/cli`, `args` what was given to the command, and `help` the command's own. */
export const usageProblem = (said: string, args: ReadonlyArray<string>, help: string): string => {
  const [, unread] = /^Received unknown argument: '(.*)'$/s.exec(said) ?? []
  if (unread !== undefined) return unknown(unread, args, help)
  const [, value] = /^'(.*)' is not a integer$/s.exec(said) ?? []
  if (value !== undefined) return `${optionOf(value, args)} ${value}: must be a whole number`
  const [, cases] = /^Expected one of the following cases: (.*)$/s.exec(said) ?? []
  if (cases !== undefined) return oneOf(cases.split(", "), help)
  const [, missing] = /^Missing argument <(.*?)>/s.exec(said) ?? []
  return missing === undefined ? said : `${missing} is missing`
}
