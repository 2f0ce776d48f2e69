/** Where a process of a fleet can be made to wait, or to stand still, while it holds the right to renew. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import type { Connect } from "../../src/layers/store/StoreDriver.js"
import type { Point } from "./protocol.js"

export interface Waiting {
  /** The steps of the store, with the waiting between. */
  readonly store: (connect: Connect) => Connect
  /** The client for Nomba, with the waiting around each token call. */
  readonly client: (client: HttpClient.HttpClient) => HttpClient.HttpClient
  /** Ends the waiting. */
  readonly goOn: () => void
}

/**
 * It waits once, the first time that it gets to the point. `arrived` hears of it; `standStill` stops all of the process,
 * for the point after which nothing of its own runs before what comes next.
 */
export const makeWaiting = (
  waitAt: Point | undefined,
  arrived: (point: Point) => void,
  standStill: Effect.Effect<void>
): Waiting => {
  let hasWaited = false
  let goOn = (): void => {}

  const isDue = (point: Point): boolean => {
    if (hasWaited || point !== waitAt) return false
    hasWaited = true
    return true
  }

  const at = (point: Point): Effect.Effect<void> =>
    Effect.async((resume) => {
      if (!isDue(point)) return resume(Effect.void)
      goOn = () => resume(Effect.void)
      arrived(point)
    })

  const stopAt = (point: Point): Effect.Effect<void> =>
    Effect.suspend(() => {
      if (!isDue(point)) return Effect.void
      arrived(point)
      return standStill
    })

  return {
    store: (connect) => (key, leaseTime) =>
      Effect.map(connect(key, leaseTime), (driver) => ({
        ...driver,
        extend: (owner) => Effect.tap(driver.extend(owner), at("before the token call")),
        setRefreshInFlight: (owner, inFlight) =>
          Effect.tap(driver.setRefreshInFlight(owner, inFlight), at("before the token call")),
        commit: (owner, expectedVersion, write) =>
          Effect.zipRight(at("before the write"), driver.commit(owner, expectedVersion, write))
      })),
    client: HttpClient.transform((effect, request) =>
      request.url.includes("/v1/auth/")
        ? Effect.zipRight(stopAt("after the last look"), Effect.tap(effect, at("after the answer")))
        : effect
    ),
    goOn: () => goOn()
  }
}
