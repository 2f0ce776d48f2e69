import { assert, describe, it } from "@effect/vitest"
import { Either, Redacted } from "effect"
import * as Keys from "../../../src/cli/serve/Keys.js"

const shop = "shop-key-0123456789"
const report = "report-key-9876543210"

const file = `# who may call
shop:${shop}

report:${report}:GET /v1/accounts/**, GET,POST /v1/transactions/*
`

const nameOf = (headers: Record<string, string>, content = file): string | undefined =>
  Keys.find(Either.getOrThrow(Keys.parseFile(content)), headers)?.name

describe("the key of a request", () => {
  it("is x-nomba-key, or the bearer token", () => {
    assert.strictEqual(nameOf({ "x-nomba-key": shop }), "shop")
    assert.strictEqual(nameOf({ authorization: `Bearer ${report}` }), "report")
    assert.strictEqual(nameOf({ authorization: `bearer ${report}` }), "report")
  })
  it("is x-nomba-key if there are both", () => {
    assert.strictEqual(nameOf({ "x-nomba-key": shop, authorization: "Bearer of-something-else" }), "shop")
    assert.isUndefined(nameOf({ "x-nomba-key": "wrong", authorization: `Bearer ${shop}` }))
  })
  it.each([
    {},
    { "x-nomba-key": "" },
    { "x-nomba-key": "shop" },
    { "x-nomba-key": `${shop}x` },
    { "x-nomba-key": `${shop}${"\0".repeat(9)}x` },
    { "x-nomba-key": shop.padEnd(300, "x") },
    { "x-nomba-key": shop.slice(0, -1) },
    { "x-nomba-key": shop.toUpperCase() },
    { "x-nomba-key": `${shop}, ${shop}` },
    { authorization: shop },
    { authorization: "Bearer" },
    { authorization: `Basic ${Buffer.from(`shop:${shop}`).toString("base64")}` }
  ])("is not %j", (headers) => {
    assert.isUndefined(nameOf(headers))
  })
})

describe("parseFile", () => {
  it("gives a key its own rules", () => {
    const keys = Either.getOrThrow(Keys.parseFile(file))
    assert.deepStrictEqual(
      keys.map(({ name, rules }) => [name, rules?.map(({ text }) => text)]),
      [
        ["shop", undefined],
        ["report", ["GET /v1/accounts/**", "GET,POST /v1/transactions/*"]]
      ]
    )
  })

  it("shows no key when it is printed", () => {
    const keys = Either.getOrThrow(Keys.parseFile(file))
    assert.notInclude(JSON.stringify(keys), shop)
  })

  it.each([
    ["", "no line is name:key"],
    ["# only a comment", "no line is name:key"],
    ["shop", "line 1: the key must have 16 to 256 characters"],
    [`shop:${"x".repeat(257)}`, "line 1: the key must have 16 to 256 characters"],
    ["shop:short", "line 1: the key must have 16 to 256 characters"],
    [`shop:${shop} and more`, "line 1: the key may have visible ASCII characters only, and no colon"],
    [`a b:${shop}`, "line 1: the name must be 1 to 64 letters, digits, dots, dashes or underscores"],
    [`:${shop}`, "line 1: the name must be 1 to 64 letters, digits, dots, dashes or underscores"],
    [`a:${shop}\nb:${shop}`, "line 2: the key is used twice"],
    [`a:${shop}\na:${report}`, "line 2: the name is used twice"],
    [`a:${shop}:`, "line 1: a rule must follow the second colon"],
    [`a:${shop}:GET accounts`, "line 1: rule 1: the path must begin with a slash"],
    [`a:${shop}:GET /v1/x, GET /v1/../x`, "line 1: rule 2: the path has a dot segment"],
    [`a:${shop}:GET`, "line 1: rule 1: must be METHOD /path"]
  ])("refuses %j and does not quote a key", (content, issue) => {
    const issues = Either.getOrThrow(Either.flip(Keys.parseFile(content)))
    assert.include(issues.join("\n"), issue)
    assert.notInclude(issues.join("\n"), shop)
  })
})

it("a generated key has 256 bits and is never the same", () => {
  const [one, other] = [Redacted.value(Keys.generate()), Redacted.value(Keys.generate())]
  assert.strictEqual(Buffer.from(one, "base64url").length, 32)
  assert.notStrictEqual(one, other)
  assert.isUndefined(Keys.keyIssue(one))
})
