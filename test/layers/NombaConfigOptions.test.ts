import { inspect } from "node:util"
import { assert, describe, it } from "@effect/vitest"
import {
  Cause,
  Config,
  type ConfigError,
  Duration,
  Effect,
  FastCheck as fc,
  Layer,
  Option,
  Record,
  Redacted
} from "effect"
import * as BaseUrl from "../../src/layers/config/BaseUrl.js"
import * as NombaConfigOptions from "../../src/layers/NombaConfigOptions.js"
import { Unavailable } from "../../src/schemas/AuthError.js"
import { NombaConfig } from "../../src/services/NombaConfig.js"
import { recordVariables, withEnvironment } from "../support/environment.js"

const clientId = "11111111-2222-4333-8444-555555555555"
const clientSecret = "q1/W2+e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8l9Z0="
const accountId = "99999999-8888-4777-8666-555555555555"

const options: NombaConfigOptions.Options = { clientId, clientSecret: Redacted.make(clientSecret), accountId }
const variables = { NOMBA_CLIENT_ID: clientId, NOMBA_CLIENT_SECRET: clientSecret, NOMBA_ACCOUNT_ID: accountId }

const inCode = (changes: Partial<NombaConfigOptions.Options>) => NombaConfigOptions.make({ ...options, ...changes })

/** `NOMBA_*`, some of it replaced by constants. */
const replaced = (constants: Partial<NombaConfigOptions.Settings>) => ({
  ...NombaConfigOptions.defaultConfig,
  ...Record.map(constants as Readonly<Record<string, unknown>>, (value) => Config.succeed(value))
})
const inEnvironment = (changes: Record<string, string>, constants: Partial<NombaConfigOptions.Settings> = {}) =>
  NombaConfigOptions.makeConfig(replaced(constants)).pipe(withEnvironment({ ...variables, ...changes }))

const problems = (error: ConfigError.ConfigError): ReadonlyArray<readonly [string, string]> =>
  error._op === "And" || error._op === "Or"
    ? [...problems(error.left), ...problems(error.right)]
    : [named(error.path.join("."), error.message)]

/** A message is complete without the path. */
const named = (path: string, message: string): readonly [string, string] => {
  assert.isTrue(message.startsWith(`${path} `), `${message} does not name ${path}`)
  return [path, message.slice(path.length + 1)]
}

const problem = <A>(effect: Effect.Effect<A, ConfigError.ConfigError>): Effect.Effect<readonly [string, string], A> =>
  Effect.map(Effect.flip(effect), (error) => {
    const all = problems(error)
    assert.strictEqual(all.length, 1, String(error))
    return all[0] ?? ["", ""]
  })

const printed = (error: unknown): string =>
  [
    String(error),
    JSON.stringify(error),
    inspect(error, { depth: Number.POSITIVE_INFINITY, showHidden: true }),
    Cause.pretty(Cause.fail(error))
  ].join("\n")

