/** What is known about the session without its secrets, as text for a person or as JSON. */
import * as DateTime from "effect/DateTime"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { NombaConfig } from "../services/NombaConfig.js"
import { type StoreState, TokenStore } from "../services/TokenStore.js"
import * as Environment from "./Environment.js"
import * as Output from "./Output.js"

const seconds = (duration: Duration.Duration): number => Math.floor(Duration.toSeconds(duration))

const iso = (moment: DateTime.Utc): string => DateTime.formatIso(moment)

type Session =
  | { readonly state: "none" | "logged out" }
  | {
      readonly state: "valid" | "expired"
      readonly expires_in: number
      readonly expires_at: string
      readonly issued_at: string
      readonly age: number
      readonly has_refresh_token: boolean
    }

const sessionOf = ({ stored, version }: StoreState): Session => {
  if (Option.isNone(stored)) return { state: version === 0 ? "none" : "logged out" }
  const { remaining, session } = stored.value
  return {
    state: Duration.greaterThan(remaining, Duration.zero) ? "valid" : "expired",
    expires_in: seconds(remaining),
    expires_at: iso(session.expiresAt),
    issued_at: iso(session.issuedAt),
    age: Math.max(0, seconds(Duration.subtract(session.lifetime, remaining))),
    has_refresh_token: Option.isSome(session.refreshToken)
  }
}

/** Reads the settings and the token store, and never calls Nomba. */
const read = Effect.gen(function* () {
  const config = yield* NombaConfig
  const tokenStore = yield* TokenStore
  const state = yield* Effect.scoped(
    Effect.flatMap(tokenStore.open(config.storeKey, config.requestTimeout), (store) => store.readVersioned)
  )
  return {
    session: sessionOf(state),
    renewal: state.isLeased ? "running" : "none",
    client_id: config.clientId,
    account_id: Option.getOrNull(config.accountId),
    base_url: config.baseUrl,
    token_store: yield* Environment.tokenStoreName,
    origins: config.origins
  }
})

type Report = Effect.Effect.Success<typeof read>

const units = [
  ["h", 3600],
  ["min", 60],
  ["s", 1]
] as const

/** The two largest units: `29 min 58 s`. */
const roughly = (total: number): string => {
  const parts = units.flatMap(([unit, size], at) => {
    const rest = at === 0 ? total : total % (units[at - 1]?.[1] ?? total)
    const count = Math.floor(rest / size)
    return count === 0 ? [] : [`${count} ${unit}`]
  })
  return parts.slice(0, 2).join(" ") || "0 s"
}

/** For people: `2026-11-27 08:08:46 UTC`. */
const readable = (iso: string): string => iso.replace(/^(.*)T(.*)\.\d+Z$/, "$1 $2 UTC")

const sentenceOf = (session: Session): string => {
  switch (session.state) {
    case "none":
      return "none yet: the next command that needs one starts it"
    case "logged out":
      return "logged out: the next command that needs one starts it"
    case "expired":
      return `expired at ${readable(session.expires_at)}: the next command that needs it renews it`
    case "valid":
      return `valid for ${roughly(session.expires_in)}, until ${readable(session.expires_at)}`
  }
}

const textOf = ({ account_id, base_url, client_id, origins, renewal, session, token_store }: Report): string =>
  [
    ["session", sentenceOf(session)],
    ...("age" in session ? [["age", `${roughly(session.age)}, issued at ${readable(session.issued_at)}`]] : []),
    ...(renewal === "running" ? [["renewal", "another program renews it now"]] : []),
    ["client id", `${client_id} (${origins.clientId})`],
    ["account id", account_id === null ? "not set" : `${account_id} (${origins.accountId})`],
    ["environment", `${base_url} (${origins.environment.slice(base_url.length + 1)})`],
    ["token store", token_store]
  ]
    .map(([name = "", value = ""]) => `${name.padEnd(12)} ${value}`)
    .join("\n")

/** Prints the state of the session, as the result of a command. */
export const print = ({ json }: { readonly json: boolean }) =>
  Effect.flatMap(read, ({ origins, ...report }) =>
    Output.result(json ? JSON.stringify(report) : textOf({ ...report, origins }))
  )
