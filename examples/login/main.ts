import { createServer, type Server } from "node:http"
import type { AddressInfo } from "node:net"
import { FetchHttpClient } from "@effect/platform"
import { Console, Deferred, Effect, Layer, Redacted } from "effect"
import { Nomba, NombaAuth, NombaClient, Pkce, PublicLogin, TokenStoreMemory } from "nomba-auth"

/** Listens on a port that the system chooses, until a browser comes back. */
const listen = Effect.gen(function* () {
  const visited = yield* Deferred.make<string>()
  const server = yield* Effect.acquireRelease(
    Effect.async<Server>((resume) => {
      const server = createServer(({ url = "" }, response) => {
        response.end("You can close this window.\n")
        if (url.startsWith("/callback?")) Deferred.unsafeDone(visited, Effect.succeed(url))
      }).listen(0, "127.0.0.1", () => resume(Effect.succeed(server)))
    }),
    (server) =>
      Effect.async<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections() // a browser opens some to keep
      })
  )
  const { port } = server.address() as AddressInfo
  return { redirectUri: `http://127.0.0.1:${port}/callback`, visited: Deferred.await(visited) }
})

const login = Effect.gen(function* () {
  const { redirectUri, visited } = yield* listen
  const { pending, url } = yield* Pkce.authorizationUrlConfig({ redirectUri })
  yield* Console.log(`Log in at ${Redacted.value(url)}`)
  const callback = yield* visited
  const auth = yield* NombaAuth
  const publicLogin = yield* PublicLogin
  const session = yield* Effect.flatMap(Pkce.callback(pending, callback), auth.exchange)
  yield* publicLogin.login(session)
}).pipe(Effect.scoped)

const balance = Effect.gen(function* () {
  const nomba = yield* NombaClient
  const response = yield* nomba.get("/v1/accounts/balance")
  return yield* response.json
})

// NOMBA_* from the environment
const NombaLive = Nomba.layerPublicConfig(Nomba.defaultPublicConfig, { subject: "this machine" }).pipe(
  Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer])
)

await Effect.runPromise(login.pipe(Effect.zipRight(balance), Effect.flatMap(Console.log), Effect.provide(NombaLive)))
