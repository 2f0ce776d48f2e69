/** `nomba-auth exec -- CMD`: a program with access to Nomba for as long as it runs, and without the secret. */
import * as Command from "@effect/cli/Command"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Redacted from "effect/Redacted"
import { NombaConfig } from "../services/NombaConfig.js"
import { TokenCache } from "../services/TokenCache.js"
import { describe, flag, Program } from "./CommandLine.js"
import * as ChildProgram from "./childProgram.js"
import * as Environment from "./Environment.js"
import { UsageError } from "./ExitCode.js"
import * as Keys from "./serve/Keys.js"
import * as Proxy from "./serve/Proxy.js"
import * as Rules from "./serve/Rules.js"

const flags = {
  ...Environment.flags,
  token: flag("token", "Set NOMBA_ACCESS_TOKEN and run no proxy. The token is not renewed while the program runs."),
  readOnly: flag("read-only", "Let the program send GET requests only.")
}

/** What the program must not need, because it has the proxy or a token. */
const SECRETS = [
  "NOMBA_CLIENT_SECRET",
  "NOMBA_PRIVATE_KEY",
  "NOMBA_TOKEN_STORE",
  "NOMBA_TOKEN_STORE_KEYS",
  "NOMBA_PROXY_KEY"
]

const environmentWith = (variables: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !SECRETS.includes(name))),
  ...variables
})

const getOnly = Either.getOrThrow(Rules.parseRule("GET /**"))

const withProxy = (program: ReadonlyArray<string>, isReadOnly: boolean) =>
  Effect.gen(function* () {
    const key = Keys.generate()
    const proxy = yield* Proxy.start({
      place: { host: "127.0.0.1", port: 0 },
      keys: [Keys.make("exec", key)],
      ...(isReadOnly ? { rules: [getOnly] } : {})
    })
    // Signals are the program's: it decides when both end.
    yield* Effect.uninterruptible(
      ChildProgram.run(program, environmentWith({ NOMBA_PROXY_URL: proxy.url, NOMBA_PROXY_KEY: Redacted.value(key) }))
    )
  }).pipe(Effect.scoped)

const withToken = (program: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const token = yield* Effect.flatMap(TokenCache, (cache) => cache.get)
    const { baseUrl } = yield* NombaConfig
    yield* Effect.uninterruptible(
      ChildProgram.run(program, environmentWith({ NOMBA_ACCESS_TOKEN: Redacted.value(token), NOMBA_BASE_URL: baseUrl }))
    )
  })

export const command = Command.make("exec", flags, (given) =>
  Effect.gen(function* () {
    const program = yield* Program
    if (program.length === 0)
      return yield* new UsageError({ message: "name the program after --: nomba-auth exec -- PROGRAM" })
    if (!given.token) {
      return yield* withProxy(program, given.readOnly).pipe(
        Effect.provide(Environment.layer(given, { renewAhead: "5 minutes", httpClient: NodeHttpClient.layer }))
      )
    }
    if (given.readOnly) {
      return yield* new UsageError({ message: "--read-only needs the proxy: leave --token out" })
    }
    yield* withToken(program).pipe(Effect.provide(Environment.layer(given)))
  })
).pipe(
  Command.withDescription(
    describe(
      "Run a program with NOMBA_PROXY_URL and NOMBA_PROXY_KEY, through which it calls Nomba as long as it runs. It gets no client secret. Signals and the exit code are passed on.",
      [
        "nomba-auth exec -- php report.php",
        "nomba-auth exec --read-only -- python3 balance.py",
        `nomba-auth exec -- sh -c 'curl -H "x-nomba-key: $NOMBA_PROXY_KEY" $NOMBA_PROXY_URL/v1/accounts/balance'`
      ]
    )
  )
)
