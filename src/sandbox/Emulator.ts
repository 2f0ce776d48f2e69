/**
 * What every part of the sandbox works on: its settings, its memory, its clock and its signing key.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as AccessToken from "./AccessToken.js"
import type { Settings } from "./Options.js"
import * as Randomness from "./Randomness.js"
import * as SandboxState from "./SandboxState.js"
import type { Switches } from "./Switches.js"
import type { Minted } from "./state/Sessions.js"

/** The workings of one sandbox. */
export interface EmulatorService {
  readonly settings: Settings
  /** Where it can be reached, as soon as it can. */
  readonly url: Effect.Effect<string>
  /** Can be reached from now on. */
  readonly reachableAt: (url: string) => Effect.Effect<void>
  /** What it remembers at the moment. */
  readonly state: Effect.Effect<SandboxState.State>
  /** How it behaves at the moment. */
  readonly switches: Effect.Effect<Switches>
  /** Changes the memory in one step. */
  readonly transition: <A>(transition: SandboxState.Transition<A>) => Effect.Effect<A>
  /** Forgets everything, turns every switch back, and draws the tokens of its seed from the first again. */
  readonly reset: Effect.Effect<void>
  /** The sandbox's time in milliseconds: the clock of the calling fiber, and the offset. */
  readonly now: Effect.Effect<number>
  /** New tokens, drawn now, for whichever client turns out to get them. */
  readonly mint: Effect.Effect<(clientId: string) => Minted>
  /** An opaque secret: a ticket or an authorization code. */
  readonly token: Effect.Effect<Redacted.Redacted>
  /** Whose token this is, if it was signed here. */
  readonly verify: AccessToken.AccessTokens["verify"]
  /** The live dialect's `businessId`. */
  readonly businessId: (clientId: string) => string
}

/** The workings, for the handlers. */
export class Emulator extends Context.Tag("nomba-auth/sandbox/Emulator")<Emulator, EmulatorService>() {}

/** The `businessId` of a client that was configured without an account. */
const someBusiness = "0b5f2a86-6f0a-4f6c-9d0e-4a7f1c6f3d52"

/** New workings, with a memory and a signing key of their own. */
export const make = (settings: Settings): Effect.Effect<EmulatorService> =>
  Effect.gen(function* () {
    const first = Effect.sync(() => SandboxState.initial(settings.switches, crypto.randomUUID()))
    const ref = yield* Effect.flatMap(first, Ref.make)
    const url = yield* Deferred.make<string>()
    const randomness = yield* Randomness.make(settings.seed)
    const key = randomness.bytes(32)
    const tokens = AccessToken.make(yield* key)
    const switches = Effect.map(Ref.get(ref), (state) => state.switches)
    const now = Effect.zipWith(Clock.currentTimeMillis, switches, (millis, { clockOffset }) => millis + clockOffset)
    const businessId = (clientId: string): string => settings.clients.get(clientId)?.accountId ?? someBusiness

    return {
      settings,
      url: Deferred.await(url),
      reachableAt: (address) => Deferred.succeed(url, address),
      state: Ref.get(ref),
      switches,
      transition: (transition) => Ref.modify(ref, transition),
      reset: first.pipe(
        Effect.flatMap((state) => Ref.set(ref, state)),
        Effect.zipRight(randomness.rewind),
        Effect.zipRight(key)
      ),
      now,
      mint: Effect.gen(function* () {
        const issuedAt = yield* now
        const { accessLifetime, refreshLifetime } = yield* switches
        const drawn = yield* randomness.bytes(64)
        const tokenId = Randomness.uuid(drawn.subarray(0, 16))
        const sessionId = Randomness.uuid(drawn.subarray(16, 32))
        const refreshToken = Redacted.make(Encoding.encodeBase64Url(drawn.subarray(32)))
        const expiresAt = issuedAt + accessLifetime
        return (clientId) => ({
          clientId,
          tokenId,
          sessionId,
          accessToken: tokens.sign({ clientId, tokenId, issuedAt, expiresAt, businessId: businessId(clientId) }),
          refreshToken,
          issuedAt,
          expiresAt,
          refreshExpiresAt: issuedAt + refreshLifetime
        })
      }),
      token: Effect.map(randomness.bytes(32), (bytes) => Redacted.make(Encoding.encodeBase64Url(bytes))),
      verify: tokens.verify,
      businessId
    }
  })
