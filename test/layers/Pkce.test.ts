import { createHash } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Config, ConfigProvider, Effect, Either, FastCheck as fc, Random, Record, Redacted, Schema } from "effect"
import { NombaConfigOptions, Pkce } from "nomba-auth"

const options: Pkce.Options = {
  clientId: "7f1c0f0e-4bb5-4b8c-9f68-0d4e4c4f2c33",
  redirectUri: "https://shop.example/callback",
  baseUrl: "https://nomba.test"
}

const text = Redacted.value<string>

const problemsOf = (changes: Partial<Record<keyof Pkce.Options, unknown>>) =>
  Effect.map(Effect.flip(Pkce.authorizationUrl({ ...options, ...changes } as Pkce.Options)), String)

describe("Pkce.verifier, challenge and state", () => {
  it.live("are as in appendix B of RFC 7636", () =>
    Effect.gen(function* () {
      const challenge = yield* Pkce.challenge(Redacted.make("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"))
      assert.strictEqual(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
    })
  )

  it.live("give a challenge that is the base64url of the verifier's SHA-256", () =>
    Effect.promise(() =>
      fc.assert(
        fc.asyncProperty(fc.stringMatching(/^[\w\-.~]{43,128}$/), async (verifier) => {
          const challenge = await Effect.runPromise(Pkce.challenge(Redacted.make(verifier)))
          assert.strictEqual(challenge, createHash("sha256").update(verifier).digest("base64url"))
        })
      )
    )
  )

  it.effect("hold 32 new bytes each time, in the alphabet of RFC 7636", () =>
    Effect.gen(function* () {
      const all = yield* Effect.all(
        Array.from({ length: 1000 }, (_, index) => (index % 2 === 0 ? Pkce.verifier : Pkce.state))
      )
      for (const one of all) {
        assert.match(text(one), /^[A-Za-z0-9\-_]{43}$/)
        assert.strictEqual(Buffer.from(text(one), "base64url").length, 32)
      }
      assert.strictEqual(new Set(all.map(text)).size, all.length)
      const bits = all.map((one) => Buffer.from(text(one), "base64url"))
      for (let byte = 0; byte < 32; byte++) {
        assert.isAbove(new Set(bits.map((bytes) => bytes[byte])).size, 100, `byte ${byte} hardly changes`)
      }
    })
  )

  it.effect("do not use the program's Random service", () =>
    Effect.gen(function* () {
      const one = Effect.withRandom(Pkce.verifier, Random.make("a seed"))
      assert.notStrictEqual(text(yield* one), text(yield* one))
    })
  )
})

describe("Pkce.authorizationUrl", () => {
  it.live("has the parameters of RFC 6749 section 4.1.1 and RFC 7636 section 4.3, and no secret", () =>
    Effect.gen(function* () {
      const { pending, url } = yield* Pkce.authorizationUrl({ ...options, scope: "accounts:read transfers" })
      const { origin, pathname, searchParams } = new URL(text(url))
      assert.strictEqual(origin + pathname, "https://nomba.test/v1/auth/authorize")
      assert.deepStrictEqual(Object.fromEntries(searchParams), {
        response_type: "code",
        client_id: options.clientId,
        redirect_uri: options.redirectUri,
        scope: "accounts:read transfers",
        state: text(pending.state),
        code_challenge: yield* Pkce.challenge(pending.verifier),
        code_challenge_method: "S256"
      })
      assert.notInclude(text(url), text(pending.verifier))
      const second = yield* Pkce.authorizationUrl(options)
      assert.isFalse(new URL(text(second.url)).searchParams.has("scope"))
      assert.notStrictEqual(text(second.pending.state), text(pending.state))
      assert.notStrictEqual(text(second.pending.verifier), text(pending.verifier))
    })
  )

  it.live("is below the base URL, with or without a path or slash", () =>
    Effect.gen(function* () {
      for (const [place, expected] of [
        [{ baseUrl: undefined }, "https://sandbox.nomba.com/v1/auth/authorize"],
        [{ baseUrl: undefined, environment: "production" }, "https://api.nomba.com/v1/auth/authorize"],
        [{ baseUrl: "https://nomba.test/v1/" }, "https://nomba.test/v1/auth/authorize"],
        [{ baseUrl: "http://127.0.0.1:4010" }, "http://127.0.0.1:4010/v1/auth/authorize"],
        [{ authorizePath: "/oauth/go" }, "https://nomba.test/oauth/go"],
        [
          { baseUrl: "https://nomba.test/proxy/", authorizePath: "//other.example" },
          "https://nomba.test/proxy//other.example"
        ]
      ] as const) {
        const { url } = yield* Pkce.authorizationUrl({ ...options, ...place })
        assert.strictEqual(text(url).split("?")[0], expected)
      }
    })
  )

  it.live("takes a redirect URI of https, of a private scheme, or at a loopback address", () =>
    Effect.gen(function* () {
      for (const redirectUri of [
        "https://shop.example/callback?shop=1",
        "http://127.0.0.1:53211/callback",
        "http://[::1]:53211/callback",
        "http://localhost/callback",
        "com.example.shop:/callback"
      ]) {
        const { pending, url } = yield* Pkce.authorizationUrl({ ...options, redirectUri })
        assert.strictEqual(new URL(text(url)).searchParams.get("redirect_uri"), redirectUri)
        assert.strictEqual(pending.redirectUri, redirectUri)
      }
    })
  )

  it.effect("names all invalid options and quotes none", () =>
    Effect.gen(function* () {
      for (const [changes, ...problems] of [
        [{ clientId: undefined }, "options.clientId", "is not set"],
        [{ clientId: " spaced " }, "options.clientId", "white space"],
        [{ clientId: "your_client_id" }, "options.clientId", "placeholder"],
        [{ redirectUri: "/callback" }, "options.redirectUri", "absolute"],
        [{ redirectUri: "https://shop.example/#here" }, "options.redirectUri", "fragment"],
        [{ redirectUri: "http://shop.example/callback" }, "options.redirectUri", "plain http"],
        [{ redirectUri: "http://127.0.0.1:6000/callback" }, "options.redirectUri", "port 6000, which browsers refuse"],
        ...["javascript:alert(1)", "data:text/html,x", "file:///callback", "ftp://shop.example/", "shop:/callback"].map(
          (redirectUri) => [{ redirectUri }, "options.redirectUri", "private-use scheme"] as const
        ),
        [{ redirectUri: undefined }, "options.redirectUri", "must be a string"],
        [{ baseUrl: "http://nomba.test" }, "options.baseUrl", "plain http"],
        [{ environment: "staging", baseUrl: undefined }, "options.environment", "sandbox or production"],
        [{ authorizePath: "oauth/start" }, "options.authorizePath", "slash"],
        [{ authorizePath: "@evil.example/" }, "options.authorizePath", "slash"],
        [{ authorizePath: "/authorize?prompt=none" }, "options.authorizePath", "slash"],
        [{ scope: "" }, "options.scope", "empty"],
        [{ issuer: 7 }, "options.issuer", "must be a string"],
        [{ clientId: "", scope: "" }, "options.clientId", "options.scope"]
      ] as const) {
        const told = yield* problemsOf(changes)
        for (const problem of problems) assert.include(told, problem)
        for (const value of Object.values(changes)) {
          if (typeof value === "string" && value.length > 6) assert.notInclude(told, value)
        }
      }
    })
  )
})

describe("Pkce.authorizationUrlConfig", () => {
  const { redirectUri } = options
  const within = (variables: Readonly<Record<string, string>>) =>
    Effect.withConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))
  const NOMBA_CLIENT_ID = "a-client-of-the-environment"

  it.live("sends the end user to the host to which the layer of the same settings sends the code", () =>
    Effect.gen(function* () {
      const environments: ReadonlyArray<Readonly<Record<string, string>>> = [
        {},
        { NOMBA_ENVIRONMENT: "production" },
        { NOMBA_ENVIRONMENT: " sandbox\n" },
        { NOMBA_BASE_URL: "http://127.0.0.1:4010/v1/" },
        { NOMBA_BASE_URL: "https://nomba.test", NOMBA_ENVIRONMENT: "production" }
      ]
      const overrides: ReadonlyArray<Pick<Pkce.Overrides, "baseUrl" | "clientId" | "environment">> = [
        {},
        { environment: "production" },
        { environment: "sandbox", clientId: "a-client-of-the-code" },
        { baseUrl: "https://code.test" }
      ]
      for (const environment of environments) {
        for (const override of overrides) {
          const [{ pending, url }, config] = yield* Effect.all([
            Pkce.authorizationUrlConfig({ ...override, redirectUri }),
            NombaConfigOptions.makePublicConfig(
              {
                ...NombaConfigOptions.defaultPublicConfig,
                ...Record.map(override as Readonly<Record<string, unknown>>, (value) => Config.succeed(value))
              },
              { subject: "a person" }
            )
          ]).pipe(within({ NOMBA_CLIENT_ID, ...environment }))
          const { searchParams } = new URL(text(url))
          assert.strictEqual(text(url).split("?")[0], `${config.baseUrl}/v1/auth/authorize`)
          assert.strictEqual(searchParams.get("client_id"), config.clientId)
          assert.strictEqual(pending.issuer, config.baseUrl)
        }
      }
    })
  )

  it.effect("names an invalid variable and does not quote it", () =>
    Effect.gen(function* () {
      for (const [environment, ...problems] of [
        [{}, "NOMBA_CLIENT_ID", "is not set"],
        [{ NOMBA_CLIENT_ID: "your_client_id" }, "NOMBA_CLIENT_ID", "placeholder"],
        [{ NOMBA_CLIENT_ID, NOMBA_ENVIRONMENT: "staging-of-ours" }, "NOMBA_ENVIRONMENT", "sandbox or production"],
        [{ NOMBA_CLIENT_ID, NOMBA_BASE_URL: "http://staging-of-ours.test" }, "NOMBA_BASE_URL", "plain http"],
        [{ NOMBA_ENVIRONMENT: "staging-of-ours" }, "NOMBA_CLIENT_ID", "NOMBA_ENVIRONMENT"]
      ] as const) {
        const told = String(yield* Effect.flip(within(environment)(Pkce.authorizationUrlConfig({ redirectUri }))))
        for (const problem of problems) assert.include(told, problem)
        assert.notMatch(told, /staging-of-ours|your_client_id/)
      }
    })
  )

  it.live("reads no variable if every setting is in code", () =>
    Effect.gen(function* () {
      const { url } = yield* within({ NOMBA_CLIENT_ID, NOMBA_ENVIRONMENT: "production" })(
        Pkce.authorizationUrl({ clientId: options.clientId, redirectUri })
      )
      assert.strictEqual(new URL(text(url)).origin, "https://sandbox.nomba.com")
      assert.strictEqual(new URL(text(url)).searchParams.get("client_id"), options.clientId)
    })
  )
})

