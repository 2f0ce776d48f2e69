/** What every part of the sandbox works on: settings, state, clock and signing key. */
import { createHash } from "node:crypto"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import type { Settings } from "../config/Options.js"
import type { Switches } from "../config/Switches.js"
import * as resourceRoutes from "../resources/routes.js"
import * as AccessToken from "./AccessToken.js"
import * as SandboxState from "./SandboxState.js"
import type { NewTokens } from "./Sessions.js"

export interface EmulatorService {
  readonly settings: Settings
  /** The resources that are there from the start, without those of the user. */
  readonly provided: ReturnType<typeof resourceRoutes.provided>
  /** The base URL, once the sandbox listens. */
  readonly url: Effect.Effect<string>
  readonly setUrl: (url: string) => Effect.Effect<void>
  readonly state: Effect.Effect<SandboxState.State>
  readonly switches: Effect.Effect<Switches>
  /** Changes the state in one step. */
  readonly transition: <A>(transition: SandboxState.Transition<A>) => Effect.Effect<A>
  /** Back to the state at the start. With a seed the first tokens come again. */
  readonly reset: Effect.Effect<void>
  /** Milliseconds: the clock of the calling fiber plus `clockOffset`. */
  readonly now: Effect.Effect<number>
  /** Draws tokens now; the client is named later. */
  readonly newTokens: Effect.Effect<(clientId: string) => NewTokens>
  /** An opaque secret: a ticket or an authorization code. */
  readonly token: Effect.Effect<Redacted.Redacted>
  /** Draws the ids that one request needs. */
  readonly newIds: Effect.Effect<() => string>
  /** Whose token this is, if it was signed here. */
  readonly verify: AccessToken.AccessTokens["verify"]
  /** The live dialect's `businessId`. */
  readonly businessId: (clientId: string) => string
}

export class Emulator extends Context.Tag("nomba-auth/sandbox/Emulator")<Emulator, EmulatorService>() {}

interface Randomness {
  readonly bytes: (length: number) => Effect.Effect<Uint8Array>
  /** With a seed, starts over. */
  readonly rewind: Effect.Effect<void>
}

const secure: Randomness = {
  bytes: (length) => Effect.sync(() => crypto.getRandomValues(new Uint8Array(length))),
  rewind: Effect.void
}

/** With a seed the bytes repeat, so anyone who knows the seed can predict them. */
const randomnessFrom = (seed: string | number | undefined): Effect.Effect<Randomness> =>
  seed === undefined
    ? Effect.succeed(secure)
    : Effect.map(Ref.make(Random.make(String(seed))), (random) => ({
        bytes: (length) =>
          Effect.flatMap(Ref.get(random), (source) =>
            Effect.map(Effect.replicateEffect(source.nextIntBetween(0, 256), length), (bytes) => Uint8Array.from(bytes))
          ),
        rewind: Ref.set(random, Random.make(String(seed)))
      }))

/** A UUID of version 4 (RFC 9562 section 5.4) of 16 bytes. */
const uuid = (bytes: Uint8Array): string =>
  Encoding.encodeHex(
    bytes.map((byte, index) => (index === 6 ? (byte & 0x0f) | 0x40 : index === 8 ? (byte & 0x3f) | 0x80 : byte))
  ).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")

/** The `businessId` of a client that was configured without an account. */
const defaultBusinessId = "0b5f2a86-6f0a-4f6c-9d0e-4a7f1c6f3d52"

export const make = (settings: Settings): Effect.Effect<EmulatorService> =>
  Effect.gen(function* () {
    const first = Effect.sync(() => SandboxState.initial(settings.switches, crypto.randomUUID(), settings.resources))
    const ref = yield* Effect.flatMap(first, Ref.make)
    const url = yield* Deferred.make<string>()
    const randomness = yield* randomnessFrom(settings.seed)
    const key = randomness.bytes(32)
    const tokens = AccessToken.make(yield* key)
    const switches = Effect.map(Ref.get(ref), (state) => state.switches)
    const now = Effect.zipWith(Clock.currentTimeMillis, switches, (millis, { clockOffset }) => millis + clockOffset)
    const businessId = (clientId: string): string => settings.clients.get(clientId)?.accountId ?? defaultBusinessId

    return {
      settings,
      provided: resourceRoutes.provided(settings),
      url: Deferred.await(url),
      setUrl: (address) => Deferred.succeed(url, address),
      state: Ref.get(ref),
      switches,
      transition: (transition) => Ref.modify(ref, transition),
      reset: first.pipe(
        Effect.flatMap((state) => Ref.set(ref, state)),
        Effect.zipRight(randomness.rewind),
        Effect.zipRight(key)
      ),
      now,
      newTokens: Effect.gen(function* () {
        const issuedAt = yield* now
        const { accessLifetime, refreshLifetime } = yield* switches
        const drawn = yield* randomness.bytes(64)
        const tokenId = uuid(drawn.subarray(0, 16))
        const sessionId = uuid(drawn.subarray(16, 32))
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
      newIds: Effect.map(randomness.bytes(16), (bytes) => {
        let drawn = 0
        return () => {
          drawn += 1
          return uuid(createHash("sha256").update(bytes).update(String(drawn)).digest().subarray(0, 16))
        }
      }),
      verify: tokens.verify,
      businessId
    }
  })
