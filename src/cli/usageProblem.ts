/** What is wrong with a command line, in the words of all other messages. `@effect/cli` often does not name the option. */

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")

const optionOf = (value: string, args: ReadonlyArray<string>): string => {
  const at = args.findIndex((arg) => arg === value || (arg.startsWith("-") && arg.endsWith(`=${value}`)))
  return (args[at] === value ? args[at - 1] : args[at]?.slice(0, -value.length - 1)) ?? "the value"
}

interface Option {
  readonly names: ReadonlyArray<string>
  readonly takesValue: boolean
  readonly isRepeatable: boolean
}

/** From the lines of the help: `-d, --data DATA`, and whether it says that the option may be repeated. */
const optionsIn = (help: string): ReadonlyArray<Option> =>
  help.split(/\n(?= {2}-)/).flatMap((text) => {
    const [, names, value] = /^ {2}((?:-\w, )?--[\w-]+)( \S)?/.exec(text) ?? []
    if (names === undefined) return []
    return [
      { names: names.split(", "), takesValue: value !== undefined, isRepeatable: /May\s+be\s+repeated\./.test(text) }
    ]
  })

/** No help lists it, because every command has it. */
const logLevel: Option = { names: ["--log-level"], takesValue: true, isRepeatable: false }

/** The first option that is wrong. `@effect/cli` takes it for an argument, and may blame what follows. */
const optionProblem = (args: ReadonlyArray<string>, help: string): string | undefined => {
  const options = [...optionsIn(help), logLevel]
  const given = new Set<Option>()
  for (let at = 0; at < args.length; at++) {
    const [name = "", value] = (args[at] ?? "").split(/=(.*)/s)
    if (name === "--") return undefined
    if (!/^-./.test(name)) continue
    const option = options.find(({ names }) => names.includes(name))
    if (option === undefined) return `${name}: there is no such option`
    if (given.has(option) && !option.isRepeatable) return `${name}: may be given once`
    given.add(option)
    if (!option.takesValue || value !== undefined) continue
    at += 1
    if (at === args.length) return `${name}: needs a value`
  }
  return undefined
}

const unread = (arg: string, help: string): string => {
  if (arg.startsWith("--log-level")) {
    return "--log-level: must be one of all, trace, debug, info, warning, error, fatal, none"
  }
  const [, command] = /^Usage: (nomba-auth \S+) .*-- PROGRAM/.exec(help) ?? []
  return command === undefined
    ? `${arg}: is one argument too many`
    : `${arg}: name the program after --: ${command} -- ${arg}`
}

const oneOf = (cases: ReadonlyArray<string>, help: string): string => {
  const option = new RegExp(`(--[\\w-]+) ${cases.map(escaped).join(" \\| ")}`).exec(help)?.[1] ?? "the argument"
  return `${option}: must be one of ${cases.join(", ")}`
}

/** `said` is the message of `@effect/cli`, `args` what was given to the command, and `help` the command's own. */
export const usageProblem = (said: string, args: ReadonlyArray<string>, help: string): string => {
  const problem = optionProblem(args, help)
  if (problem !== undefined) return problem
  const [, argument] = /^Received unknown argument: '(.*)'$/s.exec(said) ?? []
  if (argument !== undefined) return unread(argument, help)
  const [, value] = /^'(.*)' is not a integer$/s.exec(said) ?? []
  if (value !== undefined) return `${optionOf(value, args)} ${value}: must be a whole number`
  const [, cases] = /^Expected one of the following cases: (.*)$/s.exec(said) ?? []
  if (cases !== undefined) return oneOf(cases.split(", "), help)
  const [, missing] = /^Missing argument <(.*?)>/s.exec(said) ?? []
  return missing === undefined ? said : `${missing} is missing`
}
