/** Every promise of the library, kept against a sandbox that behaves like Nomba, over real HTTP. */
import { randomBytes } from "node:crypto"
import { FetchHttpClient, HttpClient, HttpClientRequest } from "@effect/platform"
import { Duration, Effect, Layer, Redacted } from "effect"
import { Nomba, NombaAuth, NombaClient, RetryPolicy, TokenCache, TokenStoreMemory } from "nomba-auth"
import { Sandbox, type SandboxService } from "nomba-auth/sandbox"
import { count, ms, note, print, type Step, steps, timed, title } from "./report.js"

const BALANCE = "/v1/accounts/balance"

type Client = { readonly clientId: string; readonly clientSecret: Redacted.Redacted<string> }

/** Each step logs in as a client of its own, so that none lives off another's session. */
const newClient = (clientId: string): Client => ({
  clientId,
  clientSecret: Redacted.make(randomBytes(32).toString("base64"))
})
const clients = {
  issuing: newClient("issuing"),
  herding: newClient("herding"),
  hitting: newClient("hitting"),
  renewing: newClient("renewing"),
  stolen: newClient("stolen"),
  failing: newClient("failing"),
  flaky: newClient("flaky"),
  leaving: newClient("leaving")
}

/** The library, as a program would provide it. */
const nomba = (sandbox: SandboxService, client: Client) =>
  Nomba.layer({ ...client, baseUrl: sandbox.url }).pipe(Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]))

/** How many token requests the sandbox has seen. */
const tokenRequests = (sandbox: SandboxService): Effect.Effect<number> =>
  Effect.map(sandbox.counts, ({ issue, refresh }) => issue.requests + refresh.requests)

/** The status of a call with this very token, without the library. */
const bareCall = (sandbox: SandboxService, token: Redacted.Redacted<string>) =>
  HttpClient.execute(HttpClientRequest.get(`${sandbox.url}${BALANCE}`).pipe(HttpClientRequest.bearerToken(token))).pipe(
    Effect.map(({ status }) => status),
    Effect.scoped,
    Effect.provide(FetchHttpClient.layer)
  )

const issue = (sandbox: SandboxService): Step => ({
  promise: "A token for a client id and a secret",
  run: Effect.gen(function* () {
    const auth = yield* NombaAuth
    const [session, took] = yield* timed(auth.issue)
    return {
      holds: (yield* bareCall(sandbox, session.accessToken)) === 200,
      says: `issued in ${ms(took)}, good for ${Duration.format(session.lifetime)}; a call with it answers 200; printed it reads ${session.accessToken}`
    }
  }).pipe(Effect.provide(nomba(sandbox, clients.issuing)))
})

const herd = (sandbox: SandboxService): Step => ({
  promise: "10,000 callers at once on a cold start cost one token request",
  run: Effect.gen(function* () {
    const cache = yield* TokenCache
    const before = yield* tokenRequests(sandbox)
    const callers = Array.from({ length: 10_000 }, () => cache.get)
    const [tokens, took] = yield* timed(Effect.all(callers, { concurrency: "unbounded" }))
    const requests = (yield* tokenRequests(sandbox)) - before
    const different = new Set(tokens.map(Redacted.value)).size
    return {
      holds: requests === 1 && different === 1,
      says: `${count(tokens.length, "caller")} served in ${ms(took)} with ${count(different, "token")} from ${count(requests, "token request")}`
    }
  }).pipe(Effect.provide(nomba(sandbox, clients.herding)))
})

const hit = (sandbox: SandboxService): Step => ({
  promise: "A cached token costs next to nothing",
  run: Effect.gen(function* () {
    const cache = yield* TokenCache
    yield* cache.get
    const before = yield* tokenRequests(sandbox)
    const calls = 200_000
    const [, took] = yield* timed(Effect.replicateEffect(cache.get, calls, { discard: true }))
    const requests = (yield* tokenRequests(sandbox)) - before
    return {
      holds: requests === 0,
      says: `${count(calls, "call")} in ${ms(took)}, ${Math.round((took / calls) * 1e6)} ns each, ${count(requests, "token request")}`
    }
  }).pipe(Effect.provide(nomba(sandbox, clients.hitting)))
})

