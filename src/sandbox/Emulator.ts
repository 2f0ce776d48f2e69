/**
 * What every part of the sandbox works on: its settings, its memory, its clock and its signing key.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Redacted from "effect/Redacted"
import * as Ref from "effect/Ref"
import * as AccessToken from "./AccessToken.js"
import type { Settings } from "./Options.js"
import * as SandboxState from "./SandboxState.js"

/** The workings of one sandbox. */
export interface EmulatorService {
  readonly settings: Settings
  /** What it remembers at the moment. */
  readonly state: Effect.Effect<SandboxState.State>
  /** Changes the memory in one step. */
  readonly transition: <A>(transition: SandboxState.Transition<A>) => Effect.Effect<A>
  /** Forgets everything. */
  readonly reset: Effect.Effect<void>
  /** The sandbox's time in milliseconds: the clock of the calling fiber, and the configured offset. */
  readonly now: Effect.Effect<number>
  /** New tokens, drawn now, for whichever client turns out to get them. */
  readonly mint: Effect.Effect<(clientId: string) => SandboxState.Session>
  /** Whose token this is, if it was signed here. */
  readonly verify: AccessToken.AccessTokens["verify"]
  /** Whether the `accountId` header of a request fits the client. */
  readonly admits: (accountId: string | undefined) => (clientId: string) => boolean
  /** The live dialect's `businessId`. */
  readonly businessId: (clientId: string) => string
}

/** The workings, for the handlers. */
export class Emulator extends Context.Tag("nomba-auth/sandbox/Emulator")<Emulator, EmulatorService>() {}

const random = (bytes: number): Uint8Array => crypto.getRandomValues(new Uint8Array(bytes))

/** The `businessId` of a client that was configured without an account. */
const someBusiness = "0b5f2a86-6f0a-4f6c-9d0e-4a7f1c6f3d52"

/** New workings, with a memory and a signing key of their own. */
export const make = (settings: Settings): Effect.Effect<EmulatorService> =>
  Effect.gen(function* () {
    const ref = yield* Ref.make(SandboxState.empty)
    const tokens = AccessToken.make(random(32))
    const now = Effect.map(Clock.currentTimeMillis, (millis) => millis + settings.clockOffset)
    const businessId = (clientId: string): string => settings.clients.get(clientId)?.accountId ?? someBusiness

    return {
      settings,
      state: Ref.get(ref),
      transition: (transition) => Ref.modify(ref, transition),
      reset: Ref.set(ref, SandboxState.empty),
      now,
      mint: Effect.map(now, (issuedAt) => {
        const tokenId = crypto.randomUUID()
        const refreshToken = Redacted.make(Encoding.encodeBase64Url(random(32)))
        const expiresAt = issuedAt + settings.accessLifetime
        return (clientId) => ({
          clientId,
          tokenId,
          accessToken: tokens.sign({ clientId, tokenId, issuedAt, expiresAt, businessId: businessId(clientId) }),
          refreshToken,
          issuedAt,
          expiresAt,
          refreshExpiresAt: issuedAt + settings.refreshLifetime
        })
      }),
      verify: tokens.verify,
      admits: (accountId) => (clientId) => {
        if (settings.accountHeader === "ignored") return true
        if (accountId === undefined) return settings.accountHeader === "optional"
        const expected = settings.clients.get(clientId)?.accountId
        return expected === undefined || expected === accountId
      },
      businessId
    }
  })
