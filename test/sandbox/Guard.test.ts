import { type IncomingHttpHeaders, request } from "node:http"
import { HttpServerRequest } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Clock, Deferred, Effect, Exit, Option, Scope } from "effect"
import { Sandbox, type SandboxService, type ServerOptions } from "nomba-auth/sandbox"
import { foreignHost } from "../../src/sandbox/http/Guard.js"
import { credentials } from "./support.js"

interface Heard {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

/** A request with any header, `Host` included. */
const ask = (url: string, method: string, headers: Record<string, string> = {}, body = "") =>
  Effect.async<Heard, Error>((resume) => {
    const outgoing = request(url, { method, headers, agent: false }, (response) => {
      let text = ""
      response.on("data", (chunk) => {
        text += chunk
      })
      response.on("end", () =>
        resume(Effect.succeed({ status: response.statusCode ?? 0, headers: response.headers, text }))
      )
    })
    outgoing.on("error", (error) => resume(Effect.fail(error)))
    outgoing.end(body)
  })

const serving = <A, E>(use: (sandbox: SandboxService) => Effect.Effect<A, E, Scope.Scope>, options?: ServerOptions) =>
  Effect.scoped(Effect.flatMap(Sandbox.makeServer(options), use))

const json = { "content-type": "application/json" }

describe("the control API on a socket", () => {
  it.live("rejects a foreign Host, and so do the pages; the Nomba API accepts it", () =>
    serving(({ counts, url }) =>
      Effect.gen(function* () {
        const { port } = new URL(url)
        const status = (path: string, host: string) =>
          Effect.map(ask(`${url}${path}`, "GET", { host }), (heard) => heard.status)
        for (const own of [`127.0.0.1:${port}`, `localhost:${port}`, `LOCALHOST:${port}`, `[::1]:${port}`]) {
          for (const path of ["/_sandbox/state", "/", "/health", "/openapi.json"]) {
            assert.strictEqual(yield* status(path, own), 200, `${own} ${path}`)
          }
        }
        for (const foreign of [
          "evil.example",
          `evil.example:${port}`,
          `127.0.0.1.evil.example:${port}`,
          "127.0.0.1:1",
          `localhost@evil.example:${port}`,
          "no host at all"
        ]) {
          for (const path of ["/_sandbox/state", "/_sandbox/nowhere", "/", "/v1/auth/authorize"]) {
            assert.strictEqual(yield* status(path, foreign), 403, `${foreign} ${path}`)
          }
          for (const path of ["/health", "/openapi.json"]) {
            assert.strictEqual(yield* status(path, foreign), 200, `${foreign} ${path}`)
          }
        }
        const heard = yield* ask(`${url}/_sandbox/state`, "GET", { host: "evil.example" })
        assert.deepStrictEqual(JSON.parse(heard.text), {
          code: "403",
          description: "Forbidden",
          errors: ["Host: is not this sandbox's own, and not among allowedHosts"]
        })
        const issued = yield* ask(
          `${url}/v1/auth/token/issue`,
          "POST",
          { ...json, host: "nomba.local" },
          JSON.stringify(credentials)
        )
        assert.strictEqual(issued.status, 200)
        assert.strictEqual((yield* counts).issued, 1)
      })
    )
  )

  it.live("rejects every request of another page, without effect", () =>
    serving(({ counts, url, view }) =>
      Effect.gen(function* () {
        yield* ask(`${url}/v1/auth/token/issue`, "POST", json, JSON.stringify(credentials))
        const { port } = new URL(url)
        const foreign: ReadonlyArray<Record<string, string>> = [
          { origin: "https://evil.example" },
          { origin: "null" },
          { origin: `http://evil.example:${port}` },
          { origin: "http://localhost:3000" },
          { origin: url, host: "evil.example" },
          { origin: "http://127.0.0.1" },
          { "sec-fetch-site": "cross-site" },
          { "sec-fetch-site": "same-site" }
        ]
        for (const headers of foreign) {
          const name = JSON.stringify(headers)
          for (const [method, path] of [
            ["GET", "/state"],
            ["GET", "/events"],
            ["POST", "/reset"],
            ["DELETE", "/faults"]
          ] as const) {
            assert.strictEqual((yield* ask(`${url}/_sandbox${path}`, method, headers)).status, 403, `${name} ${path}`)
          }
          const steal = yield* ask(`${url}/_sandbox/sessions/steal`, "POST", { ...json, ...headers }, "{}")
          assert.strictEqual(steal.status, 403, name)
          const preflight = yield* ask(`${url}/_sandbox/sessions/steal`, "OPTIONS", {
            ...headers,
            "access-control-request-method": "POST"
          })
          assert.strictEqual(preflight.status, 403, name)
          assert.notProperty(preflight.headers, "access-control-allow-origin")
        }
        assert.strictEqual((yield* counts).issued, 1)
        assert.strictEqual((yield* view).sessions[0]?.startedBy, "client")
      })
    )
  )

  it.live("accepts its own page under each of its names", () =>
    serving(({ url, view }) =>
      Effect.gen(function* () {
        const { port } = new URL(url)
        for (const host of [`127.0.0.1:${port}`, `localhost:${port}`]) {
          const headers = { ...json, host, origin: `http://${host}`, "sec-fetch-site": "same-origin" }
          const stolen = yield* ask(`${url}/_sandbox/sessions/steal`, "POST", headers, "{}")
          assert.strictEqual(stolen.status, 200)
          assert.notProperty(stolen.headers, "access-control-allow-origin")
        }
        assert.strictEqual((yield* view).sessions[0]?.startedBy, "another login")
      })
    )
  )

  it.live("accepts any address, but no foreign name, if it listens on all addresses", () =>
    serving(
      ({ url }) =>
        Effect.gen(function* () {
          const status = (host: string, headers: Record<string, string> = {}) =>
            Effect.map(ask(`${url}/_sandbox/state`, "GET", { ...headers, host }), (heard) => heard.status)
          for (const own of ["192.0.2.7:8080", "[2001:db8::1]", "localhost:8080"]) {
            assert.strictEqual(yield* status(own), 200, own)
            assert.strictEqual(yield* status(own, { origin: `http://${own}` }), 200, own)
            assert.strictEqual(yield* status(own, { origin: "http://192.0.2.8" }), 403, own)
          }
          for (const foreign of ["evil.example", "192.0.2.7.evil.example", "1.evil"]) {
            assert.strictEqual(yield* status(foreign), 403, foreign)
          }
        }),
      { host: "0.0.0.0" }
    )
  )
})

describe("the host names of a sandbox", () => {
  const paths = ["/_sandbox/state", "/", "/v1/auth/authorize"]

  const refused = (url: string, host: string) =>
    Effect.map(
      Effect.forEach(paths, (path) => ask(`${url}${path}`, "GET", { host })),
      (answers) => answers.map(({ status }) => status === 403)
    )

  it.live("include allowedHosts with any port and in any case, also if it listens on all addresses", () =>
    Effect.forEach(["127.0.0.1", "0.0.0.0"], (host) =>
      serving(
        ({ url }) =>
          Effect.gen(function* () {
            for (const own of ["sandbox", "sandbox:4010", "SANDBOX:80", "nomba.local:1", "[2001:db8::7]:4010"]) {
              assert.deepStrictEqual(yield* refused(url, own), [false, false, false], own)
            }
            for (const foreign of ["sandbox.evil.example", "evil.sandbox:4010", "local", "nomba.local.evil.example"]) {
              assert.deepStrictEqual(yield* refused(url, foreign), [true, true, true], foreign)
            }
            const headers = { ...json, host: "sandbox:4010" }
            const steal = (origin: string) =>
              ask(`${url}/_sandbox/sessions/steal`, "POST", { ...headers, origin }, "{}")
            assert.strictEqual((yield* steal("http://sandbox:4010")).status, 200)
            assert.strictEqual((yield* steal("http://nomba.local:4010")).status, 403)
          }),
        { host, allowedHosts: ["sandbox", "Nomba.local", "2001:db8::7"] }
      )
    )
  )

  it("include the name that it listens on, whatever its address", () => {
    for (const address of ["127.0.1.1", "192.0.2.7", "[2001:db8::7]"]) {
      const allows = (claimed: string) => {
        const request = HttpServerRequest.fromWeb(new Request("http://box/", { headers: { host: claimed } }))
        const names = { host: "Build-Box", allowedHosts: new Set<string>() }
        return Option.isNone(foreignHost(request, `http://${address}:4010`, names))
      }
      for (const own of ["build-box:4010", "BUILD-BOX:4010", `${address}:4010`]) assert.isTrue(allows(own), own)
      for (const foreign of ["build-box:4011", "build-box", "evil.example:4010", `${address}:4011`, "192.0.2.8:4010"]) {
        assert.isFalse(allows(foreign), foreign)
      }
      assert.strictEqual(allows("localhost:4010"), address === "127.0.1.1")
    }
  })
})

describe("the Nomba API, for a page in a browser,", () => {
  it.live("can be called and read from any origin, errors and rate limits included", () =>
    serving(
      ({ counts, url }) =>
        Effect.gen(function* () {
          const origin = "https://shop.example"
          const preflight = yield* ask(`${url}/v1/auth/token/revoke`, "OPTIONS", {
            origin,
            "access-control-request-method": "POST",
            "access-control-request-headers": "accountid,authorization,content-type,x-sentinel"
          })
          assert.strictEqual(preflight.status, 204)
          assert.include(preflight.headers, {
            "access-control-allow-origin": "*",
            "access-control-allow-methods": "POST",
            "access-control-allow-headers": "Authorization, *"
          })
          const answers = [
            yield* ask(`${url}/v1/auth/token/issue`, "POST", { ...json, origin }, JSON.stringify(credentials)),
            yield* ask(`${url}/v1/auth/token/issue`, "POST", { ...json, origin }, "{"),
            yield* ask(`${url}/v1/accounts/balance`, "GET", { origin }),
            yield* ask(`${url}/nowhere`, "GET", { origin })
          ]
          assert.deepStrictEqual(
            answers.map(({ status }) => status),
            [200, 400, 401, 404]
          )
          for (const { headers } of answers) {
            assert.strictEqual(headers["access-control-allow-origin"], "*")
            assert.include(headers["access-control-expose-headers"], "X-Rate-Limit-Remaining")
            assert.notProperty(headers, "access-control-allow-credentials")
          }
          const unknown = yield* ask(`${url}/nowhere`, "OPTIONS", { origin, "access-control-request-method": "POST" })
          assert.strictEqual(unknown.status, 404)
          assert.strictEqual((yield* counts).revoke.requests, 0)
        }),
      { rateLimit: "regular" }
    )
  )
})

describe("server-sent events", () => {
  /** Follows the events until the first has come. */
  const follow = (url: string, controller: AbortController) =>
    Effect.promise(async () => {
      const response = await fetch(`${url}/_sandbox/events`, { signal: controller.signal })
      const reader = response.body?.getReader()
      const first = await reader?.read()
      const ended = (async () => {
        try {
          while (reader !== undefined && !(await reader.read()).done) {}
          return "ended"
        } catch {
          return "truncated"
        }
      })()
      return { first: new TextDecoder().decode(first?.value), ended }
    })

  it.live("arrive at once and after each change, until the page disconnects", () =>
    serving(({ steal, url }) =>
      Effect.gen(function* () {
        const response = yield* Effect.promise(() => fetch(`${url}/_sandbox/events`))
        assert.strictEqual(response.headers.get("content-type"), "text/event-stream")
        const reader = response.body?.getReader()
        let text = ""
        const until = (what: string) =>
          Effect.promise(async () => {
            while (!text.includes(what)) text += new TextDecoder().decode((await reader?.read())?.value)
          })
        yield* until("\n\n")
        assert.match(text, /^event: state\ndata: \{.*\}\n\n$/)
        yield* steal()
        yield* until('"startedBy":"another login"')
        yield* Effect.promise(async () => reader?.cancel())
      })
    )
  )

  it.live("end when the sandbox closes, without delaying it", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const { url } = yield* Scope.extend(Sandbox.makeServer(), scope)
      const followers = yield* Effect.replicateEffect(follow(url, new AbortController()), 3)
      for (const { first } of followers) assert.match(first, /^event: state\n/)
      yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
      for (const { ended } of followers) assert.include(["truncated", "ended"], yield* Effect.promise(() => ended))
    })
  )

