import { assert, describe, it } from "@effect/vitest"
import { Redacted } from "effect"
import { Mask, MaskedBody } from "../../../src/cli/serve/Masking.js"

const jwt =
  "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJtZXJjaGFudEBleGFtcGxlLmNvbSIsImV4cCI6MTczMjY5NTc2N30.3Tq1Yb0hQ7m-kWmE2s9uV_x6nLzR4cJpA8dHfGoKyI5"
const signature = jwt.split(".")[2] ?? ""
const opaque = 'a/b+c=d"e%f:0123456789abcdefghijklmnopqrstuvwxyz'

/** The body in chunks of so many bytes. */
const through = (token: string, text: string, size: number, length = Number.POSITIVE_INFINITY): string => {
  const masked = new MaskedBody(new Mask(Redacted.make(token)), length)
  const bytes = Buffer.from(text)
  const parts = Array.from({ length: Math.ceil(bytes.length / size) }, (_, index) =>
    masked.push(Buffer.from(bytes.subarray(index * size, (index + 1) * size)))
  )
  return Buffer.concat([...parts, masked.end() ?? Buffer.alloc(0)]).toString()
}

const base64 = (text: string): string => Buffer.from(text).toString("base64")

const echoes: ReadonlyArray<readonly [string, string, string]> = [
  ["as it is", jwt, `{"authorization":"Bearer ${jwt}"}`],
  ["without its end", jwt, `{"authorization":"Bearer ${jwt.slice(0, -3)}`],
  ["its end alone", jwt, `…${jwt.slice(-40)}"}`],
  ["twice", jwt, `${jwt}${jwt}`],
  ["in base64", jwt, base64(`Authorization: Bearer ${jwt}\r\n`)],
  ["in base64, one byte later", jwt, base64(`xAuthorization: Bearer ${jwt}\r\n`)],
  ["in base64, two bytes later", jwt, base64(`xyAuthorization: Bearer ${jwt}\r\n`)],
  ["in hex", jwt, Buffer.from(jwt).toString("hex")],
  ["in upper-case hex", jwt, Buffer.from(jwt).toString("hex").toUpperCase()],
  ["opaque, in JSON", opaque, JSON.stringify({ token: opaque })],
  ["opaque, in a URL", opaque, `token=${encodeURIComponent(opaque)}`]
]

/** The longest part of the token's secret that the text shows in plain, base64 or hex. */
const shown = (secret: string, text: string): number => {
  const readings = [
    text,
    ...[0, 1, 2, 3].map((skip) =>
      Buffer.from(text.slice(skip).replaceAll(/[^\w+/-]/g, ""), "base64").toString("latin1")
    ),
    ...[0, 1].map((skip) => Buffer.from(text.slice(skip), "hex").toString("latin1"))
  ]
  let longest = 0
  for (let start = 0; start < secret.length; start++) {
    while (readings.some((reading) => reading.includes(secret.slice(start, start + longest + 1)))) {
      if (start + longest + 1 > secret.length) break
      longest += 1
    }
  }
  return longest
}

describe("a token that a response echoes", () => {
  for (const [how, token, text] of echoes) {
    for (const size of [1, 7, 16, 1_000]) {
      it(`${how}, in chunks of ${size}, is masked and leaves the length as it was`, () => {
        const secret = token === jwt ? signature : token.slice(-30)
        assert.isAbove(shown(secret, text), 20)
        const masked = through(token, text, size)
        assert.strictEqual(masked.length, text.length)
        assert.isBelow(shown(secret, masked), 16)
      })
    }
  }
})

describe("MaskedBody", () => {
  it("leaves every other text as it is, in chunks of any size", () => {
    const other = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJvcmRlciJ9.Zm9vYmFyYmF6Zm9vYmFyYmF6Zm9vYmFyYmF6"
    const text = JSON.stringify({
      code: "00",
      data: { token: other, piece: signature.slice(0, 13), text: "3Tq".repeat(9) }
    })
    for (const size of [1, 3, 16, 64, 4_096]) assert.strictEqual(through(jwt, text, size), text)
  })

  it("holds back no byte that cannot be the beginning of the token", () => {
    const masked = new MaskedBody(new Mask(Redacted.make(jwt)), Number.POSITIVE_INFINITY)
    assert.strictEqual(masked.push(Buffer.from("data: 1\n\n")).toString(), "data: 1\n\n")
    assert.isUndefined(masked.end())
  })

  it("holds back nothing of the last chunk of a stated length", () => {
    const masked = new MaskedBody(new Mask(Redacted.make(jwt)), 4)
    assert.strictEqual(masked.push(Buffer.from(signature.slice(0, 4))).toString(), signature.slice(0, 4))
  })
})
