/** The token cache over the HTTP client: what a refresh that certainly was not processed costs. */
import { assert, describe, it } from "@effect/vitest"
import { Effect, TestClock } from "effect"
import { granted, once, refreshToken } from "../support/auth.js"
import { type Answer, fake, json, type Sent, unreachable } from "../support/http.js"
import { getText, makeCache } from "../support/upstream.js"

const isRefresh = ({ url }: Sent): boolean => url.endsWith("/refresh")

const failures: ReadonlyArray<
  readonly [what: string, reason: "RateLimited" | "Network", answer: (sent: Sent) => Answer]
> = [
  ["a 429", "RateLimited", () => json(429, {}, { "retry-after": "20" })],
  ["code 429 in a 200", "RateLimited", () => json(200, { code: "429" })],
  [
    "a refused connection",
    "Network",
    (sent) => unreachable(sent, Object.assign(new Error(), { code: "ECONNREFUSED", syscall: "connect" }))
  ]
]

describe("TokenCache.get without a live token", () => {
  for (const [what, reason, answer] of failures) {
    it.scoped(`does not issue after ${what} on refresh, and refreshes with the same token later`, () =>
      Effect.gen(function* () {
        let refreshes = 0
        const http = fake((sent) => {
          if (!isRefresh(sent)) return granted()
          refreshes += 1
          return refreshes === 1 ? answer(sent) : granted({ access_token: "refreshed" })
        })
        const cache = yield* makeCache({ upstream: { auth: yield* once(http) } })
        yield* getText(cache)
        yield* TestClock.adjust("2 hours")

        assert.deepInclude(yield* Effect.flip(getText(cache)), { _tag: "Unavailable", reason, processed: "no" })
        const paths = () => http.sent.map(({ url }) => new URL(url).pathname.split("/").at(-1))
        assert.deepStrictEqual(paths(), ["issue", "refresh"])

        yield* TestClock.adjust("21 seconds")
        assert.strictEqual(yield* getText(cache), "refreshed")
        assert.deepStrictEqual(paths(), ["issue", "refresh", "refresh"])
        assert.deepInclude(http.sent[2]?.json(), { refresh_token: refreshToken })
      })
    )
  }
})
