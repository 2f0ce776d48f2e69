import { readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import { Effect, Predicate } from "effect"
import { Sandbox } from "nomba-auth/sandbox"
import { type Answer, balance, bearer, credentials, issue, login, post, refresh, revoke, send } from "./support.js"

const document = JSON.parse(readFileSync(new URL("../../openapi.json", import.meta.url), "utf8"))

/** The document says of no member that it is required and of none that it is forbidden; the sandbox can be held to both. */
const strictly = (node: unknown): unknown => {
  if (Array.isArray(node)) return node.map(strictly)
  if (!Predicate.isRecord(node)) return node
  const inner = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, strictly(value)]))
  return Predicate.isRecord(node["properties"])
    ? { ...inner, required: Object.keys(node["properties"]), additionalProperties: false }
    : inner
}

type Validators = (path: string, status: number) => ValidateFunction

const validators = (schemas: typeof document): Validators => {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  ajv.addSchema({ ...schemas, $id: "nomba" })
  const at = (pointer: string) => {
    const found = ajv.getSchema(`nomba#${pointer}`)
    assert.isDefined(found, pointer)
    return found as ValidateFunction
  }
  return (path, status) => {
    const responses = schemas.paths[path]?.post.responses ?? {}
    return status in responses
      ? at(`/paths/${path.replaceAll("/", "~1")}/post/responses/${status}/content/application~1json/schema`)
      : at("/components/schemas/ErrorResponse")
  }
}

const loose = validators(document)
const strict = validators(strictly(document))

const assertValid = (validator: Validators, path: string, { json, status }: Answer): void => {
  const validate = validator(path, status)
  assert.isTrue(validate(json), `${path} ${status}: ${JSON.stringify(validate.errors)}`)
}

const paths = {
  issue: "/v1/auth/token/issue",
  refresh: "/v1/auth/token/refresh",
  revoke: "/v1/auth/token/revoke"
}

/** Every answer and every refusal there is, each with the operation that gave it. */
const everything = Effect.gen(function* () {
  const { client, configure, fault, expire, revoke: revokeAll, url } = yield* Sandbox
  const answers: Array<readonly [path: string, answer: Answer]> = []
  const say = <E, R>(path: string, catchRefusals: Effect.Effect<Answer, E, R>) =>
    Effect.map(catchRefusals, (answer) => {
      answers.push([path, answer])
      return answer
    })

  const issued = yield* say(paths.issue, issue())
  const refreshed = yield* say(paths.refresh, refresh(issued.json.data.refresh_token))
  yield* say(paths.revoke, revoke(refreshed.json.data.access_token))
  for (const path of Object.values(paths)) {
    const { access } = yield* login
    for (const body of ["{", "[]", "{}", '{"grant_type":"password"}', " ".repeat(70_000)]) {
      yield* say(path, post(path, body, bearer(access)))
    }
    yield* say(path, post(path, {}, { authorization: "nonsense" }))
  }
  yield* say(paths.issue, issue(credentials, { accountId: "another" }))
  for (const status of [401, 403, 400] as const) {
    yield* configure({ badCredentials: status, invalidRefreshToken: status })
    yield* say(paths.issue, issue({ ...credentials, client_secret: "wrong" }))
    yield* say(paths.issue, issue({ ...credentials, client_id: "nobody" }))
    yield* say(paths.refresh, refresh("bogus"))
  }
  yield* configure({ refreshBearer: "required", invalidRefreshToken: 401, revokeUnknownMembers: "refused" })
  const second = yield* login
  yield* say(paths.refresh, refresh(second.refresh))
  yield* say(paths.refresh, refresh(second.refresh, bearer(issued.json.data.access_token)))
  yield* say(paths.revoke, revoke(second.access, { token: second.access, odd: 1 }))
  yield* say(paths.revoke, revoke(second.access, { token: "junk" }))
  yield* expire("refresh")
  yield* say(paths.refresh, refresh(second.refresh, bearer(second.access)))
  yield* expire("access")
  yield* say(paths.revoke, revoke(second.access))
  yield* say("/v1/accounts/balance", balance(bearer(second.access)))
  yield* revokeAll()
  yield* say(paths.revoke, revoke(second.access))
  for (const status of [403, 404, 422, 429, 500, 503]) {
    yield* fault("issue", { answer: { status } })
    yield* say(paths.issue, issue())
  }
  yield* configure({ rateLimit: "lowTraffic" })
  yield* issue()
  yield* say(paths.issue, issue())
  yield* say("/nowhere", post("/nowhere", {}))
  const wrongMethod = yield* client.get(`${url}${paths.issue}`)
  const json = yield* wrongMethod.json
  answers.push([paths.issue, { status: wrongMethod.status, headers: {}, text: "", json }])
  return answers
})

