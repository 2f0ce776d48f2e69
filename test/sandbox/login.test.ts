import { HttpClientRequest, OpenApi } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { assertNone } from "@effect/vitest/utils"
import { Effect, FastCheck as fc, Layer, Option, Redacted, TestClock } from "effect"
import { Nomba, NombaAuth, NombaClient, Pkce, PublicLogin, TokenCache, TokenStoreMemory } from "nomba-auth"
import { NombaApi, Sandbox } from "nomba-auth/sandbox"
import * as RedirectUri from "../../src/sandbox/login/RedirectUri.js"
import { assertRefused, post } from "./support.js"

const { clientId } = Sandbox.defaultClient
const redirectUri = "http://127.0.0.1:53211/callback"
const verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
const challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

const asked = {
  response_type: "code",
  client_id: clientId,
  redirect_uri: redirectUri,
  state: "a state & more",
  code_challenge: challenge,
  code_challenge_method: "S256"
}

type Changes = { readonly [name: string]: string | undefined }

const queryOf = (changes: Changes): string =>
  new URLSearchParams(
    Object.entries({ ...asked, ...changes }).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  ).toString()

const visit = (query: string, headers: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const { client, url } = yield* Sandbox
    const response = yield* client.get(`${url}/v1/auth/authorize?${query}`, { headers })
    return { status: response.status, headers: response.headers, text: yield* response.text }
  })

const ticketOf = (html: string): string => /name="ticket" value="([^"]+)"/.exec(html)?.[1] ?? ""

const answer = (form: Record<string, string>, headers: Record<string, string> = {}) =>
  Effect.gen(function* () {
    const { client, url } = yield* Sandbox
    const request = HttpClientRequest.post(`${url}/v1/auth/authorize`).pipe(
      HttpClientRequest.bodyUrlParams(form),
      HttpClientRequest.setHeaders(headers)
    )
    const response = yield* client.execute(request)
    return { status: response.status, location: response.headers["location"] ?? "", text: yield* response.text }
  })

/** Where a person who answered so is sent. */
const decide = (decision: string, changes: Changes = {}) =>
  Effect.gen(function* () {
    const { text } = yield* visit(queryOf(changes))
    const { location, status } = yield* answer({ ticket: ticketOf(text), decision })
    assert.strictEqual(status, 303)
    return new URL(location)
  })

const approved = (changes: Changes = {}) =>
  Effect.map(decide("approve", changes), ({ searchParams }) => searchParams.get("code") ?? "")

const exchange = (code: string, changes: Record<string, unknown> = {}) =>
  post("/v1/auth/token/issue", {
    grant_type: "authorization_code",
    client_id: clientId,
    code,
    code_verifier: verifier,
    redirect_uri: redirectUri,
    ...changes
  })

const publicClient = {
  clientId: "b8f0f3a1-1d55-4c59-8ee1-6a8f0c5e8a01",
  redirectUris: ["https://shop.example/callback", "com.example.shop:/callback"]
}

