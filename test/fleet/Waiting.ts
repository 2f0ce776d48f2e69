/** Makes a process of a fleet wait, or pause entirely, at a point of its renewal. */
import * as HttpClient from "@effect/platform/HttpClient"
import * as Effect from "effect/Effect"
import type { Connect } from "../../src/layers/store/StoreDriver.js"
import type { Point } from "./protocol.js"

export interface Waiting {
  /** The steps of the store, with the waiting between them. */
  readonly store: (connect: Connect) => Connect
  /** The client for Nomba, with the waiting around each token request. */
  readonly client: (client: HttpClient.HttpClient) => HttpClient.HttpClient
  /** Ends the waiting. */
  readonly goOn: () => void
}

/**
 * Waits once, the first time that the process gets to the point, and reports it to `arrived`. After the final check nothing
 * of the library may run before the request goes out, so there `pause` stops the whole process.
 */
export const makeWaiting = (
  waitAt: Point | undefined,
  arrived: (point: Point) => void,
  pause: Effect.Effect<void>
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
      return pause
    })

  return {
    store: (connect) => (key, leaseTime) =>
      Effect.map(connect(key, leaseTime), (driver) => ({
        ...driver,
        extend: (owner) => Effect.tap(driver.extend(owner), at("before the token request")),
        setRefreshInFlight: (owner, inFlight) =>
          Effect.tap(driver.setRefreshInFlight(owner, inFlight), at("before the token request")),
        commit: (owner, expectedVersion, write) =>
          Effect.zipRight(at("before the commit"), driver.commit(owner, expectedVersion, write))
      })),
    client: HttpClient.transform((effect, request) =>
      request.url.includes("/v1/auth/")
        ? Effect.zipRight(stopAt("after its final check"), Effect.tap(effect, at("after the response")))
        : effect
    ),
    goOn: () => goOn()
  }
}