describe("responses of the sandbox, checked by an independent validator,", () => {
  it.effect("match openapi.json in the dialect of the spec", () =>
    Effect.gen(function* () {
      const answers = yield* everything
      const statuses = new Set(answers.map(([, { status }]) => status))
      assert.sameMembers([...statuses], [200, 400, 401, 403, 404, 405, 413, 422, 429, 500, 503])
      for (const [path, answer] of answers) {
        assertValid(strict, path, answer)
      }
    }).pipe(Effect.provide(Sandbox.layer({ dialect: "spec" })))
  )

  for (const dialect of ["both", "live"] as const) {
    it.effect(`is allowed by openapi.json, in the dialect ${dialect}`, () =>
      Effect.gen(function* () {
        for (const [path, answer] of yield* everything) assertValid(loose, path, answer)
      }).pipe(Effect.provide(Sandbox.layer({ dialect })))
    )
  }

  it("do not match once they are changed", () => {
    const answer = (json: unknown): Answer => ({ status: 200, headers: {}, text: "", json })
    const data = { access_token: "a", refresh_token: "r", token_type: "Bearer", expires_in: 1 }
    assertValid(strict, paths.issue, answer({ code: "00", description: "Success", data }))
    for (const wrong of [
      { code: 0, description: "Success", data },
      { code: "00", description: "Success", data: { ...data, expires_in: "1" } },
      { code: "00", description: "Success", data: { ...data, expires_in: 1.5 } },
      { code: "00", description: "Success", data: { ...data, extra: 1 } },
      { code: "00", description: "Success" }
    ]) {
      assert.throws(() => assertValid(strict, paths.issue, answer(wrong)))
    }
  })
})

describe("responses of the control API, checked by the same validator,", () => {
  it.effect("match its own document", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      const own = JSON.parse((yield* send(client, `${url}/_sandbox/openapi.json`, "GET")).text)
      assert.notInclude(JSON.stringify(own), "HttpApiDecodeError")
      const ajv = new Ajv2020({ strict: false, allErrors: true })
      ajv.addSchema({ ...own, $id: "control" })
      yield* login
      yield* issue({})
      const calls: ReadonlyArray<readonly [method: "GET" | "POST" | "PATCH" | "DELETE", path: string, body?: unknown]> =
        [
          ["POST", "/faults", { operation: "issue", fault: { latency: "1 second", during: "1 minute" } }],
          ["GET", "/state"],
          ["GET", "/sessions"],
          ["GET", "/counters"],
          ["GET", "/requests"],
          ["PATCH", "/switches", { accessLifetime: "1 minute" }],
          ["GET", "/switches"],
          ["POST", "/clock", { advance: "1 minute" }],
          ["POST", "/clock", { set: "soon" }],
          ["POST", "/sessions/expire", { token: "access" }],
          ["POST", "/sessions/revoke", {}],
          ["POST", "/sessions/revoke", {}],
          ["POST", "/sessions/steal", { clientId: "nobody" }],
          ["POST", "/sessions/steal", {}],
          ["DELETE", "/faults"],
          ["POST", "/reset"]
        ]
      for (const [method, path, body] of calls) {
        const ask = (headers: Record<string, string>) =>
          send(client, `${url}/_sandbox${path}`, method, {
            headers,
            ...(body === undefined ? {} : { body: JSON.stringify(body) })
          })
        const foreign = yield* ask({ origin: "https://evil.example" })
        assert.strictEqual(foreign.status, 403)
        for (const answer of [foreign, yield* ask({})]) {
          const response = `/paths/~1_sandbox${path.replaceAll("/", "~1")}/${method.toLowerCase()}/responses/${answer.status}`
          const validate = ajv.getSchema(`control#${response}/content/application~1json/schema`)
          assert.isDefined(validate, `${method} ${path} ${answer.status}`)
          assert.isTrue(validate?.(answer.json), `${method} ${path}: ${JSON.stringify(validate?.errors)}`)
        }
      }
    }).pipe(Effect.provide(Sandbox.layer()))
  )
})
