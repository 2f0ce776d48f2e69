import { Headers, HttpClient, HttpClientRequest, type HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import type { NombaClientService } from "../../src/services/NombaClient.js"
import { clientOver } from "../support/client.js"
import { type Answer, fake, json, type Sent, text, unreachable } from "../support/http.js"
import { leaks, type Printed, printed } from "../support/leaks.js"
import { fixedCache } from "../support/tokenCache.js"

const bearer = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJtZUBleGFtcGxlLmNvbSJ9.c2lnbmF0dXJl-of_the_token"
const cache = { layer: fixedCache(Effect.sync(() => Redacted.make(bearer))) }

const echoed = { "x-echo": `Bearer ${bearer}`, "content-type": `text/html; a=${bearer}`, "set-cookie": `a=${bearer}` }

const answers: ReadonlyArray<readonly [string, (sent: Sent) => Answer]> = [
  ["a success", () => json(200, { token: bearer }, echoed)],
  ["a success without a body", () => text(204, null, echoed)],
  ["a 400", () => json(400, { description: bearer }, { "x-echo": bearer })],
  ["a 401", () => json(401, { description: bearer }, { "x-echo": bearer })],
  ["a 500", () => text(500, bearer, echoed)],
  ["a page", () => text(403, `<html>${bearer}</html>`, { ...echoed, "content-type": "text/html" })],
  ["a redirect", () => text(302, bearer, { ...echoed, location: `https://evil.example/?token=${bearer}` })],
  ["broken JSON", () => text(200, `{"a": ${bearer}`, { "content-type": "application/json" })],
  [
    "a body that breaks off",
    () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.error(Object.assign(new Error(bearer), { code: "ECONNRESET", bearer }))
        })
      )
  ],
  ["no connection", (sent) => unreachable(sent, Object.assign(new Error(bearer), { code: "ECONNREFUSED", bearer }))],
  ["a failure without a code", (sent) => unreachable(sent, new TypeError(`"Bearer ${bearer}" is not a header value`))]
]

type Use = (nomba: NombaClientService) => Effect.Effect<unknown, unknown>

const read =
  <A, E>(body: (response: HttpClientResponse.HttpClientResponse) => Effect.Effect<A, E>): Use =>
  (nomba) =>
    Effect.flatMap(nomba.get("/v1/x"), (response) => Effect.as(body(response), response))

const uses: ReadonlyArray<readonly [string, Use]> = [
  ["answered", (nomba) => nomba.get("/v1/x", { urlParams: { a: "1" } })],
  ["posted", (nomba) => nomba.execute(HttpClientRequest.bodyUnsafeJson(HttpClientRequest.post("/v1/x"), { a: 1 }))],
  ["read as text", read((response) => response.text)],
  ["read as JSON", read((response) => response.json)],
  ["read as form data", read((response) => response.formData)],
  ["read as bytes", read((response) => response.arrayBuffer)],
  ["under filterStatusOk", (nomba) => HttpClient.filterStatusOk(nomba).get("/v1/x")],
  [
    "under tap and retry",
    (nomba) => nomba.pipe(HttpClient.tap(Effect.log), HttpClient.retryTransient({ times: 1 })).get("/v1/x")
  ]
]

/** The headers of a response are what the server sent. */
const unasked = (found: ReadonlyArray<Printed>): ReadonlyArray<Printed> =>
  found.filter(([how]) => !how.startsWith("properties of"))

const isSilent = (found: ReadonlyArray<Printed>): void =>
  assert.deepStrictEqual(
    found.map(([how, text]) => `${how}: ${text.slice(0, 300)}`),
    []
  )

describe("the bearer token cannot be read", { timeout: 60_000 }, () => {
  it.effect("the probe of this test sees that of the platform's own client", () =>
    Effect.gen(function* () {
      const plain = HttpClient.mapRequest(
        fake(() => json(200, {})).client,
        HttpClientRequest.bearerToken(Redacted.make(bearer))
      )
      const hows = leaks(yield* printed(plain.get("https://nomba.test/v1/x")), [bearer]).map(([how]) => how)
      for (const how of [
        "inspect the exit deeply",
        "JSON of the exit",
        "properties of what it holds",
        "a span's status"
      ]) {
        assert.include(hows, how)
      }
    })
  )

  for (const [what, answer] of answers) {
    for (const [how, use] of uses) {
      it.effect(`${what}, ${how}`, () =>
        Effect.gen(function* () {
          const nomba = yield* clientOver(fake(answer), cache)
          isSilent(unasked(leaks(yield* printed(use(nomba)), [bearer])))
        })
      )
    }
  }

  it.effect("in any property of a response, if the server does not echo it", () =>
    Effect.gen(function* () {
      const nomba = yield* clientOver(
        fake(() => json(200, { a: 1 }, { "x-a": "1" })),
        cache
      )
      for (const [, use] of uses) isSilent(leaks(yield* printed(use(nomba)), [bearer]))
    })
  )

  it.effect("in the client itself", () =>
    Effect.gen(function* () {
      const nomba = yield* clientOver(
        fake(() => json(200, {})),
        cache
      )
      yield* nomba.get("/v1/x")
      isSilent(leaks(yield* printed(Effect.succeed(nomba)), [bearer]))
    })
  )

  it.effect("although the names of redacted headers were changed", () =>
    Effect.gen(function* () {
      const nomba = yield* clientOver(
        fake(() => json(200, {}, echoed)),
        cache
      )
      isSilent(
        unasked(leaks(yield* printed(Effect.locally(nomba.get("/v1/x"), Headers.currentRedactedNames, [])), [bearer]))
      )
    })
  )
})
