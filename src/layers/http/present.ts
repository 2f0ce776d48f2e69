import * as Option from "effect/Option"

/** A member for an object literal that is left out where there is no value: `{ ...present("detail", detail) }`. */
export const present = <K extends string, A>(key: K, value: Option.Option<A>): { readonly [P in K]?: A } =>
  Option.match(value, { onNone: () => ({}), onSome: (value) => ({ [key]: value }) as { readonly [P in K]: A } })
