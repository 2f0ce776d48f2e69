/** Whatever a server, or something in its place, may answer: as data that shrinks. */
import { FastCheck as fc } from "effect"
import * as IncomingResponse from "../../src/layers/http/IncomingResponse.js"
import { spellings } from "./leakProbes.js"

/** What a session is granted with, where one is. */
export const grantedTokens = {
  accessToken: "eyJhbGciOiJIUzI1NiJ9.e30.granted_access-token",
  refreshToken: "granted/refresh+token="
}

/** How a body ends when all that is to come of it has come. */
export type End = "ends" | "breaks off" | "never ends" | "goes on for ever" | "dies" | "interrupts itself"

/** The longest piece that a body comes in. */
export const PIECE = 65_536

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly content: Content
  /** Where the content is cut; it is whole where there is no such byte. */
  readonly cut: number | undefined
  readonly end: End
  /** In bytes; of a long body the pieces are longer. */
  readonly piece: number
  /** In milliseconds: until there is a status, and before each piece of the body. */
  readonly latency: number
  readonly pause: number
}

/** Text that is given by what it repeats. */
interface Nested {
  readonly open: string
  readonly depth: number
  readonly close: string
}

type Json = string | Nested

type Members = ReadonlyArray<readonly [name: string, value: Json]>

export type Content =
  | { readonly kind: "envelope"; readonly members: Members; readonly data: Members | Json; readonly padding: number }
  | { readonly kind: "text"; readonly text: Json }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }

const written = (json: Json): string =>
  typeof json === "string" ? json : json.open.repeat(json.depth) + json.close.repeat(json.depth)

const object = (members: Members): string =>
  `{${members.map(([name, value]) => `${JSON.stringify(name)}:${written(value)}`).join()}}`

const isMembers = (data: Members | Json): data is Members => Array.isArray(data)

const utf8 = new TextEncoder()

/** All that there is to come of a body. */
export const bytesOf = ({ content, cut }: Pick<Answer, "content" | "cut">): Uint8Array => {
  const whole = (): Uint8Array => {
    switch (content.kind) {
      case "bytes":
        return content.bytes
      case "text":
        return utf8.encode(written(content.text))
      case "envelope": {
        const { data, members, padding } = content
        return utf8.encode(
          " ".repeat(padding) + object([...members, ["data", isMembers(data) ? object(data) : data] as const])
        )
      }
    }
  }
  return whole().subarray(0, cut)
}

