/** The process's environment, as a test wants it. */
import { ConfigProvider, Effect } from "effect"

export const withEnvironment =
  (variables: Readonly<Record<string, string>>) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.withConfigProvider(effect, ConfigProvider.fromMap(new Map(Object.entries(variables))))

/** The same, and the names of the variables that were looked for. */
export const recordVariables = (
  variables: Readonly<Record<string, string>>
): { readonly provider: ConfigProvider.ConfigProvider; readonly read: ReadonlySet<string> } => {
  const read = new Set<string>()
  const provider = ConfigProvider.mapInputPath(ConfigProvider.fromMap(new Map(Object.entries(variables))), (name) => {
    read.add(name)
    return name
  })
  return { provider, read }
}
