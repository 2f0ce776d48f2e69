import { assert, describe, it } from "@effect/vitest"
import { Effect, Either, FastCheck as fc } from "effect"
import { destination } from "../../src/layers/http/OutgoingRequest.js"
import { clientOver } from "../support/client.js"
import { fake, json } from "../support/http.js"
import { runs } from "../support/quick.js"
import { cpuMillis } from "../support/work.js"

const bases = [
  "https://api.nomba.com",
  "https://proxy.example/nomba",
  "https://proxy.example:8443/a/b",
  "http://[::1]:3000"
]

/** What a path may be built of by someone who wants to get out. */
const piece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom("/", "\\", "//", "\\\\", "..", ".", "@", ":", "?", "#", ";", "%", "*", "|") },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "%2e",
      "%2E%2e",
      "%2f",
      "%5c",
      "%252e",
      "%252f",
      "%00",
      "%09",
      "\t",
      "\n",
      "\r",
      "\u0000",
      " ",
      "\u00a0",
      "\ufeff"
    )
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      "https:",
      "http:",
      "HTTPS://",
      "javascript:",
      "data:",
      "blob:",
      "file:",
      "ws://",
      "evil.example",
      "evil.example:443",
      "api.nomba.com",
      "proxy.example",
      "proxy.example:8443",
      "user:pw@",
      "127.0.0.1",
      "[::1]",
      ":8443",
      ":443",
      "nomba",
      "a/b"
    )
  },
  { weight: 1, arbitrary: fc.constantFrom("。", "．", "／", "＼", "＠", "ⓔvil.example", "🎈", "\ud800", "é", "xn--") },
  { weight: 2, arbitrary: fc.string({ maxLength: 6 }) }
)

const nasty = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(""))

const given = fc.oneof(
  nasty,
  nasty.map((text) => `/${text}`),
  fc.tuple(fc.constantFrom(...bases), nasty).map(([base, text]) => base + text),
  fc.tuple(fc.constantFrom(...bases), nasty).map(([base, text]) => `${base}/${text}`),
  fc.webUrl({ withQueryParameters: true, withFragments: true })
)

const isBelow = (url: URL, base: string): boolean => {
  const { origin, pathname } = new URL(base)
  const prefix = pathname === "/" ? "/" : `${pathname}/`
  return url.origin === origin && url.username === "" && url.password === "" && `${url.pathname}/`.startsWith(prefix)
}

const many = { fastCheck: runs(5_000) }

describe("the URL of a request", () => {
  it.prop(
    "is never another origin, and never outside the path of the base",
    { given, base: fc.constantFrom(...bases) },
    ({ base, given }) => {
      const resolved = destination(base)(given)
      if (Either.isLeft(resolved)) return
      const url = new URL(resolved.right)
      assert.isTrue(isBelow(url, base), resolved.right)
      const onceMore = new URL(decodedSlashes(resolved.right))
      assert.isTrue(isBelow(onceMore, base), `${resolved.right} as ${onceMore.href}`)
    },
    many
  )

  it.prop(
    "is what URL resolves, also on the fast path",
    {
      path: fc.oneof(nasty, fc.webPath(), plainPath()).map((path) => (path.startsWith("/") ? path : `/${path}`)),
      base: fc.constantFrom(...bases)
    },
    ({ base, path }) => {
      const resolved = destination(base)(path)
      const { origin, pathname } = new URL(base)
      const prefix = pathname === "/" ? "" : pathname
      if (Either.isRight(resolved)) assert.strictEqual(resolved.right, new URL(prefix + path, origin).href)
    },
    many
  )

  it.prop(
    "is found for every ordinary path",
    { path: plainPath(), base: fc.constantFrom(...bases) },
    ({ base, path }) => {
      assert.deepStrictEqual(destination(base)(path), Either.right(base + path))
      assert.deepStrictEqual(destination(base)(base + path), Either.right(base + path))
    }
  )

  it.each([
    ["/../x", false],
    ["/%2e%2e/x", false],
    ["/.%2E/x", false],
    ["/..%2fx", false],
    ["/..%5cx", false],
    ["/%2e%2e%2fx", false],
    ["/a/../../x", false],
    ["/a/..%2f..%2fx", false],
    ["/..\\x", false],
    ["\\..\\x", false],
    ["/.\t./x", false],
    ["https://proxy.example/x", false],
    ["https://proxy.example/nomba2/x", false],
    ["https://proxy.example/nomba/../x", false],
    ["https://proxy.example:444/nomba/x", false],
    ["http://proxy.example/nomba/x", false],
    ["https://me@proxy.example/nomba/x", false],
    ["https://proxy.example@evil.example/nomba/x", false],
    ["https://proxy.example.evil.example/nomba/x", false],
    ["blob:https://proxy.example/nomba/x", false],
    ["/a/../x", true],
    ["/a%2fb", true],
    ["/a b", true],
    ["/naïve?q=ü#h", true],
    ["HTTPS://PROXY.example:443/nomba/x", true],
    ["https://proxy.example/nomba", true]
  ] as const)("%s, below https://proxy.example/nomba: %s", (given, within) => {
    assert.strictEqual(Either.isRight(destination("https://proxy.example/nomba")(given)), within)
  })

  it("takes little time to resolve for a long path", () => {
    const resolve = destination("https://api.nomba.com")
    for (const path of [
      `/${"a".repeat(100_000)}!\u0000`,
      `${"/a".repeat(50_000)}\u0000`,
      `/a?${"b".repeat(100_000)}"`
    ]) {
      assert.isBelow(
        cpuMillis(() => resolve(path)),
        1_000
      )
    }
  })

  it.effect.prop(
    "is never sent to another host by NombaClient",
    { given, base: fc.constantFrom(...bases) },
    ({ base, given }) =>
      Effect.gen(function* () {
        const http = fake(() => json(200, {}))
        const nomba = yield* clientOver(http, undefined, { baseUrl: base })
        const exit = yield* Effect.either(nomba.get(given))
        assert.strictEqual(http.sent.length, Either.isRight(exit) ? 1 : 0)
        for (const { url } of http.sent) assert.isTrue(isBelow(new URL(url), base))
        if (Either.isLeft(exit)) assert.strictEqual(exit.left._tag, "InvalidRequest")
      }),
    { fastCheck: runs(300) }
  )
})

function plainPath(): fc.Arbitrary<string> {
  const segment = fc.stringMatching(/^[A-Za-z0-9_~-][\w.~:@!$&()*+,;=-]{0,8}$/)
  return fc
    .tuple(
      fc.array(segment, { minLength: 1, maxLength: 5 }),
      fc.boolean(),
      fc.stringMatching(/^(?:\?[\w.~=&-]{0,12})?$/)
    )
    .map(([segments, slash, query]) => `/${segments.join("/")}${slash ? "/" : ""}${query}`)
}

function decodedSlashes(href: string): string {
  const url = new URL(href)
  return url.origin + url.pathname.replaceAll(/%2f|%5c/gi, "/")
}
