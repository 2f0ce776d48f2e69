/** `nomba-auth token`: a valid access token, for programs that send it themselves. */
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import { isTransient } from "../schemas/ErrorMeaning.js"
import { TokenCache } from "../services/TokenCache.js"
import { describe, flag, optional } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import { UsageError } from "./ExitCode.js"
import * as Output from "./Output.js"
import { formats, minTtlOf, print } from "./tokenText.js"

const flags = {
  ...Environment.flags,
  ...Output.yesFlag,
  format: Options.choice("format", formats).pipe(
    Options.withDescription(
      "raw: the token; json: with its expiry; header: an Authorization header; env: an export line. Default: raw."
    ),
    Options.withDefault("raw")
  ),
  minTtl: optional(
    Options.integer("min-ttl"),
    "SECONDS",
    "Renew a token that has fewer seconds left. Default: 60, or a fifth of a shorter lifetime."
  ),
  noCache: flag("no-cache", "Renew the token first, whatever is left of it. Ends the one that other programs hold.")
}

/** A session that lasts at least as long as was asked for. Renews it if necessary. */
const sessionFor = (seconds: Option.Option<number>, isForced: boolean) =>
  Effect.gen(function* () {
    const cache = yield* TokenCache
    const found = yield* cache.session
    const lifetime = Duration.toMillis(found.session.lifetime)
    const minTtl = Option.match(seconds, { onNone: () => minTtlOf(lifetime), onSome: (seconds) => seconds * 1000 })
    if (minTtl >= lifetime) {
      const message = `--min-ttl: Nomba's tokens last ${Math.floor(lifetime / 1000)} s: ask for less`
      return yield* new UsageError({ message })
    }
    if (found.origin === "nomba" || (Duration.toMillis(found.remaining) >= minTtl && !isForced)) return found
    yield* cache.invalidate(found.session.accessToken)
    // Without a request for a longer life, what is left of this one is better than nothing.
    const isEnough = !isForced && Option.isNone(seconds)
    return yield* cache.session.pipe(
      Effect.catchIf(
        (error) => isEnough && isTransient(error),
        (error) =>
          Output.say(`warning: the token expires within a minute and could not be renewed: ${error.message}`).pipe(
            Effect.as(found)
          )
      )
    )
  })

export const command = Command.make("token", flags, (given) =>
  Effect.gen(function* () {
    if (Option.exists(given.minTtl, (seconds) => seconds < 0)) {
      return yield* new UsageError({ message: "--min-ttl: must not be negative" })
    }
    if (given.noCache) {
      yield* Output.confirm("--no-cache renews the session: the token that other programs hold ends now.", given)
    }
    const { remaining, saved, session } = yield* sessionFor(given.minTtl, given.noCache)
    if (!saved)
      yield* Output.say("warning: the token store could not be written, so the next program ends this session")
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
