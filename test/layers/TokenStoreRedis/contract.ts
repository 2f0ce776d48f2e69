/** The contract of token stores, over a Redis server and real time. */
import { it } from "@effect/vitest"
import { Duration, Effect, Redacted } from "effect"
import * as SessionCodec from "../../../src/layers/SessionCodec.js"
import * as Driver from "../../../src/layers/store/redis/Driver.js"
import * as RedisConnection from "../../../src/layers/store/redis/RedisConnection.js"
import * as TokenStoreRedis from "../../../src/layers/TokenStoreRedis.js"
import type { StoreKey } from "../../../src/schemas/StoreKey.js"
import { faultyTokenStore, tokenStoreContract } from "../../../src/testing/TokenStoreContract.js"
import { describeRedis } from "../../support/describeRedis.js"
import type { RedisServerService } from "../../support/redis.js"

/** Where the entry of a key is. */
export const entryOf = (key: StoreKey): string => `nomba-auth:{${key}}`

/** When what a key holds expires, by Redis's clock. */
export const untilOf = ({ call }: RedisServerService, key: StoreKey): Effect.Effect<number> =>
  Effect.map(Effect.orDie(call("HGET", entryOf(key), "until")), Number)

type Make = (server: RedisServerService) => ReturnType<typeof TokenStoreRedis.make>

/** Long, because the contract is not about it, and its cases run all at once. */
export const commandTimeout = Duration.seconds(2)

const own: Make = ({ url }) =>
  TokenStoreRedis.make({ url: Redacted.make(url), codec: SessionCodec.plain, commandTimeout })

export interface ContractOptions {
  readonly make?: Make
  /** Leaves out what lets more time pass than that. */
  readonly atMost?: Duration.DurationInput
}

export const describeContract = (
  name: string,
  { atMost = Number.POSITIVE_INFINITY, make = own }: ContractOptions = {}
) =>
  describeRedis(name, (server) => {
    const cases = tokenStoreContract({
      store: Effect.orDie(Effect.flatMap(server, make)),
      faulty: Effect.gen(function* () {
        const connection = yield* RedisConnection.fromUrl(Redacted.make((yield* server).url))
        return yield* faultyTokenStore(yield* Driver.make(connection, { codec: SessionCodec.plain, commandTimeout }))
      }),
      snapshot: (key) =>
        Effect.flatMap(server, ({ call }) =>
          Effect.map(call("HGETALL", entryOf(key)), (fields) =>
            Effect.zipRight(call("DEL", entryOf(key)), call("HSET", entryOf(key), ...(fields as ReadonlyArray<string>)))
          )
        ),
      pass: Effect.sleep
    })
    for (const { effect, name, passes } of cases) {
      if (Duration.lessThanOrEqualTo(passes, atMost)) it.scopedLive(name, () => effect)
    }
  })
