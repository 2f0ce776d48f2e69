import { assert, describe, it } from "@effect/vitest"
import { Effect, FastCheck as fc, Redacted } from "effect"
import { type AuthError, Pkce } from "nomba-auth"

const redirectUri = "https://shop.example/callback?shop=1"
const text = Redacted.value<string>

const begin = (changes: Partial<Pkce.Options> = {}) =>
  Effect.map(
    Pkce.authorizationUrl({
      clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
      redirectUri,
      baseUrl: "https://nomba.test",
      ...changes
    }),
    ({ pending }) => ({ pending, state: text(pending.state) })
  )

type Parameters = ReadonlyArray<readonly [string, string]>

const urlOf = (parameters: Parameters): string => `${redirectUri}&${new URLSearchParams(parameters.map((_) => [..._]))}`

const issuesOf = (error: AuthError): ReadonlyArray<string> => {
  assert.strictEqual(error._tag, "UnexpectedResponse")
  assert.propertyVal(error, "reason", "Callback")
  return error._tag === "UnexpectedResponse" ? error.issues : []
}

/** A callback of a login of its own, and why it was refused. */
const refused = (parametersOf: (state: string) => Parameters, options: Partial<Pkce.Options> = {}) =>
  Effect.gen(function* () {
    const { pending, state } = yield* begin(options)
    const parameters = parametersOf(state)
    const error = yield* Effect.flip(Pkce.callback(pending, urlOf(parameters)))
    assert.strictEqual(error.operation, "authorize")
    for (const [, value] of parameters) if (value.length > 3) assert.notInclude(error.message, value)
    return issuesOf(error)
  })

