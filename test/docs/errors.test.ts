/** docs/errors.md shows each error as the library prints it: here the library is brought to print it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import {
  ConfigProvider,
  Effect,
  Either,
  Layer,
  ManagedRuntime,
  Redacted,
  Schema,
  type Scope,
  TestClock,
  TestServices
} from "effect"
import {
  Nomba,
  NombaAuth,
  NombaClient,
  NombaResponse,
  Pkce,
  RetryPolicy,
  SessionCodec,
  TokenCache,
  type TokenStore,
  TokenStoreDriver,
  TokenStoreMemory,
  Unavailable
} from "nomba-auth"
import { TokenStoreFile } from "nomba-auth/file"
import { createNomba } from "nomba-auth/promise"
import { TokenStoreRedis } from "nomba-auth/redis"
import { connect, makeDatabase } from "../../examples/testing/TableStore.js"
import { AuthError, UnavailableReason, UnexpectedReason } from "../../src/schemas/AuthError.js"
import { type Answer, fake, json, type Sent, text, unreachable } from "../support/http.js"

const page = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8")

const settings = {
  NOMBA_CLIENT_ID: "5e2c7ab5-dc95-431e-97bd-85319087245a",
  NOMBA_CLIENT_SECRET: "c2VjcmV0IG9mIGEgcGFnZQ==",
  NOMBA_ACCOUNT_ID: "aef105ad-f352-47a9-9531-d65072584430",
  NOMBA_ENVIRONMENT: "production"
}

let granted = 0

/** A session with new tokens. */
const session = (members: object = {}, headers: Record<string, string> = {}) => {
  granted += 1
  const tokens = { access_token: `access-${granted}`, refresh_token: `refresh-${granted}` }
  return json(200, { code: "00", data: { ...tokens, expires_in: 1_800, ...members } }, headers)
}

const from = (variables: Readonly<Record<string, string>>) =>
  Layer.setConfigProvider(ConfigProvider.fromMap(new Map(Object.entries(variables))))

interface Around {
  readonly variables?: Readonly<Record<string, string>>
  readonly store?: Layer.Layer<TokenStore, unknown>
}

/** The client of a program, over an `HttpClient` that answers token requests with `respond`. */
const client = (
  respond: (sent: Sent, n: number) => Answer,
  { store = TokenStoreMemory.layer, variables = settings }: Around = {}
) =>
  Nomba.layerConfig().pipe(
    Layer.provide([Layer.orDie(store), fake(respond).layer, RetryPolicy.layerNone]),
    Layer.provide(from(variables))
  )

const token = Effect.flatMap(TokenCache, (cache) => cache.get)

const failing = (respond: (sent: Sent, n: number) => Answer, around: Around = {}) =>
  token.pipe(Effect.flip, Effect.provide(client(respond, around)), Effect.orDie)

const refused = Object.assign(new Error("refused"), { code: "ECONNREFUSED" })

const Balance = Schema.Struct({ amount: Schema.String })

const balanceOf = (answer: () => Response) =>
  Effect.flatMap(NombaClient, (nomba) => nomba.get("/v1/accounts/balance")).pipe(
    Effect.flatMap(NombaResponse.data(Balance)),
    Effect.flip,
    Effect.provide(client(({ url }) => (url.includes("/token/") ? session() : answer()))),
    Effect.orDie
  )

