/** `nomba-auth login`: an end user logs in with a browser, for a client without a secret. */
import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Pkce from "../layers/Pkce.js"
import { type AuthError, Expired } from "../schemas/AuthError.js"
import { type ExchangeOptions, NombaAuth } from "../services/NombaAuth.js"
import { PublicLogin } from "../services/PublicLogin.js"
import { describe } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import { UsageError } from "./ExitCode.js"
import * as Output from "./Output.js"
import * as SessionReport from "./sessionReport.js"

const TIMEOUT = "10 minutes"

const flags = {
  ...Output.jsonFlag,
  subject: Environment.subject.pipe(
    Options.withPseudoName("NAME"),
    Options.withDescription("Your name for this session; other commands take the same. Default: cli."),
    Options.withDefault("cli")
  ),
  port: Options.integer("port").pipe(
    Options.withPseudoName("PORT"),
    Options.withDescription("The port that the browser returns to, on 127.0.0.1. Default: 0, a free one."),
    Options.withDefault(0)
  )
}

const page = (text: string): string =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>nomba-auth</title><p>${text}</p></html>\n`

/** Listens on a loopback address (RFC 8252 section 7.3). `callback` answers whether the request ends the login. */
const listen = (port: number, callback: (url: string) => Effect.Effect<boolean>) =>
  Effect.acquireRelease(
    Effect.async<Server, UsageError>((resume) => {
      const server = createServer(async ({ method, url = "" }, response) => {
        response.setHeader("content-type", "text/html; charset=utf-8").setHeader("connection", "close")
        const isCallback = method === "GET" && /^\/callback\?/.test(url)
        const isOver = isCallback && (await Effect.runPromise(callback(url)))
        response.statusCode = isOver ? 200 : isCallback ? 400 : 404
        response.end(
          page(isOver ? "You can close this window." : "This page does not belong to the login that is under way.")
        )
      })
      server.once("error", (error: NodeJS.ErrnoException) =>
        resume(
          new UsageError({ message: `--port ${port}: cannot be used (${error.code}): leave it out for a free one` })
        )
      )
      server.listen(port, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeIdleConnections()
      })
  )

/** The code that the browser brings back. Requests that do not belong to this login do not end it. */
const codeOf = Effect.fn("codeOf")(function* (port: number) {
  const outcome = yield* Deferred.make<ExchangeOptions, AuthError>()
  const pending = yield* Deferred.make<Pkce.PendingLogin>()
  const server = yield* listen(port, (url) =>
    Effect.gen(function* () {
      const result = yield* Effect.either(Pkce.callback(yield* Deferred.await(pending), url))
      if (result._tag === "Left" && result.left._tag === "UnexpectedResponse") {
        yield* Output.say(`warning: ${result.left.message}`)
        return false
      }
      return yield* Deferred.complete(outcome, result)
    })
  )
  const redirectUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/callback`
  const request = yield* Pkce.authorizationUrlConfig({ redirectUri })
  yield* Deferred.succeed(pending, request.pending)
  yield* Output.say(`open this page in a browser to log in:\n\n  ${Redacted.value(request.url)}\n`)
  return yield* Deferred.await(outcome).pipe(
    Effect.timeoutFail({
      duration: TIMEOUT,
      onTimeout: () => new Expired({ operation: "authorize", hint: `No login within ${TIMEOUT}: start it again.` })
    })
  )
}, Effect.scoped)

export const command = Command.make("login", flags, (given) =>
  Effect.gen(function* () {
    if (given.port < 0 || given.port > 65_535) {
      return yield* new UsageError({ message: `--port ${given.port}: must be an integer from 0 to 65535` })
    }
    const auth = yield* NombaAuth
    const publicLogin = yield* PublicLogin
    const session = yield* Effect.flatMap(codeOf(given.port), auth.exchange)
    yield* publicLogin.login(session)
    yield* Output.say(`logged in; other commands use this session with --subject '${given.subject}'`)
    yield* SessionReport.print(given)
  }).pipe(Effect.provide(Environment.layerPublic(given.subject)))
).pipe(
  Command.withDescription(
    describe(
      "Log in with a browser, for a client that has no secret (PKCE). The session is stored under the name --subject. Nomba has not released this yet; the sandbox has.",
      ["nomba-auth login", "nomba-auth token --subject cli"]
    )
  )
)