/** While tokens live five seconds: they are renewed from the fourth on. */
const ahead = (sandbox: SandboxService): Step => ({
  promise: "A token is renewed before it expires, and no caller waits for it",
  run: Effect.gen(function* () {
    const cache = yield* TokenCache
    const first = yield* cache.get
    const before = yield* sandbox.counts
    yield* sandbox.fault("refresh", { latency: "400 millis" })
    yield* Effect.sleep("4050 millis")
    const callers = Array.from({ length: 30 }, (_, index) => Effect.delay(timed(cache.get), index * 5))
    const [answers, took] = yield* timed(Effect.all(callers, { concurrency: "unbounded" }))
    const slowest = Math.max(...answers.map(([, waited]) => waited))
    yield* Effect.sleep("400 millis")
    const renewed = Redacted.value(yield* cache.get) !== Redacted.value(first)
    const requests = (yield* sandbox.counts).refresh.requests - before.refresh.requests
    return {
      holds: renewed && requests === 1 && slowest < 200,
      says: `${count(answers.length, "caller")} came within ${ms(took)} of a renewal that took 400 ms; the slowest waited ${ms(slowest)}; ${count(requests, "refresh request")}`
    }
  }).pipe(Effect.provide(nomba(sandbox, clients.renewing)), (step) =>
    Effect.acquireUseRelease(
      Effect.zipLeft(sandbox.switches, sandbox.configure({ accessLifetime: "5 seconds" })),
      () => step,
      ({ accessLifetime }) => Effect.orDie(sandbox.configure({ accessLifetime }))
    )
  )
})

const theft = (sandbox: SandboxService): Step => ({
  promise: "Another instance logs in and kills our session: our calls go on",
  run: Effect.gen(function* () {
    const auth = yield* NombaAuth
    const cache = yield* TokenCache
    const client = yield* NombaClient
    const ours = yield* cache.get
    const { status: before } = yield* client.get(BALANCE)
    yield* auth.issue
    const dead = yield* bareCall(sandbox, ours)
    const requests = yield* tokenRequests(sandbox)
    const [{ status: after }, took] = yield* timed(client.get(BALANCE))
    const spent = (yield* tokenRequests(sandbox)) - requests
    return {
      holds: before === 200 && dead === 401 && after === 200 && spent === 1,
      says: `the old token answers ${dead}; the same call through the library answers ${after} after ${count(spent, "token request")} and ${ms(took)}`
    }
  }).pipe(Effect.provide(nomba(sandbox, clients.stolen)))
})

/** The tag that a failing program is matched by, as a service would match it. */
const tagOf = <A, R>(program: Effect.Effect<A, unknown, R>): Effect.Effect<string, never, R> =>
  Effect.matchCause(program, {
    onFailure: () => "something else",
    onSuccess: (value) => (typeof value === "string" ? value : "no error")
  })