describe("Pkce.callback", () => {
  it.live("gives the options of exchange for a URL, a text or a path", () =>
    Effect.gen(function* () {
      for (const spell of [
        (url: string) => url,
        (url: string) => new URL(url),
        (url: string) => url.slice("https://shop.example".length)
      ]) {
        const { pending, state } = yield* begin()
        const url = urlOf([
          ["code", "a b+c/~"],
          ["state", state],
          ["iss", "https://nomba.test"],
          ["session_state", "whatever"]
        ])
        const granted = yield* Pkce.callback(pending, spell(url))
        assert.strictEqual(text(granted.code), "a b+c/~")
        assert.strictEqual(text(granted.verifier), text(pending.verifier))
        assert.strictEqual(granted.redirectUri, redirectUri)
      }
    })
  )

  it.live("accepts a callback once, with any outcome and any copy of the pending login", () =>
    Effect.gen(function* () {
      for (const outcome of [
        ["code", "c-1"],
        ["error", "access_denied"],
        ["error", "whatever"]
      ] as const) {
        const { pending, state } = yield* begin()
        const url = urlOf([["state", state], outcome])
        const kept = new Pkce.PendingLogin({ ...pending })
        yield* Effect.exit(Pkce.callback(pending, url))
        for (const again of [pending, kept]) {
          const error = yield* Effect.flip(Pkce.callback(again, url))
          assert.deepStrictEqual(issuesOf(error), ["state: used before"])
        }
      }
    })
  )

  it.live("leaves the login pending if the callback is of another login", () =>
    Effect.gen(function* () {
      const mine = yield* begin()
      const other = yield* begin()
      for (const state of [other.state, "", "x", mine.state.slice(1), `${mine.state}x`, mine.state.toLowerCase()]) {
        const error = yield* Effect.flip(
          Pkce.callback(
            mine.pending,
            urlOf([
              ["code", "hostile"],
              ["state", state]
            ])
          )
        )
        assert.deepStrictEqual(issuesOf(error), [state === "" ? "state: missing" : "state: of another login"])
      }
      const taken = yield* Pkce.callback(mine.pending, `/callback?code=good&state=${mine.state}`)
      assert.strictEqual(text(taken.code), "good")
    })
  )

  it.live("rejects a callback at another origin or path than the redirect URI's, and leaves the login pending", () =>
    Effect.gen(function* () {
      const loopback = "http://127.0.0.1:53211/callback"
      const native = "com.example.shop:/callback"
      for (const [redirect, elsewhere, ...issues] of [
        [redirectUri, "https://evil.example/callback", "origin"],
        [redirectUri, "http://shop.example/callback", "origin"],
        [redirectUri, "https://shop.example:8443/callback", "origin"],
        [redirectUri, "https://user@shop.example/callback", "origin"],
        [redirectUri, "//evil.example/callback", "origin"],
        [redirectUri, "https://shop.example/callback/", "path"],
        [redirectUri, "https://shop.example/Callback", "path"],
        [redirectUri, "/", "path"],
        [redirectUri, "com.example.shop:/", "origin", "path"],
        [loopback, "http://localhost:53211/callback", "origin"],
        [loopback, "https://127.0.0.1:53211/callback", "origin"],
        [native, "com.example.other:/callback", "origin"],
        [native, "com.example.shop:/other", "path"]
      ] as const) {
        const { pending, state } = yield* begin({ redirectUri: redirect })
        const query = `?code=good&state=${state}`
        const error = yield* Effect.flip(Pkce.callback(pending, `${elsewhere}${query}`))
        assert.deepStrictEqual(
          issuesOf(error),
          issues.map((part) => `callback: ${part} is not the redirect URI's`),
          elsewhere
        )
        const uri = new URL(redirect)
        // A loopback address may have another port each time (RFC 8252 section 7.3).
        if (redirect === loopback) uri.port = "50000"
        uri.search = query
        assert.strictEqual(text((yield* Pkce.callback(pending, uri)).code), "good")
      }
    })
  )

  it.live("rejects a hostile callback with an error that quotes none of it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* refused(() => []), ["state: missing"])
      assert.deepStrictEqual(yield* refused(() => [["code", "hostile"]]), ["state: missing"])
      assert.deepStrictEqual(yield* refused((state) => [["state", state]]), ["code: missing"])
      assert.deepStrictEqual(
        yield* refused((state) => [
          ["state", state],
          ["code", ""],
          ["error", ""]
        ]),
        ["code: missing"]
      )
      assert.deepStrictEqual(
        yield* refused((state) => [
          ["state", state],
          ["code", "hostile\u0000code"]
        ]),
        ["code: malformed"]
      )
      assert.deepStrictEqual(
        yield* refused((state) => [
          ["state", state],
          ["code", "first"],
          ["code", "second"]
        ]),
        ["code: repeated"]
      )
      assert.deepStrictEqual(
        yield* refused((state) => [
          ["state", state],
          ["state", state],
          ["error", "access_denied"],
          ["error", "server_error"]
        ]),
        ["state: repeated", "error: repeated"]
      )
      assert.deepStrictEqual(
        yield* refused((state) => [
          ["state", state],
          ["code", "hostile"],
          ["error", "access_denied"]
        ]),
        ["code: with an error"]
      )
      assert.deepStrictEqual(
        yield* refused((state) => [
          ["state", state],
          ["error", "hostile_error"]
        ]),
        ["error: unknown"]
      )
      assert.deepStrictEqual(
        yield* refused((state) => [
          ["state", state],
          ["code", "x".repeat(9000)]
        ]),
        ["callback: too long"]
      )
      const { pending } = yield* begin()
      assert.deepStrictEqual(issuesOf(yield* Effect.flip(Pkce.callback(pending, "http://[hostile"))), [
        "callback: not a URL"
      ])
    })
  )

  it.live("rejects a callback of another issuer (RFC 9207)", () =>
    Effect.gen(function* () {
      const from =
        (...iss: Parameters) =>
        (state: string): Parameters => [["state", state], ["code", "hostile"], ...iss]
      const issuer = "https://issuer.example"
      assert.deepStrictEqual(yield* refused(from(["iss", "https://evil.example"])), ["iss: of another server"])
      assert.deepStrictEqual(yield* refused(from(["iss", "https://nomba.test/"])), ["iss: of another server"])
      assert.deepStrictEqual(yield* refused(from(["iss", "https://nomba.test"]), { issuer }), [
        "iss: of another server"
      ])
      assert.deepStrictEqual(yield* refused(from(), { issuer }), ["iss: missing"])
      const { pending, state } = yield* begin({ issuer })
      assert.strictEqual(text((yield* Pkce.callback(pending, urlOf(from(["iss", issuer])(state)))).code), "hostile")
    })
  )

  it.live("fails with the tag that fits each error of RFC 6749 section 4.1.2.1", () =>
    Effect.gen(function* () {
      for (const [code, tag, message] of [
        ["access_denied", "Expired", 'The login was denied (code access_denied, "no ***").'],
        ["invalid_request", "InvalidRequest", 'Nomba rejected the authorize request (code invalid_request, "no ***").'],
        ["unsupported_response_type", "InvalidRequest", "unsupported_response_type"],
        ["invalid_scope", "InvalidRequest", "invalid_scope"],
        ["unauthorized_client", "InvalidCredentials", "Check the client id"],
        ["server_error", "Unavailable", 'Nomba failed (authorize, code server_error, "no ***").'],
        ["temporarily_unavailable", "Unavailable", "temporarily_unavailable"]
      ] as const) {
        const { pending, state } = yield* begin()
        const parameters = [
          ["error", code],
          ["error_description", `no\n${text(pending.verifier)}`],
          ["error_uri", "https://evil.example"],
          ["state", state]
        ] as const
        const error = yield* Effect.flip(Pkce.callback(pending, urlOf(parameters)))
        assert.strictEqual(error._tag, tag)
        assert.include(error.message, message)
        assert.propertyVal(error, "code", code)
        assert.notInclude(error.message, "evil")
        const plain = yield* begin()
        const bare = yield* Effect.flip(Pkce.callback(plain.pending, `?error=${code}&state=${plain.state}`))
        assert.strictEqual(bare._tag, tag)
        assert.notProperty(bare, "description")
      }
    })
  )

  it.live("gives a typed result for any text", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.string({ unit: "binary" }),
            fc.webUrl({ withQueryParameters: true }),
            fc
              .array(fc.tuple(fc.constantFrom("code", "state", "error", "iss"), fc.string({ unit: "binary" })))
              .map((pairs) => `?${new URLSearchParams(pairs)}`)
          ),
          async (url) => {
            const { pending } = await Effect.runPromise(begin())
            const error = await Effect.runPromise(Effect.flip(Pkce.callback(pending, url)))
            assert.strictEqual(error._tag, "UnexpectedResponse")
          }
        )
      )
    )
  )
})