const temporary = Effect.acquireRelease(
  Effect.sync(() => mkdtempSync(join(tmpdir(), "nomba-auth-errors-"))),
  (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
)

const key = (fill: number) => Redacted.make(Buffer.alloc(32, fill).toString("base64"))

type Scenario = Effect.Effect<{ readonly message: string }, never, Scope.Scope>

const unavailable: Record<typeof UnavailableReason.Type, Scenario> = {
  Network: failing((sent) => unreachable(sent, refused)),
  // A process that was stalled tries again, so time passes until it gives up.
  Timeout: Effect.raceFirst(
    failing(() => Effect.never),
    Effect.forever(TestClock.adjust("10 seconds"))
  ),
  RateLimited: failing(() => json(429, { code: "429", description: "Too many requests" }, { "retry-after": "30" })),
  ServerError: failing(() => json(503, { code: "503", description: "Service unavailable" })),
  SessionContested: Effect.gen(function* () {
    const cache = yield* TokenCache
    for (let turn = 0; turn < 20; turn += 1) {
      const got = yield* Effect.either(cache.get)
      if (Either.isLeft(got)) return got.left
      yield* TestClock.adjust("2 seconds")
      yield* cache.invalidate(got.right)
    }
    return yield* Effect.dieMessage("the session was never contested")
  }).pipe(Effect.provide(client(() => session())), Effect.orDie),
  Store: failing(() => session(), {
    store: TokenStoreRedis.layerConfig(),
    variables: { ...settings, NOMBA_TOKEN_STORE: "redis://127.0.0.1:1" }
  }).pipe(
    TestServices.provideLive, // the connection fails in its own time
    Effect.map(({ message }) => ({ message: message.replaceAll("127.0.0.1:1", "cache:6379") }))
  ),
  StoreUnreadable: Effect.gen(function* () {
    const database = yield* makeDatabase
    const store = TokenStoreDriver.layer(connect(database))
    yield* token.pipe(Effect.provide(client(() => session(), { store })), Effect.orDie)
    for (const [key, row] of database.rows) database.rows.set(key, { ...row, text: "?" })
    return yield* failing(() => session(), { store })
  }),
  StoreCodec: Effect.gen(function* () {
    const directory = join(yield* temporary, "nomba")
    const store = (fill: number, id: string) =>
      TokenStoreFile.layer({ directory, codec: SessionCodec.encrypted([{ id, key: key(fill) }]) })
    yield* token.pipe(Effect.provide(client(() => session(), { store: store(1, "2026-11") })), Effect.orDie)
    const error = yield* failing(() => session(), { store: store(2, "2027-05") })
    return { message: error.message.replaceAll(directory, "/var/lib/shop/nomba") }
  }),
  Secret: token.pipe(
    Effect.flip,
    Effect.provide(
      Nomba.layerConfig(undefined, {
        clientSecret: Effect.fail(
          new Unavailable({ operation: "issue", reason: "Secret", hint: "The vault answered 503." })
        )
      }).pipe(
        Layer.provide([TokenStoreMemory.layer, fake(() => session()).layer, RetryPolicy.layerNone]),
        Layer.provide(from(settings))
      )
    ),
    Effect.orDie
  ),
  Closed: Effect.gen(function* () {
    const runtime = ManagedRuntime.make(client(() => session()))
    const cache = yield* Effect.promise(() => runtime.runPromise(TokenCache))
    yield* runtime.disposeEffect
    return yield* Effect.orDie(Effect.flip(cache.get))
  })
}

const unexpected: Record<typeof UnexpectedReason.Type, Scenario> = {
  NotJson: failing(() => text(200, "Welcome", { "content-type": "text/plain" })),
  HtmlResponse: failing(() => text(403, "<html>Access denied</html>", { "content-type": "text/html" })),
  TooLarge: failing(() => text(200, " ".repeat(1_100_000), { "content-type": "application/json" })),
  Redirect: failing(() => text(302, null, { location: "https://login.example" })),
  NoUsableToken: failing(() => json(200, { code: "00", data: { accessToken: "another spelling" } })),
  AlreadyExpired: failing(() => session({ expires_in: 0 }, { date: "Fri, 27 Nov 2026 09:00:00 GMT" })).pipe(
    Effect.map(({ message }) => ({ message: message.replace(/1970-[-\dT:.]+Z/, "2026-11-27T09:42:10.000Z") }))
  ),
  RenewalIneffective: Effect.gen(function* () {
    const cache = yield* TokenCache
    yield* cache.invalidate(yield* cache.get)
    return yield* Effect.flip(cache.get)
  }).pipe(Effect.provide(client(() => session({ access_token: "always-the-same" }))), Effect.orDie),
  UnknownStatus: failing(() => Object.defineProperty(json(200, {}), "status", { value: 600 })),
  OddCode: failing(() => json(200, { code: { value: "00" } })),
  Callback: Effect.gen(function* () {
    const redirectUri = "https://shop.example/callback"
    const { pending } = yield* Pkce.authorizationUrl({ clientId: settings.NOMBA_CLIENT_ID, redirectUri })
    return yield* Effect.flip(Pkce.callback(pending, `${redirectUri}?code=a-code&state=of-another-login`))
  }).pipe(TestServices.provideLive, Effect.orDie),
  SchemaMismatch: balanceOf(() => json(200, { code: "00", data: { amount: 5 } }))
}

const { NOMBA_ACCOUNT_ID: _, ...withoutAccount } = settings

const others: Readonly<Record<string, Scenario>> = {
  "InvalidRequest before sending": Effect.flatMap(NombaClient, (nomba) => nomba.get("https://other.example/v1")).pipe(
    Effect.flip,
    Effect.provide(client(() => session())),
    Effect.orDie
  ),
  "InvalidRequest by Nomba": failing(() =>
    json(400, { code: "400", description: "Bad request", errors: ["grant_type: is missing"] })
  ),
  "InvalidCredentials 401": failing(() => json(401, { code: "401", description: "Unauthorized" }), {
    variables: withoutAccount
  }),
  "InvalidCredentials 403": failing(() => json(403, { code: "403", description: "Forbidden" })),
  "Expired refresh": Effect.flatMap(NombaAuth, (auth) => auth.refresh({ refreshToken: Redacted.make("spent") })).pipe(
    Effect.flip,
    Effect.provide(client(() => json(401, { code: "401", description: "Unauthorized" }))),
    Effect.orDie
  ),
  "Expired without a session": token.pipe(
    Effect.flip,
    Effect.provide(
      Nomba.layerPublic({ clientId: settings.NOMBA_CLIENT_ID, subject: "a user" }).pipe(
        Layer.provide([TokenStoreMemory.layer, fake(() => session()).layer])
      )
    ),
    Effect.orDie
  ),
  "NombaRequestFailed 401": balanceOf(() => json(401, { code: "401", description: "Unauthorized" })),
  "NombaRequestFailed 422": balanceOf(() => json(422, { code: "422", description: "Insufficient funds" })),
  "NombaRequestFailed 503": balanceOf(() =>
    json(503, { code: "503", description: "Try again" }, { "retry-after": "5" })
  ),
  ConfigError: client(() => session(), {
    variables: { NOMBA_CLIENT_ID: "your_client_id", NOMBA_ENVIRONMENT: "live" }
  }).pipe(
    Layer.build,
    Effect.flip,
    Effect.map((error) => ({ message: String(error) })),
    Effect.orDieWith(() => "the layer was built")
  ),
  NombaConfigError: Effect.sync(() => {
    try {
      createNomba({ clientId: "your_client_id", clientSecret: " a secret", environment: "sandbox" })
    } catch (error) {
      return { message: error instanceof Error ? error.message : "" }
    }
    return { message: "" }
  })
}

/** Random waits differ. */
const shape = (message: string): string => message.replace(/after [\d.]+ s\./g, "after 5 s.")

const shown = new Set(Array.from(page.matchAll(/^```text\n(.*?)```$/gms), ([, block = ""]) => shape(block.trim())))

describe("docs/errors.md", () => {
  const all = { ...unavailable, ...unexpected, ...others }
  for (const [name, scenario] of Object.entries(all)) {
    it.scoped(`shows what ${name} prints`, () =>
      Effect.map(scenario, ({ message }) => {
        assert.include([...shown], shape(message))
      })
    )
  }

  it("lists the reasons of each tag", () => {
    for (const [tag, { literals }] of Object.entries({
      Unavailable: UnavailableReason,
      UnexpectedResponse: UnexpectedReason
    })) {
      const reasons = new RegExp(`^\\| \`${tag}\` \\|.*\\| (\`Network.*|\`NotJson.*) \\|$`, "m").exec(page)?.[1]
      assert.strictEqual(reasons, literals.map((reason) => `\`${reason}\``).join(", "))
    }
  })

  it("shows nothing else", () => {
    assert.lengthOf([...shown], Object.keys(all).length)
  })

  it("has a heading for each reason and tag", () => {
    const headings = Array.from(page.matchAll(/^#{2,3} `?([A-Za-z]+)`?$/gm), ([, name]) => name)
    assert.includeMembers(headings, [
      ...UnavailableReason.literals,
      ...UnexpectedReason.literals,
      ...AuthError.members.map(({ _tag }) => _tag),
      "NombaRequestFailed",
      "ConfigError"
    ])
  })
})
