import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { once } from "../support/auth.js"
import { clientSecret } from "../support/config.js"
import { type Answer, fake, json, type Sent, text, unreachable } from "../support/http.js"
import { known, spellings } from "../support/leakProbes.js"
import { leaks, type Printed, printed } from "../support/leaks.js"
import { operations, presented } from "../support/operations.js"

const issued = { accessToken: "eyJhbGciOiJIUzI1NiJ9.e30.granted_access-token", refreshToken: "granted/refresh+token=" }
const secrets = [clientSecret, ...Object.values(presented), ...Object.values(issued)]

/** Header values cannot hold control characters. */
const headers = (echo: string): Record<string, string> => {
  const value = echo.replace(/[^\x20-\x7e]/g, "")
  return Object.fromEntries(
    [
      "x-request-id",
      "x-correlation-id",
      "retry-after",
      "x-rate-limit-window",
      "location",
      "set-cookie",
      "www-authenticate",
      "content-type",
      "date",
      "age"
    ].map((name) => [name, value])
  )
}

const bodies: ReadonlyArray<readonly [string, (echo: string) => string | null]> = [
  ["nothing", () => null],
  ["the echo alone", (echo) => echo],
  ["a page", (echo) => `<html>${echo}</html>`],
  ["a description", (echo) => JSON.stringify({ code: "17", description: `no: ${echo}` })],
  ["a message", (echo) => JSON.stringify({ code: "400", message: `${"x".repeat(180)} ${echo}` })],
  ["a code", (echo) => JSON.stringify({ code: echo })],
  ["a list of errors", (echo) => JSON.stringify({ errors: [echo, `${echo}${echo}`, `a${echo}b`] })],
  ["a list", (echo) => JSON.stringify([echo])],
  ["members of a name that is a secret", (echo) => JSON.stringify({ [echo]: echo, data: { [echo]: echo } })],
  [
    "a session beside an error",
    (echo) =>
      JSON.stringify({
        code: "02",
        description: `${echo} ${issued.accessToken} ${issued.refreshToken}`,
        data: { access_token: issued.accessToken, refresh_token: issued.refreshToken }
      })
  ],
  [
    "a session with echoes",
    (echo) =>
      JSON.stringify({
        code: "00",
        description: echo,
        data: {
          access_token: issued.accessToken,
          refresh_token: issued.refreshToken,
          token_type: `${echo}${issued.accessToken}`,
          businessId: `${issued.refreshToken}${echo}`,
          expires_in: echo,
          expiresAt: `${echo} ${issued.accessToken}`
        }
      })
  ],
  [
    "a token that cannot be used",
    (echo) => JSON.stringify({ data: { access_token: `${issued.accessToken} ${echo}\n` } })
  ],
  [
    "a token dead on arrival",
    () =>
      JSON.stringify({ data: { access_token: issued.accessToken, refresh_token: issued.refreshToken, expires_in: 0 } })
  ]
]

const statuses = [200, 302, 400, 401, 403, 429, 503]

const isSilent = (printed: ReadonlyArray<Printed>, what: string): void => {
  const found = leaks(printed, secrets)
  assert.deepStrictEqual(
    found.map(([how, text]) => `${how}: ${text.slice(0, 300)}`),
    [],
    what
  )
}

describe("a secret that Nomba echoes cannot be read", { timeout: 60_000 }, () => {
  it.effect("the probe of this test sees it", () =>
    Effect.gen(function* () {
      for (const [what, spell] of spellings) {
        for (const secret of secrets) {
          const seen = leaks(yield* printed(Effect.fail(new Error(`no: ${spell(secret)}.`))), [secret])
          assert.include(
            seen.map(([how]) => how),
            "the pretty cause",
            `${secret} ${what}`
          )
        }
      }
      const logged = yield* printed(Effect.as(Effect.logInfo("s3cr3t"), undefined))
      assert.sameMembers(
        [...new Set(leaks(logged, ["s3cr3t"]).map(([how]) => how))],
        [
          "the string logger",
          "the logfmt logger",
          "the JSON logger",
          "the structured logger",
          "the pretty logger",
          "a span's events"
        ]
      )
    })
  )

  for (const { operation, run } of operations) {
    for (const [what, body] of bodies) {
      it.effect(`${operation}, ${what}`, () =>
        Effect.gen(function* () {
          for (const [turn, status] of statuses.entries()) {
            const secret = known[operation][turn % known[operation].length] ?? assert.fail()
            const [how, spell] = spellings[(turn + what.length) % spellings.length] ?? assert.fail()
            const echo = spell(secret)
            const http = fake(() => text(status, body(echo), headers(echo)))
            isSilent(yield* printed(run(yield* once(http))), `HTTP ${status} with ${secret} ${how}`)
          }
        })
      )
    }
  }

  it.effect("in any spelling, in any field that is shown", () =>
    Effect.gen(function* () {
      for (const { operation, run } of operations) {
        for (const [how, spell] of spellings) {
          // `SafeText.test.ts` masks every secret in every spelling; here each operation shows that it masks its own.
          for (const secret of known[operation].slice(-1)) {
            const description = `before ${spell(secret)} after`
            const data = { access_token: issued.accessToken, refresh_token: issued.refreshToken }
            const auth = yield* once(fake(() => json(400, { description, data })))
            const error = yield* Effect.flip(run(auth))
            assert.deepStrictEqual(leaks([["message", error.message]], [secret]), [], how)
            assert.match(error.message, /before \S{0,20}\W*\*\*\*\W*\S{0,6} after/, how)
          }
        }
      }
    })
  )
})