/** Any answer to one who has presented the given secrets, which it may echo. */
export const anyAnswer = (secrets: ReadonlyArray<string>): fc.Arbitrary<Answer> => {
  const echo = fc
    .tuple(fc.constantFrom(...secrets), fc.constantFrom(...spellings), fc.constantFrom("", "no: ", "x".repeat(190)))
    .map(([secret, [, spell], before]) => `${before}${spell(secret)}`)
  const hostile = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    echo,
    fc
      .constantFrom("\u0000", "\u2028\u2029", "\ud800", "\u001b[2J", "__proto__", "%s%d", "<script>", "../..")
      .chain((text) => fc.integer({ min: 1, max: 2_000 }).map((times) => text.repeat(times)))
  )
  const nested: fc.Arbitrary<Nested> = fc.record({
    open: fc.constantFrom("[", '{"data":', '{"access_token":[', '[{"errors":'),
    depth: fc.integer({ min: 1, max: 20_000 }),
    close: fc.constantFrom("", "]", "}", "]}", "}]")
  })
  const odd: fc.Arbitrary<Json> = fc.oneof(
    { weight: 4, arbitrary: fc.jsonValue().map((value) => JSON.stringify(value)) },
    { weight: 4, arbitrary: hostile.map((text) => JSON.stringify(text)) },
    { weight: 2, arbitrary: fc.constantFrom("null", "true", "0", "-1", "1e999", '""', "[]", "{}", "nonsense") },
    { weight: 1, arbitrary: nested }
  )
  const member = (name: string, ...usual: ReadonlyArray<unknown>): fc.Arbitrary<Members> =>
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.constantFrom(...usual).map((value) => [[name, JSON.stringify(value)] as const])
      },
      { weight: 2, arbitrary: odd.map((value) => [[name, value] as const]) },
      { weight: 1, arbitrary: fc.constant([]) }
    )
  const members = (...each: ReadonlyArray<fc.Arbitrary<Members>>): fc.Arbitrary<Members> =>
    fc.tuple(...each).map((all) => all.flat())

  const data = members(
    member("access_token", grantedTokens.accessToken),
    member("refresh_token", grantedTokens.refreshToken),
    member("token_type", "Bearer", "bearer"),
    member("businessId", "a-business"),
    member("expires_in", 3600, "1800", 1),
    member("expiresAt", "2025-10-09T08:58:20Z", 1_760_000_600_000),
    fc.oneof(
      { weight: 3, arbitrary: fc.constant<Members>([]) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(fc.constantFrom("access_token", "__proto__", "constructor"), odd)
          .map((more): Members => [more])
      }
    )
  )
  const envelope = fc.record({
    kind: fc.constant("envelope" as const),
    members: members(
      member("code", ...Array<string>(6).fill("00"), 0, "200", "01", "02", "03", 302, "401", "403", 429, "500", "999"),
      member("description", "Success", "what Nomba says"),
      member("message", "what some endpoints say"),
      member("errors", [], ["first", "second"]),
      member("status", true, false)
    ),
    data: fc.oneof({ weight: 5, arbitrary: data }, { weight: 1, arbitrary: odd }),
    padding: fc.oneof(
      { weight: 40, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: IncomingResponse.LIMIT - 2_000, max: IncomingResponse.LIMIT + 100 }) }
    )
  })
  const content: fc.Arbitrary<Content> = fc.oneof(
    { weight: 12, arbitrary: envelope },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant("text" as const),
        text: fc.oneof(
          odd,
          hostile,
          hostile.map((text) => `<html>${text}</html>`),
          fc.constantFrom("", " ", "null", "[]", '\ufeff{"code":"00"}')
        )
      })
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant("bytes" as const), bytes: fc.uint8Array({ maxLength: 300 }) })
    }
  )

  const header = (...usual: ReadonlyArray<string>): fc.Arbitrary<string> =>
    fc.oneof(fc.constantFrom(...usual), hostile.map(sendable), fc.integer().map(String))
  const headers = fc.record(
    {
      "content-type": header("application/json", "text/html; charset=utf-8"),
      "content-length": fc.constantFrom(
        "0",
        "17",
        "17",
        "junk",
        "-1",
        String(IncomingResponse.LIMIT),
        String(IncomingResponse.LIMIT + 1)
      ),
      "retry-after": header("3", "0", "Thu, 09 Oct 2025 09:00:00 GMT", "9".repeat(300)),
      "x-rate-limit-window": header("1s", "60s"),
      date: header("Thu, 09 Oct 2025 08:53:20 GMT", "Thu, 01 Jan 1970 00:00:00 GMT"),
      age: header("1"),
      "x-request-id": header("id-1"),
      location: header("https://evil.example/", "/v1/auth/token/issue"),
      "set-cookie": header("a=b; Path=/"),
      "www-authenticate": header('Bearer realm="nomba"')
    },
    { requiredKeys: [] }
  )

  return fc.record({
    status: fc.oneof(
      { weight: 6, arbitrary: fc.constant(200) },
      { weight: 4, arbitrary: fc.constantFrom(201, 204, 302, 304, 400, 401, 403, 404, 408, 422, 429, 500, 503) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 999 }) }
    ),
    headers,
    content,
    cut: fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat({ max: 2_000 }) }),
    end: fc.oneof(
      { weight: 8, arbitrary: fc.constant<End>("ends") },
      {
        weight: 2,
        arbitrary: fc.constantFrom<End>("breaks off", "never ends", "goes on for ever", "dies", "interrupts itself")
      }
    ),
    piece: fc.constantFrom(1, 7, 1_000, PIECE),
    latency: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 2_000 }) },
      { weight: 1, arbitrary: fc.constantFrom(9_999, 10_000, 10_001, 3_600_000) }
    ),
    pause: fc.oneof(
      { weight: 6, arbitrary: fc.constant(0) },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 4_000 }) }
    )
  })
}

/** What a header can carry, and `Response` takes. */
const sendable = (text: string): string => text.replace(/[^\x20-\x7e]/g, "").trim()
