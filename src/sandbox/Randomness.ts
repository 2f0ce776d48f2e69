/**
 * Where the sandbox's ids, tokens and signing key come from: the system's secure source, or a seed that repeats them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Encoding from "effect/Encoding"
import * as Random from "effect/Random"
import * as Ref from "effect/Ref"

/** Draws bytes. */
export interface Randomness {
  readonly bytes: (length: number) => Effect.Effect<Uint8Array>
  /** What is drawn next is what was drawn first, where there is a seed. */
  readonly rewind: Effect.Effect<void>
}

const secure: Randomness = {
  bytes: (length) => Effect.sync(() => crypto.getRandomValues(new Uint8Array(length))),
  rewind: Effect.void
}

/** From a seed the bytes repeat, and whoever knows the seed can guess them. A number is the same as its text. */
export const make = (seed: string | number | undefined): Effect.Effect<Randomness> =>
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
export const uuid = (bytes: Uint8Array): string =>
  Encoding.encodeHex(
    bytes.map((byte, index) => (index === 6 ? (byte & 0x0f) | 0x40 : index === 8 ? (byte & 0x3f) | 0x80 : byte))
  ).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5")