describe("a secret that Nomba echoes in part cannot be read", () => {
  const parts: ReadonlyArray<readonly [string, (secret: string) => string]> = [
    ["all but its last character", (secret) => secret.slice(0, -1)],
    ["all but its first character", (secret) => secret.slice(1)],
    ["its first half", (secret) => secret.slice(0, secret.length / 2)],
    ["its second half", (secret) => secret.slice(secret.length / 2)],
    ["its middle", (secret) => secret.slice(4, -4)]
  ]
  const quotations: ReadonlyArray<(part: string) => string> = [
    (part) => `client_secret "${part}" is wrong`,
    (part) => `bad secret ${part}...`
  ]
  for (const { operation, run } of operations) {
    for (const [index, [what, take]] of parts.entries()) {
      it.effect(`${operation}, ${what}`, () =>
        Effect.gen(function* () {
          const all = [...known[operation], ...Object.values(issued)]
          for (const [turn, [how, spell]] of spellings.entries()) {
            const part = take(all[(turn + index) % all.length] ?? assert.fail())
            const quote = quotations[(turn + index) % quotations.length] ?? assert.fail()
            const description = quote(spell(part))
            const data = { access_token: issued.accessToken, refresh_token: issued.refreshToken }
            const error = yield* Effect.flip(run(yield* once(fake(() => json(400, { description, data })))))
            assert.deepStrictEqual(leaks([["message", error.message]], [part]), [], how)
            assert.match(error.message, /secret \S{0,20}\W*\*\*\*\W*\S{0,6}(?: is wrong|\.{2,3})/, how)
          }
        })
      )
    }
  }
})

describe("a secret in a failure of the HttpClient cannot be read", () => {
  const all = secrets.join(" ")
  const failure = () =>
    Object.assign(new Error(all, { cause: new Error(all) }), {
      code: "ECONNRESET",
      request: all,
      [all]: all,
      name: all
    })
  const answers: ReadonlyArray<readonly [string, (sent: Sent) => Answer]> = [
    ["a failed request", (sent) => unreachable(sent, failure())],
    ["a code that is a secret", (sent) => unreachable(sent, Object.assign(failure(), { code: clientSecret }))],
    ["a defect", () => Effect.die(failure())],
    ["a thrown string", () => Effect.die(all)],
    ["a body that breaks off", () => new Response(new ReadableStream({ pull: (_) => _.error(failure()) }))],
    ["no answer", () => Effect.interrupt]
  ]
  for (const { operation, run } of operations) {
    for (const [what, answer] of answers) {
      it.effect(`${operation}, ${what}`, () =>
        Effect.gen(function* () {
          isSilent(yield* printed(run(yield* once(fake(answer)))), what)
        })
      )
    }
  }

  it.effect("nor in a defect of its source", () =>
    Effect.gen(function* () {
      const auth = yield* once(
        fake(() => json(200, {})),
        { clientSecret: Effect.die(failure()) }
      )
      isSilent(yield* printed(auth.issue), "clientSecret")
    })
  )
})

describe("an invalid input cannot be read", () => {
  for (const bad of [`${clientSecret}\n`, ` ${clientSecret}`, `${clientSecret}\u0000`]) {
    it.effect(JSON.stringify(bad), () =>
      Effect.gen(function* () {
        const secret = Redacted.make(bad)
        const auth = yield* once(
          fake(() => json(200, {})),
          { clientSecret: Effect.succeed(secret) }
        )
        for (const call of [
          auth.issue,
          auth.refresh({ refreshToken: Redacted.make(""), accessToken: secret }),
          auth.revoke(secret),
          auth.revoke(Redacted.make("t"), { bearer: secret }),
          auth.exchange({ code: secret, verifier: secret, redirectUri: "" })
        ]) {
          isSilent(yield* printed(call), bad)
        }
      })
    )
  }
})
