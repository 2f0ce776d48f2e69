import { assert, describe, it } from "vitest"
import { openApiResources } from "../../src/cli/openApiResources.js"

const document = (paths: object) =>
  JSON.stringify({
    openapi: "3.1.0",
    paths,
    components: {
      schemas: {
        Card: {
          type: "object",
          properties: { last4: { type: "string", example: "1234" }, pin: { type: "string", writeOnly: true } }
        }
      }
    }
  })

const answering = (content: object) => ({ get: { responses: { "200": { content } } } })

const card = { schema: { $ref: "#/components/schemas/Card" } }

describe("openApiResources", () => {
  it.each(["application/json", "application/json; charset=utf-8", "application/problem+json", "application/*", "*/*"])(
    "makes an example of a schema for %s, without members that only a request has",
    (type) => {
      const { examples } = openApiResources(
        document({ "/v1/cards/{card-id}": answering({ "text/html": {}, [type]: card }) })
      )
      assert.deepStrictEqual(examples, [
        { method: "GET", path: "/v1/cards/{card-id}", status: 200, body: { last4: "1234" } }
      ])
    }
  )

  it("leaves out what it cannot answer, with the reason, and answers the rest", () => {
    const lost = { schema: { $ref: "#/components/schemas/Lost" } }
    const { examples, leftOut } = openApiResources(
      document({
        "/v1/lost": answering({ "application/json": lost }),
        "/v1/elsewhere": { get: { responses: { "200": { $ref: "other.yaml#/response" } } } },
        "/v1/cards/{id}.pdf": answering({ "application/json": card }),
        "/v1/statement": answering({ "application/pdf": { schema: { type: "string" } } }),
        "/v1/refused": { get: { responses: { "400": { content: { "application/json": card } } } } },
        ...Object.fromEntries(["/a", "/b", "/c", "/d"].map((path) => [path, answering({ "application/json": card })])),
        "/v1/auth/token/issue": answering({ "application/json": card }),
        "/v1/cards": answering({ "application/json": card })
      })
    )
    assert.deepStrictEqual(
      examples.map(({ path }) => path),
      ["/v1/cards"]
    )
    assert.match(leftOut[0] ?? "", /^GET \/v1\/lost: /)
    assert.deepStrictEqual(leftOut.slice(1), [
      "GET /v1/elsewhere: the reference other.yaml#/response leads to nothing",
      "/v1/cards/{id}.pdf: has a {name} that is not a whole segment",
      "GET /v1/statement: its response is not JSON",
      "GET /v1/refused: it has no response for a success",
      "paths outside /v1/ and /v2/: /a, /b, /c and 1 more"
    ])
  })
})