describe("a pending login", () => {
  const codec = Schema.parseJson(Pkce.PendingLogin)

  it.live("is equal after encoding and decoding", () =>
    Effect.gen(function* () {
      const { pending } = yield* Pkce.authorizationUrl({ ...options, issuer: "https://issuer.example" })
      const written = yield* Schema.encode(codec)(pending)
      assert.isBelow(written.length, 1000, "it fits in a cookie")
      const read = yield* Schema.decode(codec)(written)
      assert.deepStrictEqual(yield* Schema.encode(codec)(read), written)
      const callback = `${options.redirectUri}?code=c-1&state=${text(pending.state)}&iss=https://issuer.example`
      const granted = yield* Pkce.callback(read, callback)
      assert.strictEqual(text(granted.code), "c-1")
      assert.strictEqual(text(granted.verifier), text(pending.verifier))
      assert.strictEqual(granted.redirectUri, options.redirectUri)
    })
  )

  it("is not quoted if it cannot be decoded", () => {
    for (const written of ['{"state":"abcdefgh"}', '{"state":7,"verifier":"abcdefgh"}', '"abcdefgh"', "{}"]) {
      const read = Schema.decodeEither(codec)(written)
      assert.isTrue(Either.isLeft(read))
      assert.notInclude(String(Either.isLeft(read) ? read.left : ""), "abcdefgh")
    }
  })
})