const errors = (sandbox: SandboxService): Step => ({
  promise: "Each kind of failure has a tag of its own, matched with catchTag",
  run: Effect.gen(function* () {
    const auth = yield* NombaAuth
    const client = yield* NombaClient
    const bogus = { refreshToken: Redacted.make("not-a-refresh-token") }
    const wrongSecret = nomba(sandbox, newClient(clients.failing.clientId))
    const seen = [
      yield* tagOf(Effect.catchTag(client.get("@elsewhere.example/"), "InvalidRequest", (_) => Effect.succeed(_._tag))),
      yield* tagOf(
        Effect.flatMap(NombaAuth, (_) => _.issue).pipe(
          Effect.provide(wrongSecret),
          Effect.catchTag("InvalidCredentials", (_) => Effect.succeed(_._tag))
        )
      ),
      yield* tagOf(Effect.catchTag(auth.refresh(bogus), "Expired", (_) => Effect.succeed(_._tag))),
      yield* tagOf(
        Effect.zipRight(
          sandbox.fault("issue", { answer: { status: 503 } }),
          Effect.catchTag(auth.issue, "Unavailable", (_) => Effect.succeed(_._tag))
        )
      ),
      yield* tagOf(
        Effect.zipRight(
          sandbox.fault("issue", { answer: { status: 200, body: "<html>Welcome to the airport</html>" } }),
          Effect.catchTag(auth.issue, "UnexpectedResponse", (_) => Effect.succeed(_._tag))
        )
      )
    ]
    const expected = ["InvalidRequest", "InvalidCredentials", "Expired", "Unavailable", "UnexpectedResponse"]
    return { holds: seen.join() === expected.join(), says: seen.join(", ") }
  }).pipe(Effect.provide(nomba(sandbox, clients.failing)), Effect.provide(RetryPolicy.layerNone))
})

const retries = (sandbox: SandboxService): Step => ({
  promise: "A flaky Nomba is survived by the retry policy",
  run: Effect.gen(function* () {
    const cache = yield* TokenCache
    yield* sandbox.fault("issue", { answer: { status: 503 }, times: 2 })
    const before = yield* sandbox.counts
    const [, took] = yield* timed(cache.get)
    const { issue } = yield* sandbox.counts
    const requests = issue.requests - before.issue.requests
    return {
      holds: requests === 3,
      says: `two answers of 503, then a token: ${count(requests, "request")} in ${ms(took)}`
    }
  }).pipe(Effect.provide(nomba(sandbox, clients.flaky)))
})

const revoke = (sandbox: SandboxService): Step => ({
  promise: "After a logout the token is dead",
  run: Effect.gen(function* () {
    const cache = yield* TokenCache
    const token = yield* cache.get
    const alive = yield* bareCall(sandbox, token)
    yield* cache.logout
    const dead = yield* bareCall(sandbox, token)
    return {
      holds: alive === 200 && dead === 401,
      says: `a call with it answered ${alive} before and answers ${dead} now`
    }
  }).pipe(Effect.provide(nomba(sandbox, clients.leaving)))
})

/** Until you press Ctrl-C. */
const stopped = Effect.async<void>((resume) => {
  process.once("SIGINT", () => resume(Effect.void))
})

const tour = (options: { readonly slowly: boolean }): Effect.Effect<boolean> =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox
    yield* title(`nomba-auth against a sandbox on ${sandbox.url}`)
    yield* note("It behaves like Nomba: one session per client, no account and no network needed.")
    yield* note(
      options.slowly
        ? `Open ${sandbox.url} in a browser to see what happens there.\n`
        : "It has a page that shows what happens there: `npm start -- --watch` leaves time to look at it.\n"
    )
    const held = yield* steps(
      [
        issue(sandbox),
        herd(sandbox),
        hit(sandbox),
        ahead(sandbox),
        theft(sandbox),
        errors(sandbox),
        retries(sandbox),
        revoke(sandbox)
      ],
      options
    )
    if (options.slowly) yield* Effect.zipRight(note(`\nThe sandbox stays at ${sandbox.url} until Ctrl-C.`), stopped)
    return held
  }).pipe(
    Effect.provide(Sandbox.layerServer({ clients: Object.values(clients) })),
    Effect.catchTag("SandboxError", (error) => Effect.as(print(error.message), false))
  )

/** Answers whether every promise held. */
export const sandboxed: Effect.Effect<boolean> = tour({ slowly: false })

/** The same with time to look at the sandbox's page, which stays until Ctrl-C. */
export const watched: Effect.Effect<boolean> = tour({ slowly: true })
