/** `nomba-auth token`: a valid access token, for programs that send it themselves. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import { type CachedSession, TokenCache } from "../services/TokenCache.js"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import { UsageError } from "./ExitCode.js"
import * as Output from "./Output.js"
import { formats, print } from "./tokenText.js"

/** What a token has left at least, in seconds. `tokenHit.ts` counts with it too. */
export const MIN_TTL = 60

const flags = {
  ...Environment.flags,
  ...Output.yesFlag,
  format: Options.choice("format", formats).pipe(
    Options.withDescription(
      "raw: the token; json: with its expiry; header: an Authorization header; env: an export line. Default: raw."
    ),
    Options.withDefault("raw")
  ),
  minTtl: Options.integer("min-ttl").pipe(
    Options.withPseudoName("SECONDS"),
    Options.withDescription(`Renew a token that has fewer seconds left. Default: ${MIN_TTL}.`),
    Options.withDefault(MIN_TTL)
  ),
  noCache: Options.boolean("no-cache").pipe(
    Options.withDescription("Renew the token first, whatever is left of it. Ends the one that other programs hold.")
  )
}

const secondsLeft = ({ remaining }: CachedSession): number => Math.floor(Duration.toSeconds(remaining))

/** A session that lasts as long as is asked for, renewed if need be. */
const sessionFor = (minTtl: number, isForced: boolean) =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const found = yield* cache.session
    const lifetime = Math.floor(Duration.toSeconds(found.session.lifetime))
    if (minTtl >= lifetime) {
      return yield* new UsageError({ message: `--min-ttl: Nomba's tokens last ${lifetime} s: ask for less` })
    }
    if (found.origin === "nomba" || (secondsLeft(found) >= minTtl && !isForced)) return found
    yield* cache.invalidate(found.session.accessToken)
    return yield* cache.session
  })

export const command = Command.make("token", flags, (given) =>
  Effect.gen(function* () {
    if (given.noCache) {
      yield* Output.confirm("--no-cache renews the session: the token that other programs hold ends now.", given)
    }
    const { remaining, session } = yield* sessionFor(given.minTtl, given.noCache)
    const token = { accessToken: Redacted.value(session.accessToken), remaining: Duration.toMillis(remaining) }
    yield* Output.result(print(given.format, token))
  }).pipe(Effect.provide(Environment.layer(given)))
).pipe(
  Command.withDescription(
    describe("Print a valid access token, and nothing else. Programs on this machine share one session.", [
      "nomba-auth token",
      'curl -H "$(nomba-auth token --format header)" https://api.nomba.com/v1/accounts/balance',
      'eval "$(nomba-auth token --format env --min-ttl 300)"'
    ])
  )
)