describe("NombaConfigOptions", () => {
  it.effect("sets the defaults", () =>
    Effect.gen(function* () {
      const config = yield* NombaConfigOptions.make({ clientId, clientSecret: Redacted.make(clientSecret) })
      assert.strictEqual(config.baseUrl, "https://sandbox.nomba.com")
      assert.deepStrictEqual(config.accountId, Option.none())
      assert.deepStrictEqual(config.renewAhead, Duration.minutes(5))
      assert.deepStrictEqual(config.requestTimeout, Duration.seconds(10))
      assert.isFalse(config.revokeOnClose)
      assert.deepStrictEqual(config.origins, {
        clientId: "options.clientId",
        clientSecret: "options.clientSecret",
        accountId: "not set",
        environment: "https://sandbox.nomba.com by default"
      })
    })
  )

  it.effect("provides the service", () =>
    Effect.gen(function* () {
      const config = yield* NombaConfig
      assert.strictEqual(config.clientId, clientId)
      assert.strictEqual(Redacted.value(yield* config.clientSecret), clientSecret)
      assert.deepStrictEqual(config.accountId, Option.some(accountId))
    }).pipe(Effect.provide(NombaConfigOptions.layer(options)))
  )

  it.effect("makes a store key of the host, without the account id and the times", () =>
    Effect.gen(function* () {
      const one = yield* inCode({ accountId, renewAhead: 0 })
      const two = yield* inCode({ accountId: clientId, baseUrl: "https://sandbox.nomba.com/v1/" })
      const three = yield* inCode({ environment: "production" })
      assert.strictEqual(one.storeKey, two.storeKey)
      assert.notStrictEqual(one.storeKey, three.storeKey)
    })
  )

  it.effect("prefers a base URL to an environment", () =>
    Effect.gen(function* () {
      const config = yield* inCode({ environment: "production", baseUrl: "https://proxy.example/nomba/v1/" })
      assert.strictEqual(config.baseUrl, "https://proxy.example/nomba")
      assert.strictEqual(config.origins.environment, "https://proxy.example/nomba from options.baseUrl")
      assert.strictEqual((yield* inCode({ environment: "production" })).baseUrl, "https://api.nomba.com")
    })
  )

  it.effect("runs a secret that is an effect each time it is needed, with its own failure", () =>
    Effect.gen(function* () {
      let reads = 0
      const failure = new Unavailable({ operation: "issue", reason: "Secret" })
      const config = yield* inCode({
        clientSecret: Effect.suspend(() =>
          ++reads === 2 ? Effect.fail(failure) : Effect.succeed(Redacted.make(`${reads}`))
        )
      })
      assert.strictEqual(reads, 0)
      assert.strictEqual(Redacted.value(yield* config.clientSecret), "1")
      assert.strictEqual(yield* Effect.flip(config.clientSecret), failure)
      assert.strictEqual(Redacted.value(yield* config.clientSecret), "3")
    })
  )

  it.effect("rejects a secret that is a plain string, says how to wrap it, and does not print it", () =>
    Effect.gen(function* () {
      const careless: object = { ...options, clientSecret }
      const error = yield* Effect.flip(NombaConfigOptions.make(careless as NombaConfigOptions.Options))
      assert.deepStrictEqual(problems(error), [
        ["options.clientSecret", "is not redacted, and so would be printed: wrap it in Redacted.make"]
      ])
      assert.notInclude(printed(error), clientSecret)
    })
  )

  it.effect("fails with ConfigError if there are no options, or anything else in their place", () =>
    Effect.gen(function* () {
      for (const careless of [undefined, null, "x", [], 7] as ReadonlyArray<unknown>) {
        const options = careless as NombaConfigOptions.Options
        const expected = ["options", "must be an object"] as const
        assert.deepStrictEqual(yield* problem(NombaConfigOptions.make(options)), expected)
        assert.deepStrictEqual(yield* problem(Effect.scoped(Layer.build(NombaConfigOptions.layer(options)))), expected)
        if (careless === undefined) continue
        const config = careless as Parameters<typeof NombaConfigOptions.makeConfig>[0]
        assert.deepStrictEqual(yield* problem(NombaConfigOptions.makeConfig(config)), [
          "config",
          "must be an object with a Config for each setting"
        ])
        const more = careless as NombaConfigOptions.ConfigOptions
        assert.deepStrictEqual(yield* problem(NombaConfigOptions.makeConfig(undefined, more)), expected)
      }
    })
  )

  it.effect("fails with ConfigError for a wrong type", () =>
    Effect.gen(function* () {
      const wiped = Redacted.make("gone")
      Redacted.unsafeWipe(wiped)
      for (const [changes, name, message] of [
        [{ clientId: undefined }, "options.clientId", "is not set: copy it from the Nomba dashboard"],
        [{ clientId: 7 }, "options.clientId", "must be a string"],
        [
          { clientSecret: undefined },
          "options.clientSecret",
          'is not set: copy it from the Nomba dashboard, which calls it "Private Key"'
        ],
        [{ clientSecret: Redacted.make(7) }, "options.clientSecret", "must be a string"],
        [{ clientSecret: wiped }, "options.clientSecret", "must be a string"],
        [{ environment: "live" }, "options.environment", "must be sandbox or production"],
        [{ environment: "toString" }, "options.environment", "must be sandbox or production"],
        [{ revokeOnClose: "false" }, "options.revokeOnClose", "must be true or false"],
        [{ transformClient: "x" }, "options.transformClient", "must be a function from HttpClient to HttpClient"]
      ] as const) {
        const careless: object = { ...options, ...changes }
        assert.deepStrictEqual(yield* problem(NombaConfigOptions.make(careless as NombaConfigOptions.Options)), [
          name,
          message
        ])
      }
    })
  )

  for (const input of ["12 seconds", Duration.millis(1), 10_000] as const) {
    it.effect(`accepts a request time-out of ${input}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* inCode({ requestTimeout: input })).requestTimeout, Duration.decode(input))
      })
    )
  }

  for (const input of [0, -1, Number.NaN, "12001 millis", Number.POSITIVE_INFINITY] as const) {
    it.effect(`rejects a request time-out of ${input}`, () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* problem(inCode({ requestTimeout: input })), [
          "options.requestTimeout",
          'must be a duration from 1ms to 12s, such as "5 seconds"'
        ])
      })
    )
  }

  it.effect("accepts renewAhead of zero, and none below", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual((yield* inCode({ renewAhead: 0 })).renewAhead, Duration.zero)
      assert.strictEqual((yield* problem(inCode({ renewAhead: -1 })))[0], "options.renewAhead")
      assert.strictEqual((yield* problem(inCode({ renewAhead: Number.NaN })))[0], "options.renewAhead")
    })
  )
})

describe("NombaConfigOptions from the environment", () => {
  it.effect("reads every setting from a variable", () =>
    Effect.gen(function* () {
      const config = yield* inEnvironment({ NOMBA_ENVIRONMENT: "production" })
      assert.strictEqual(config.baseUrl, "https://api.nomba.com")
      assert.strictEqual(config.clientId, clientId)
      assert.strictEqual(Redacted.value(yield* config.clientSecret), clientSecret)
      assert.deepStrictEqual(config.origins, {
        clientId: "NOMBA_CLIENT_ID",
        clientSecret: "NOMBA_CLIENT_SECRET",
        accountId: "NOMBA_ACCOUNT_ID",
        environment: "https://api.nomba.com from NOMBA_ENVIRONMENT"
      })
    })
  )

  it.effect("removes white space around a value", () =>
    Effect.gen(function* () {
      const config = yield* inEnvironment({
        NOMBA_CLIENT_ID: ` ${clientId}\r\n`,
        NOMBA_CLIENT_SECRET: `\t${clientSecret}\n`,
        NOMBA_BASE_URL: " https://localhost:8443/v1 "
      })
      assert.strictEqual(config.clientId, clientId)
      assert.strictEqual(Redacted.value(yield* config.clientSecret), clientSecret)
      assert.strictEqual(config.baseUrl, "https://localhost:8443")
    })
  )

  it.effect("reads the secret from NOMBA_PRIVATE_KEY, unless its own variable is set", () =>
    Effect.gen(function* () {
      const both = yield* inEnvironment({ NOMBA_PRIVATE_KEY: "the other one" })
      assert.strictEqual(both.origins.clientSecret, "NOMBA_CLIENT_SECRET")
      const { NOMBA_CLIENT_SECRET, ...others } = variables
      const one = yield* NombaConfigOptions.makeConfig().pipe(
        withEnvironment({ ...others, NOMBA_PRIVATE_KEY: NOMBA_CLIENT_SECRET })
      )
      assert.strictEqual(one.origins.clientSecret, "NOMBA_PRIVATE_KEY")
      assert.strictEqual(Redacted.value(yield* one.clientSecret), clientSecret)
    })
  )

  it.effect("accepts a secret with a comma", () =>
    Effect.gen(function* () {
      const config = yield* inEnvironment({ NOMBA_CLIENT_SECRET: "a1,b2,c3" })
      assert.strictEqual(Redacted.value(yield* config.clientSecret), "a1,b2,c3")
    })
  )

  it.effect("reads no variable that the config replaces", () =>
    Effect.gen(function* () {
      const junk = recordVariables({ NOMBA_CLIENT_ID: "", NOMBA_CLIENT_SECRET: "", NOMBA_ACCOUNT_ID: "\n" })
      const config = yield* Effect.withConfigProvider(
        NombaConfigOptions.makeConfig(
          replaced({ clientId, clientSecret: Redacted.make(clientSecret), accountId, environment: "production" })
        ),
        junk.provider
      )
      assert.strictEqual(config.baseUrl, "https://api.nomba.com")
      assert.deepStrictEqual([...junk.read], ["NOMBA_BASE_URL"])

      const some = recordVariables(variables)
      yield* Effect.withConfigProvider(NombaConfigOptions.makeConfig(replaced({ clientId })), some.provider)
      assert.deepStrictEqual(
        [...some.read].sort(),
        ["NOMBA_ACCOUNT_ID", "NOMBA_BASE_URL", "NOMBA_CLIENT_SECRET", "NOMBA_ENVIRONMENT"].sort()
      )
    })
  )

  it.effect("prefers an environment in code to a base URL in a variable", () =>
    Effect.gen(function* () {
      const config = yield* inEnvironment({ NOMBA_BASE_URL: "http://localhost:4010" }, { environment: "production" })
      assert.strictEqual(config.baseUrl, "https://api.nomba.com")
    })
  )

  it.effect("ignores the environment if there is a base URL", () =>
    Effect.gen(function* () {
      const config = yield* inEnvironment({ NOMBA_BASE_URL: "http://localhost:4010", NOMBA_ENVIRONMENT: "live" })
      assert.strictEqual(config.origins.environment, "http://localhost:4010 from NOMBA_BASE_URL")
    })
  )

  it.effect("names both variables if the secret is missing", () =>
    Effect.gen(function* () {
      const config = NombaConfigOptions.makeConfig().pipe(withEnvironment({ NOMBA_CLIENT_ID: clientId }))
      assert.deepStrictEqual(yield* problem(config), [
        "NOMBA_CLIENT_SECRET",
        'is not set, and neither is NOMBA_PRIVATE_KEY: copy it from the Nomba dashboard, which calls it "Private Key"'
      ])
    })
  )

  it.effect("names all problems at once, each by option and variable", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        NombaConfigOptions.makeConfig(replaced({ accountId: " x", requestTimeout: 0 })).pipe(
          withEnvironment({ NOMBA_CLIENT_SECRET: "changeme", NOMBA_ENVIRONMENT: "live" })
        )
      )
      assert.deepStrictEqual(problems(error), [
        ["NOMBA_CLIENT_ID", "is not set: copy it from the Nomba dashboard"],
        ["NOMBA_CLIENT_SECRET", "is a placeholder: put the real value there"],
        ["config.accountId", "has white space around it: remove it"],
        ["NOMBA_ENVIRONMENT", "must be sandbox or production"],
        ["config.requestTimeout", 'must be a duration from 1ms to 12s, such as "5 seconds"']
      ])
      assert.include(error.toString(), "NOMBA_CLIENT_ID")
      assert.include(error.toString(), "config.accountId")
    })
  )
})

describe("a placeholder or malformed value", () => {
  const placeholders = [
    "your_client_id",
    "YOUR-CLIENT-SECRET",
    "your client id here",
    "yourClientId",
    "<client-id>",
    "<CLIENT_SECRET>",
    "[client id]",
    "{{client_id}}",
    "{clientId}",
    `\${NOMBA_CLIENT_ID}`,
    "$NOMBA_CLIENT_ID",
    "$(cat secret)",
    "%NOMBA_CLIENT_ID%",
    "changeme",
    "change-me",
    "CHANGE_ME",
    "replace_with_your_id",
    "insert-client-id",
    "xxx",
    "XXXXXXXX",
    "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx",
    "00000000-0000-0000-0000-000000000000",
    "...",
    "…",
    "client_id_here",
    "CLIENT-SECRET-HERE",
    "****",
    "undefined",
    "null",
    "NaN",
    "None",
    "true",
    "todo",
    "TBD",
    "placeholder",
    "example",
    "client_id",
    "clientSecret",
    "CLIENT_ID",
    "private-key",
    "my_client_id",
    "account id",
    "nomba_client_secret",
    "parent_account_id",
    "secret"
  ]
  const inexact = [
    "",
    " ",
    "\n",
    "a1b2\u0000c3",
    "a1b2\u200bc3",
    "a1\nb2",
    "a1\u007fb2",
    "\ud800a1",
    '"a1b2c3"',
    "'a1b2c3'"
  ]

  it.effect.each([...placeholders, ...inexact])("%j is rejected in each place, and named, not printed", (value) =>
    Effect.gen(function* () {
      for (const [option, variable, changes] of [
        ["options.clientId", "NOMBA_CLIENT_ID", { clientId: value }],
        ["options.clientSecret", "NOMBA_CLIENT_SECRET", { clientSecret: Redacted.make(value) }],
        ["options.accountId", "NOMBA_ACCOUNT_ID", { accountId: value }],
        ["options.baseUrl", "NOMBA_BASE_URL", { baseUrl: value }]
      ] as const) {
        assert.strictEqual((yield* problem(inCode(changes)))[0], option)
        assert.strictEqual((yield* problem(inEnvironment({ [variable]: value })))[0], variable)
      }
    })
  )

  const sentinel = "hunter2"
  it.effect.each([
    `${sentinel} `,
    `\u00a0${sentinel}`,
    `${sentinel}\u0000`,
    `<${sentinel}>`,
    `your_${sentinel}`,
    `\${${sentinel}}`,
    `"${sentinel}"`,
    `${sentinel}\u2028x`
  ])("%j is not printed", (value) =>
    Effect.gen(function* () {
      for (const effect of [
        inCode({ clientId: value, clientSecret: Redacted.make(value), accountId: value, baseUrl: value }),
        inEnvironment({
          NOMBA_CLIENT_ID: `${value}\u0000`,
          NOMBA_CLIENT_SECRET: `${value}\u0000`,
          NOMBA_ACCOUNT_ID: `${value}\u0000`,
          NOMBA_BASE_URL: `${value}\u0000`
        })
      ]) {
        const error = yield* Effect.flip(effect)
        assert.strictEqual(problems(error).length, 4)
        assert.notInclude(printed(error), sentinel)
      }
    })
  )

  it.effect("is rejected as an account id if a header cannot carry it", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* problem(inCode({ accountId: "zoë" })))[1], "has characters that a header cannot carry")
    })
  )

  it.effect.prop(
    "random credentials are never taken for placeholders",
    { id: fc.uuid(), secret: fc.uint8Array({ minLength: 32, maxLength: 32 }) },
    ({ id, secret }) =>
      Effect.gen(function* () {
        const base64 = Buffer.from(secret).toString("base64")
        fc.pre(new Set(base64).size > 3 && !id.startsWith("00000000"))
        const config = yield* inCode({ clientId: id, clientSecret: Redacted.make(base64), accountId: id })
        assert.strictEqual(config.clientId, id)
        assert.strictEqual(Redacted.value(yield* config.clientSecret), base64)
      })
  )
})

describe("a base URL", () => {
  it.effect.each([
    ["https://api.nomba.com", "https://api.nomba.com"],
    ["https://api.nomba.com/", "https://api.nomba.com"],
    ["https://api.nomba.com/v1", "https://api.nomba.com"],
    ["https://api.nomba.com/v1/", "https://api.nomba.com"],
    ["https://api.nomba.com//", "https://api.nomba.com"],
    ["HTTPS://API.Nomba.COM:443/v1", "https://api.nomba.com"],
    ["https://proxy.example/nomba", "https://proxy.example/nomba"],
    ["https://proxy.example/nomba/v1//", "https://proxy.example/nomba"],
    ["https://proxy.example/v12", "https://proxy.example/v12"],
    ["https://proxy.example:8443/a/../b/", "https://proxy.example:8443/b"],
    ["http://localhost:3000/v1", "http://localhost:3000"],
    ["http://localhost:80", "http://localhost"],
    ["http://127.0.0.1:3000", "http://127.0.0.1:3000"],
    ["http://127.8.9.10", "http://127.8.9.10"],
    ["http://127.1", "http://127.0.0.1"],
    ["http://[::1]:3000/", "http://[::1]:3000"],
    ["http://[0:0:0:0:0:0:0:1]", "http://[::1]"]
  ] as const)("%s is %s", ([given, normalised]) =>
    Effect.gen(function* () {
      assert.strictEqual((yield* inCode({ baseUrl: given })).baseUrl, normalised)
      assert.strictEqual((yield* inEnvironment({ NOMBA_BASE_URL: given })).baseUrl, normalised)
      assert.strictEqual((yield* inCode({ baseUrl: normalised })).baseUrl, normalised)
    })
  )

  it.effect.each([
    ["api.nomba.com", "is not an absolute URL such as https://api.nomba.com"],
    ["https://", "is not an absolute URL such as https://api.nomba.com"],
    ["ftp://api.nomba.com", "must begin with https://"],
    ["localhost:3000", "must begin with https://"],
    ["https://hunter2@api.nomba.com", "has a user name or password in it: remove it"],
    ["https://me:hunter2@api.nomba.com", "has a user name or password in it: remove it"],
    ["https://:hunter2@api.nomba.com", "has a user name or password in it: remove it"],
    ["https://api.nomba.com/?key=hunter2", "has a query or a fragment: remove it"],
    ["https://api.nomba.com?", "has a query or a fragment: remove it"],
    ["https://api.nomba.com/#hunter2", "has a query or a fragment: remove it"],
    ["http://api.nomba.com", "uses plain http: use https, or http to a loopback address"],
    ["http://127.0.0.1.nomba.com", "uses plain http: use https, or http to a loopback address"],
    ["http://localhost.nomba.com", "uses plain http: use https, or http to a loopback address"],
    ["http://128.0.0.1", "uses plain http: use https, or http to a loopback address"],
    ["http://[::2]", "uses plain http: use https, or http to a loopback address"],
    ["http://0.0.0.0", "uses plain http: use https, or http to a loopback address"]
  ] as const)("%s %s", ([given, message]) =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(inCode({ baseUrl: given }))
      assert.deepStrictEqual(problems(error), [["options.baseUrl", message]])
      assert.notInclude(printed(error), "hunter2")
    })
  )

  it.prop("is the same if it is normalised twice", { url: fc.webUrl({ withQueryParameters: false }) }, ({ url }) => {
    const once = BaseUrl.normalise(url)
    if (once._tag === "Right") assert.deepStrictEqual(BaseUrl.normalise(once.right), once)
  })
})
