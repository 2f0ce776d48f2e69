import { readFileSync } from "node:fs"
import { HttpApiClient, HttpClient, HttpClientResponse, OpenApi } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as Yaml from "yaml"
import { BadRequest, NombaApi, Unauthorized } from "../../src/schemas/NombaApi.js"

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), "utf8")
const spec: unknown = Yaml.parse(read("../fixtures/nomba-authentication-openapi.yml"))
const document = OpenApi.fromApi(NombaApi)

const prose = new Set(["description", "summary", "example", "examples", "license"])

/** No security at all, which is what an absent member means too. */
const isOpen = (key: string, value: unknown): boolean =>
  key === "security" && Array.isArray(value) && value.length === 0

/** What a document demands, without what it says to people. Names under `properties` are names, whatever they are. */
const structure = (node: unknown, names = false): unknown => {
  if (Array.isArray(node)) return node.map((item) => structure(item))
  if (typeof node !== "object" || node === null) return node
  return Object.fromEntries(
    Object.entries(node)
      .filter(([key, value]) => names || !(prose.has(key) || isOpen(key, value)))
      .map(([key, value]) => [key, structure(value, key === "properties" && !names)])
  )
}

const prosePairs = (node: unknown): ReadonlyArray<readonly [string, unknown]> =>
  typeof node !== "object" || node === null
    ? []
    : Object.entries(node).flatMap(([key, value]) => [[key, value] as const, ...prosePairs(value)])

describe("NombaApi", () => {
  it("has the structure of Nomba's description", () => {
    assert.deepStrictEqual(structure(document), structure(spec))
  })

  it("asks for the bearer on revoke alone", () => {
    const security = Object.entries(document.paths).map(([path, { post }]) => [path, post?.security])
    assert.deepStrictEqual(security, [
      ["/v1/auth/token/issue", []],
      ["/v1/auth/token/refresh", []],
      ["/v1/auth/token/revoke", [{ bearerAuth: [] }]]
    ])
  })

  it("differs from it if a member's type changes", () => {
    const changed = JSON.parse(JSON.stringify(document))
    changed.components.schemas.ErrorResponse.properties.errors.items.type = "object"
    assert.notDeepEqual(structure(changed), structure(spec))
  })

  it("copies no description of Nomba's", () => {
    const sentences = (of: unknown): ReadonlyArray<string> =>
      prosePairs(of)
        .filter(([key, value]) => (key === "description" || key === "summary") && typeof value === "string")
        .map(([, value]) => String(value).trim())
    const theirs = new Set(sentences(spec))
    assert.isAbove(theirs.size, 20)
    assert.deepStrictEqual(
      sentences(document).filter((sentence) => theirs.has(sentence)),
      []
    )
  })

  it("gives every operation, response and schema member a description", () => {
    for (const operation of Object.values(document.paths).flatMap((path) => Object.values(path))) {
      assert.isString(operation.description)
      assert.isString(operation.summary)
      for (const response of Object.values(operation.responses)) assert.isNotEmpty(response.description)
    }
    for (const schema of Object.values(document.components.schemas)) assert.isString(schema.description)
  })

  it("shows no example that looks like a secret", () => {
    const examples = prosePairs(document)
      .filter(([key]) => key === "examples")
      .map(([, value]) => JSON.stringify(value))
    assert.isNotEmpty(examples)
    for (const example of examples) {
      assert.notMatch(example, /eyJ|[A-Za-z0-9+/_-]{24,}|[0-9a-f]{8}-[0-9a-f]{4}/)
    }
  })

  it("equals openapi.json", () => {
    assert.deepStrictEqual(JSON.parse(read("../../openapi.json")), JSON.parse(JSON.stringify(document)))
  })

  const answering = (status: number, body: unknown) =>
    HttpApiClient.makeWith(NombaApi, {
      baseUrl: "https://sandbox.nomba.com",
      httpClient: HttpClient.make((request) =>
        Effect.succeed(HttpClientResponse.fromWeb(request, new Response(JSON.stringify(body), { status })))
      )
    })

  const payload = {
    grant_type: "client_credentials" as const,
    client_id: "client",
    client_secret: Redacted.make("secret")
  }

  it.effect("gives its derived client redacted tokens", () =>
    Effect.gen(function* () {
      const nomba = yield* answering(200, { code: "00", data: { access_token: "sentinel", expires_in: 1800 } })
      const answer = yield* nomba.obtainAccessToken({ payload })
      assert.deepStrictEqual(answer.data?.access_token, Redacted.make("sentinel"))
      assert.notInclude(JSON.stringify(answer), "sentinel")
    })
  )

  it.effect("tells a 400 and a 401 apart by class, and keeps the envelope", () =>
    Effect.gen(function* () {
      const envelope = { code: "400", description: "no", errors: ["client_id: is missing"] }
      const malformed = yield* Effect.flip((yield* answering(400, envelope)).obtainAccessToken({ payload }))
      assert.deepStrictEqual(malformed, new BadRequest(envelope))
      const refused = yield* Effect.flip((yield* answering(401, {})).obtainAccessToken({ payload }))
      assert.deepStrictEqual(refused, new Unauthorized({}))
    })
  )
})