describe("the login page", () => {
  it.effect("asks the user, and returns the decision with the unchanged state", () =>
    Effect.gen(function* () {
      const { headers, status, text } = yield* visit(queryOf({}))
      assert.strictEqual(status, 200)
      assert.include(headers["content-type"], "text/html")
      assert.strictEqual(headers["cache-control"], "no-store")
      assert.include(headers["content-security-policy"], "default-src 'none'")
      assert.include(headers["content-security-policy"], "frame-ancestors 'none'")
      assert.notProperty(headers, "access-control-allow-origin")
      assert.notInclude(text, asked.state)
      assert.notInclude(text, challenge)
      for (const [decision, expected] of [
        ["approve", ["code", "state"]],
        ["deny", ["error", "error_description", "state"]]
      ] as const) {
        const { href, searchParams } = yield* decide(decision)
        assert.isTrue(href.startsWith(`${redirectUri}?`))
        assert.deepStrictEqual([...searchParams.keys()], [...expected])
        assert.strictEqual(searchParams.get("state"), asked.state)
        if (decision === "deny") assert.strictEqual(searchParams.get("error"), "access_denied")
      }
      const stateless = yield* decide("approve", { state: undefined })
      assert.deepStrictEqual([...stateless.searchParams.keys()], ["code"])
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("shows errors that must not be sent to the redirect URI", () =>
    Effect.gen(function* () {
      for (const query of [
        queryOf({ client_id: "<script>" }),
        queryOf({ client_id: undefined }),
        queryOf({ redirect_uri: undefined }),
        queryOf({ redirect_uri: "https://evil.example/callback" }),
        queryOf({ redirect_uri: "http://127.0.0.1:53211/callback/.." }),
        queryOf({ redirect_uri: "http://127.0.0.1:99999/callback" }),
        `${queryOf({})}&redirect_uri=${encodeURIComponent(redirectUri)}`,
        `${queryOf({})}&client_id=${clientId}`
      ]) {
        const { headers, status, text } = yield* visit(query)
        assert.strictEqual(status, 400)
        assert.notProperty(headers, "location")
        assert.notInclude(text, "evil")
        assert.notInclude(text, "<script>")
      }
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("is logged and counted, like its form, without secrets", () =>
    Effect.gen(function* () {
      const { counts, view } = yield* Sandbox
      const { text } = yield* visit(queryOf({}))
      const ticket = ticketOf(text)
      const { location } = yield* answer({ ticket, decision: "approve" })
      const code = new URL(location).searchParams.get("code") ?? ""
      assert.lengthOf(code, 43)
      yield* answer({ ticket, decision: "approve" })
      const denied = ticketOf((yield* visit(queryOf({}))).text)
      yield* answer({ ticket: denied, decision: "deny" })
      yield* answer({ ticket: denied, decision: "perhaps" })
      yield* visit(queryOf({ redirect_uri: "https://evil.example/callback" }))
      yield* visit(queryOf({ response_type: "token" }))
      yield* visit(queryOf({}), { host: "evil.example" })
      const told = (yield* view).requests.map(({ clientId: of, method, operation, outcome, path, status, why }) => {
        assert.strictEqual(`${operation} ${path}`, "authorize /v1/auth/authorize")
        return [method, status, outcome, of === clientId, why]
      })
      assert.deepStrictEqual(told.reverse(), [
        ["GET", 200, "succeeded", true, undefined],
        ["POST", 303, "succeeded", true, undefined],
        ["POST", 400, "refused", false, "this login was answered before, or took longer than ten minutes"],
        ["GET", 200, "succeeded", true, undefined],
        ["POST", 303, "refused", true, "the user denied the request"],
        ["POST", 400, "refused", false, "the decision must be approve or deny"],
        ["GET", 400, "refused", false, "the redirect_uri is not registered for this client"],
        ["GET", 303, "refused", true, "response_type must be code"],
        ["GET", 403, "refused", false, "Host: is not this sandbox's own, and not among allowedHosts"]
      ])
      const { authorize, other } = yield* counts
      const statuses = { "200": 2, "303": 3, "400": 3, "403": 1 }
      assert.deepStrictEqual(authorize, { requests: 9, succeeded: 3, refused: 6, faulted: 0, statuses })
      assert.strictEqual(other.requests, 0)
      const log = JSON.stringify(yield* view)
      for (const secret of [ticket, denied, code, challenge, asked.state]) assert.notInclude(log, secret)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("returns all other errors to the client", () =>
    Effect.gen(function* () {
      for (const [changes, error] of [
        [{ response_type: undefined }, "invalid_request"],
        [{ response_type: "token" }, "unsupported_response_type"],
        [{ code_challenge: undefined }, "invalid_request"],
        [{ code_challenge: "short" }, "invalid_request"],
        [{ code_challenge_method: "plain" }, "invalid_request"],
        [{ code_challenge_method: undefined }, "invalid_request"]
      ] as const) {
        const { headers, status } = yield* visit(queryOf(changes))
        assert.strictEqual(status, 303)
        const { searchParams } = new URL(headers["location"] ?? "")
        assert.strictEqual(searchParams.get("error"), error)
        assert.strictEqual(searchParams.get("state"), asked.state)
      }
      const { headers } = yield* visit(`${queryOf({})}&code_challenge=${challenge}`)
      assert.include(headers["location"], "error=invalid_request")
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("accepts a decision once, from itself, within ten minutes", () =>
    Effect.gen(function* () {
      const ticket = ticketOf((yield* visit(queryOf({}))).text)
      assert.strictEqual((yield* visit(queryOf({}), { host: "evil.example" })).status, 403)
      const foreign = yield* answer({ ticket, decision: "approve" }, { origin: "https://evil.example" })
      assert.strictEqual(foreign.status, 403)
      const long = yield* answer({ ticket, decision: "approve", padding: "x".repeat(2000) })
      assert.strictEqual(long.status, 400)
      const unclear = yield* answer({ ticket, decision: "perhaps" })
      assert.strictEqual(unclear.status, 400)
      assert.strictEqual((yield* answer({ ticket, decision: "approve" })).status, 303)
      assert.strictEqual((yield* answer({ ticket, decision: "approve" })).status, 400)
      assert.strictEqual((yield* answer({ ticket: "guessed", decision: "approve" })).status, 400)
      assert.strictEqual((yield* answer({ ticket: "x".repeat(2000), decision: "approve" })).status, 400)

      const late = ticketOf((yield* visit(queryOf({}))).text)
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* answer({ ticket: late, decision: "approve" })).status, 400)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("is not part of the description of Nomba's API", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      assert.notInclude(JSON.stringify(OpenApi.fromApi(NombaApi)), "authorize")
      const served = yield* Effect.flatMap(client.get(`${url}/openapi.json`), (response) => response.text)
      assert.notInclude(served, "authorize")
      const other = yield* client.execute(HttpClientRequest.put(`${url}/v1/auth/authorize`))
      assert.strictEqual(other.status, 405)
      assert.strictEqual(other.headers["allow"], "GET, POST")
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("escapes its content", () =>
    Effect.gen(function* () {
      const odd = { ...asked, client_id: `<b>"'&`, redirect_uri: "https://shop.example/callback" }
      const { text } = yield* visit(new URLSearchParams(odd).toString())
      assert.include(text, "&lt;b&gt;&quot;&#39;&amp;")
    }).pipe(
      Effect.provide(
        Sandbox.layer({ clients: [{ clientId: `<b>"'&`, redirectUris: ["https://shop.example/callback"] }] })
      )
    )
  )
})

describe("a redirect URI", () => {
  it("is compared character by character, except for the port of a loopback address", () => {
    const registered = [
      "https://shop.example/callback",
      "http://127.0.0.1/callback",
      "http://[::1]:1/callback?a=1",
      "com.example.shop:/callback"
    ]
    for (const uri of [
      ...registered,
      "http://127.0.0.1:53211/callback",
      "http://[::1]/callback?a=1",
      "http://[::1]:65535/callback?a=1"
    ]) {
      assert.isTrue(RedirectUri.isRegistered(registered, uri), uri)
    }
    for (const uri of [
      "https://shop.example/callback/",
      "https://shop.example/callback?x=1",
      "https://shop.example:443/callback",
      "https://SHOP.example/callback",
      "https://shop.example.evil.example/callback",
      "http://shop.example/callback",
      "http://127.0.0.1/other",
      "http://127.0.0.1:53211",
      "http://127.0.0.1:5@evil.example/callback",
      "http://127.0.0.1.evil.example/callback",
      "http://127.0.0.1:/callback",
      "http://127.0.0.1:123456/callback",
      "http://127.0.0.1:65536/callback",
      "https://127.0.0.1/callback",
      "http://localhost/callback",
      "http://[::1]/callback"
    ]) {
      assert.isFalse(RedirectUri.isRegistered(registered, uri), uri)
    }
    assert.isFalse(RedirectUri.isRegistered([], "http://127.0.0.1/callback"))
  })

  it("that differs in anything but the port is rejected", () => {
    fc.assert(
      fc.property(fc.webUrl({ withQueryParameters: true }), fc.webUrl({ withQueryParameters: true }), (one, other) => {
        assert.strictEqual(RedirectUri.isRegistered([one], other), one === other)
      })
    )
  })
})

describe("a code", () => {
  it.effect("is exchanged once, with the verifier and without a secret", () =>
    Effect.gen(function* () {
      const code = yield* approved()
      const { json, status } = yield* exchange(code)
      assert.strictEqual(status, 200)
      assert.isString(json.data.access_token)
      assert.isString(json.data.refresh_token)
      assert.strictEqual((yield* (yield* Sandbox).counts).issued, 1)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("that is used again is rejected, and ends its session, even a refreshed one", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      const code = yield* approved()
      const { json } = yield* exchange(code)
      const refreshed = yield* post("/v1/auth/token/refresh", {
        grant_type: "refresh_token",
        refresh_token: json.data.refresh_token
      })
      assert.strictEqual(refreshed.status, 200)
      const used = "code: was used before; a session that it started has ended"
      assertRefused(yield* exchange(code), 401, used)
      assertNone(yield* sandbox.session())
      const fresh = yield* exchange(yield* approved())
      assert.strictEqual(fresh.status, 200)
      assertRefused(yield* exchange(code), 401, used)
      assert.isTrue(Option.isSome(yield* sandbox.session()), "a later session was ended by an old code")
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("is valid for 60 seconds", () =>
    Effect.gen(function* () {
      const quick = yield* approved()
      yield* TestClock.adjust("59 seconds")
      assert.strictEqual((yield* exchange(quick)).status, 200)
      const slow = yield* approved()
      yield* TestClock.adjust("60 seconds")
      assertRefused(yield* exchange(slow), 401, "code: has expired; it lives for 60 seconds")
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("is valid only for its client, verifier and redirect URI, and for one try", () =>
    Effect.gen(function* () {
      for (const [changes, error] of [
        [{ code_verifier: "x".repeat(43) }, "code_verifier: does not fit the challenge"],
        [{ code_verifier: challenge }, "code_verifier: does not fit the challenge"],
        [{ redirect_uri: "http://127.0.0.1:53212/callback" }, "redirect_uri: is not the one that the code was sent to"]
      ] as const) {
        const code = yield* approved()
        assertRefused(yield* exchange(code, changes), 401, error)
        assertRefused(yield* exchange(code), 401, "code: was used before; a session that it started has ended")
      }
      const code = yield* approved()
      const other = { client_id: publicClient.clientId }
      assertRefused(yield* exchange(code, other), 401, "client_id: the code is another client's")
      assert.strictEqual((yield* exchange(code)).status, 200, "another client spoiled the code")
      assertRefused(yield* exchange("guessed"), 401, "code: is not from this sandbox, or was forgotten")
      assertRefused(yield* exchange(code, { client_id: "?" }), 401, "client_id: is not known to this sandbox")
      assertRefused(yield* exchange(code, { code_verifier: 7 }), 400, "code_verifier: must be a string")
    }).pipe(Effect.provide(Sandbox.layer({ clients: [Sandbox.defaultClient, publicClient] })))
  )

  it.effect("is the only way to log in for a client without a secret", () =>
    Effect.gen(function* () {
      const refused = yield* post("/v1/auth/token/issue", {
        grant_type: "client_credentials",
        client_id: publicClient.clientId,
        client_secret: "undefined"
      })
      assertRefused(refused, 401, "client_secret: this client has none")
      const own = { client_id: publicClient.clientId, redirect_uri: publicClient.redirectUris[1] }
      assert.strictEqual((yield* exchange(yield* approved(own), own)).status, 200)
    }).pipe(Effect.provide(Sandbox.layer({ clients: [publicClient] })))
  )

  it.effect("is removed by a reset, and so are pending logins", () =>
    Effect.gen(function* () {
      const code = yield* approved()
      const ticket = ticketOf((yield* visit(queryOf({}))).text)
      yield* (yield* Sandbox).reset
      assertRefused(yield* exchange(code), 401, "code: is not from this sandbox, or was forgotten")
      assert.strictEqual((yield* answer({ ticket, decision: "approve" })).status, 400)
    }).pipe(Effect.provide(Sandbox.layer()))
  )

  it.effect("is not issued for a redirect URI that is not registered", () =>
    Effect.gen(function* () {
      const { clientSecret } = Sandbox.defaultClient
      const visited = yield* Effect.provide(
        visit(queryOf({})),
        Sandbox.layer({ clients: [{ clientId, clientSecret }] })
      )
      assert.strictEqual(visited.status, 400)
      for (const odd of ["callback", "https://shop.example/#x"]) {
        const error = yield* Effect.flip(Effect.scoped(Sandbox.make({ clients: [{ clientId, redirectUris: [odd] }] })))
        assert.include(error.message, "clients.0.redirectUris.0")
        assert.notInclude(error.message, odd)
      }
    })
  )
})

describe("the client of this project", () => {
  const person = (decision: string) => (url: Redacted.Redacted<string>) =>
    Effect.gen(function* () {
      const { client } = yield* Sandbox
      const page = yield* Effect.flatMap(client.get(Redacted.value(url)), (response) => response.text)
      return (yield* answer({ ticket: ticketOf(page), decision })).location
    })

  const live = Nomba.layerPublic({ clientId: publicClient.clientId, subject: "ada" }).pipe(
    Layer.provide(TokenStoreMemory.layer),
    Layer.provideMerge(Sandbox.layer({ clients: [publicClient] }))
  )

  it.live("logs a user in, uses and renews the session, and logs in again when it has ended", () =>
    Effect.gen(function* () {
      const sandbox = yield* Sandbox
      const auth = yield* NombaAuth
      const cache = yield* TokenCache
      const nomba = yield* NombaClient
      const balance = nomba.get("/v1/accounts/balance")
      assert.propertyVal(yield* Effect.flip(balance), "_tag", "Expired")
      assert.propertyVal(yield* Effect.flip(auth.issue), "_tag", "InvalidRequest")

      const logIn = Effect.gen(function* () {
        const { pending, url } = yield* Pkce.authorizationUrl({
          clientId: publicClient.clientId,
          redirectUri: "https://shop.example/callback"
        })
        const back = yield* person("approve")(url)
        const session = yield* Effect.flatMap(Pkce.callback(pending, back), auth.exchange)
        yield* Effect.flatMap(PublicLogin, ({ login }) => login(session))
      })
      yield* logIn
      assert.strictEqual((yield* balance).status, 200)
      yield* sandbox.expire("access")
      assert.strictEqual((yield* balance).status, 200)
      assert.deepInclude(yield* sandbox.counts, { issued: 1, refreshed: 1 })

      yield* sandbox.revoke()
      const error = yield* Effect.flip(balance)
      assert.propertyVal(error, "_tag", "Expired")
      yield* logIn
      assert.strictEqual((yield* balance).status, 200)
      yield* cache.logout
      assertNone(yield* sandbox.session(publicClient.clientId))
      assert.propertyVal(yield* Effect.flip(balance), "_tag", "Expired")
    }).pipe(Effect.provide(live))
  )

  it.live("learns that the user denied", () =>
    Effect.gen(function* () {
      const { pending, url } = yield* Pkce.authorizationUrl({
        clientId: publicClient.clientId,
        redirectUri: "com.example.shop:/callback"
      })
      const back = yield* person("deny")(url)
      const error = yield* Effect.flip(Pkce.callback(pending, back))
      assert.propertyVal(error, "_tag", "Expired")
      assert.propertyVal(error, "code", "access_denied")
    }).pipe(Effect.provide(live))
  )

  it.live("cannot use a code twice", () =>
    Effect.gen(function* () {
      const auth = yield* NombaAuth
      const { pending, url } = yield* Pkce.authorizationUrl({
        clientId: publicClient.clientId,
        redirectUri: "https://shop.example/callback"
      })
      const granted = yield* Pkce.callback(pending, yield* person("approve")(url))
      yield* auth.exchange(granted)
      const error = yield* Effect.flip(auth.exchange(granted))
      assert.propertyVal(error, "_tag", "Expired")
      assert.include(error.message, "rejected the authorization code")
    }).pipe(Effect.provide(live))
  )
})