  it.live("stop when the page disconnects", () =>
    Effect.gen(function* () {
      const interrupted = yield* Deferred.make<void>()
      const machine = Clock.make()
      const clock: Clock.Clock = {
        [Clock.ClockTypeId]: Clock.ClockTypeId,
        currentTimeMillis: machine.currentTimeMillis,
        currentTimeNanos: machine.currentTimeNanos,
        unsafeCurrentTimeMillis: () => machine.unsafeCurrentTimeMillis(),
        unsafeCurrentTimeNanos: () => machine.unsafeCurrentTimeNanos(),
        sleep: () => Effect.onInterrupt(Effect.never, () => Deferred.succeed(interrupted, undefined))
      }
      const { url } = yield* Effect.withClock(Sandbox.makeServer(), clock)
      const controller = new AbortController()
      yield* follow(url, controller)
      assert.isFalse(yield* Deferred.isDone(interrupted))
      controller.abort()
      yield* Effect.timeout(Deferred.await(interrupted), "20 seconds")
    }).pipe(Effect.scoped)
  )
})

describe("the pages for tools", () => {
  it.live("say that the sandbox is up, and what it serves", () =>
    serving(({ url }) =>
      Effect.gen(function* () {
        const health = yield* ask(`${url}/health`, "GET")
        assert.strictEqual(health.text, '{"status":"ok"}')
        assert.strictEqual((yield* ask(`${url}/health`, "HEAD")).status, 200)
        const wrong = yield* ask(`${url}/health`, "POST")
        assert.strictEqual(wrong.status, 405)
        assert.strictEqual(wrong.headers["allow"], "GET, HEAD")
        const document = JSON.parse((yield* ask(`${url}/openapi.json`, "GET")).text)
        assert.sameMembers(Object.keys(document.paths), [
          "/v1/auth/token/issue",
          "/v1/auth/token/refresh",
          "/v1/auth/token/revoke"
        ])
        const control = JSON.parse((yield* ask(`${url}/_sandbox/openapi.json`, "GET")).text)
        assert.include(Object.keys(control.paths), "/_sandbox/sessions/steal")
      })
    )
  )
})
