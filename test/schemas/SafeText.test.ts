import { assert, describe, it } from "@effect/vitest"
import { FastCheck as fc, Redacted } from "effect"
import { MESSAGE_LIMIT, masking, oneLine, SECRET_LIMIT, withoutSecrets } from "../../src/schemas/SafeText.js"
import { leaks } from "../support/leaks.js"
import { isQuick, runs } from "../support/quick.js"
import { cpuMillis } from "../support/work.js"

const isOneLine = (text: string): boolean =>
  !/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|[\ud800-\udbff](?![\udc00-\udfff])/u.test(text)

describe.sequential("oneLine", () => {
  it("joins lines and removes invisible characters", () => {
    assert.strictEqual(oneLine(" a\r\nb\tc\u0000d\u200be\u2028f\ud800g "), "a b cde fg")
  })

  it("cuts at the limit, never in the middle of a character", () => {
    assert.strictEqual(oneLine("x".repeat(10), 10), "xxxxxxxxxx")
    assert.strictEqual(oneLine("x".repeat(11), 10), "xxxxxxxxx…")
    assert.strictEqual(oneLine(`${"x".repeat(8)}😀yz`, 10), "xxxxxxxx…")
  })

  it("gives one line within the limit for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 1000 }), fc.integer({ min: 2, max: 600 }), (text, limit) => {
        const line = oneLine(text, limit)
        assert.isAtMost(line.length, limit)
        assert.isTrue(isOneLine(line))
      })
    )
  })
})

describe.sequential("withoutSecrets", () => {
  const characters = [..."abcXYZ0189-_.~+/=%\"\\&#;<>' é€😀"]
  const secret = fc
    .array(fc.constantFrom(...characters), { minLength: 12, maxLength: 60 })
    .map((letters) => letters.join("").trim())
    .filter((text) => text.replace(/[^a-z0-9]/gi, "").length >= 6)

  const units = (text: string): ReadonlyArray<string> => text.split("")
  const hex = (unit: string, digits: number): string => unit.charCodeAt(0).toString(16).padStart(digits, "0")
  const percent = (text: string): string =>
    [...new TextEncoder().encode(text)].map((byte) => `%${byte.toString(16).padStart(2, "0")}`).join("")
  const between = (separator: string) => (text: string) => [...text].join(separator)

  const spelling = fc.constantFrom<(text: string) => string>(
    (text) => text,
    (text) => JSON.stringify(text),
    (text) => JSON.stringify(text).replaceAll("/", "\\/"),
    (text) => JSON.stringify(JSON.stringify(text)),
    (text) =>
      units(text)
        .map((unit) => `\\u${hex(unit, 4)}`)
        .join(""),
    (text) =>
      units(text)
        .map((unit) => `\\u${hex(unit, 4).toUpperCase()}`)
        .join(""),
    encodeURI,
    encodeURIComponent,
    (text) => encodeURIComponent(encodeURIComponent(text)),
    (text) => new URLSearchParams({ q: text }).toString(),
    percent,
    (text) => [...text].map((letter) => `&#${letter.codePointAt(0)};`).join(""),
    (text) => [...text].map((letter) => `&#x${letter.codePointAt(0)?.toString(16)};`).join(""),
    (text) =>
      text.replace(
        /[&<>"']/g,
        (letter) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[letter] ?? "&apos;"
      ),
    (text) => [...new TextEncoder().encode(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join(""),
    between("\u0000"),
    between("\r\n"),
    between("\u00a0"),
    between("\u3000"),
    between("\u200b"),
    between(" "),
    between("\ud800")
  )
  const surroundings = fc.string({ maxLength: 30 })

  it("masks a secret in every spelling", () => {
    fc.assert(
      fc.property(secret, spelling, surroundings, surroundings, (text, spell, before, after) => {
        const masked = withoutSecrets(`${before} ${spell(text)} ${after}`, [Redacted.make(text)])
        assert.deepStrictEqual(leaks([["masked", masked]], [text]), [])
        assert.include(masked, "***")
      }),
      runs(2000)
    )
  })

  it("masks any eight characters of a secret in a row", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9]{12,60}$/),
        spelling,
        fc.nat(),
        fc.nat(),
        (text, spell, skipped, taken) => {
          const start = skipped % (text.length - 7)
          const part = text.slice(start, start + 8 + (taken % (text.length - start - 7)))
          const masked = withoutSecrets(`# ${spell(part)}... #`, [Redacted.make(text)])
          assert.deepStrictEqual(leaks([["masked", masked]], [part.slice(0, 8), part.slice(-8)]), [])
          assert.match(masked, /^#.*\*\*\*.*#$/)
        }
      ),
      runs(1000)
    )
  })

  const encoding = fc.constantFrom<(text: string) => string>(
    (text) => Buffer.from(text).toString("base64"),
    (text) => Buffer.from(text).toString("base64url"),
    (text) => Buffer.from(text).toString("hex"),
    (text) => Buffer.from(text).toString("hex").toUpperCase(),
    (text) =>
      (
        Buffer.from(text)
          .toString("base64")
          .match(/.{1,20}/g) ?? []
      ).join("\r\n"),
    (text) => encodeURIComponent(Buffer.from(text).toString("base64")),
    (text) => [...text].reverse().join("")
  )

  it("masks a secret in base64 at any alignment, in hex and reversed, whole or in part", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9]{14,60}$/),
        encoding,
        fc.stringMatching(/^[a-z ]{0,7}$/),
        fc.stringMatching(/^[a-z ]{0,7}$/),
        fc.nat(),
        (secret, encode, before, after, cut) => {
          const part = secret.slice(cut % (secret.length - 12))
          const masked = withoutSecrets(`# ${encode(`${before}${part}${after}`)} #`, [Redacted.make(secret)])
          assert.match(masked, /^# .*\*\*\*.* #$/)
          const shown = masked.replace(/[^A-Za-z0-9+/=_-]/g, "")
          assert.isBelow(shown.length, before.length * 2 + after.length * 2 + 24)
          assert.deepStrictEqual(leaks([["masked", masked]], [part.slice(0, 12), part.slice(-12)]), [])
        }
      ),
      runs(2000)
    )
  })

  type Step = (text: string) => string
  const upperCase: Step = (text) => text.toUpperCase()
  const codec = fc.constantFrom<Step>(
    (text) => Buffer.from(text).toString("base64"),
    (text) => Buffer.from(text).toString("base64url"),
    (text) => Buffer.from(text).toString("hex"),
    (text) => upperCase(Buffer.from(text).toString("hex"))
  )
  const everyThird =
    (escape: (unit: string) => string): Step =>
    (text) =>
      units(text)
        .map((unit, index) => (index % 3 === 0 ? escape(unit) : unit))
        .join("")
  const escaping = fc.constantFrom<Step>(
    (text) => text,
    JSON.stringify,
    (text) => `{"refresh_token":${JSON.stringify(text)}}`,
    everyThird(percent),
    everyThird((unit) => percent(unit).toUpperCase()),
    everyThird((unit) => encodeURIComponent(percent(unit))),
    everyThird((unit) => `\\u${hex(unit, 4)}`),
    everyThird((unit) => `&#x${hex(unit, 2)};`)
  )
  const around = fc.stringMatching(/^[a-z ]{0,7}$/)

  it("masks a secret in one encoding or in two around each other, with escapes inside of each, in whole or in part", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[A-Za-z0-9]{14,40}$/),
        fc.array(fc.tuple(escaping, codec), { minLength: 1, maxLength: 2 }),
        escaping,
        around,
        around,
        fc.nat(),
        (secret, steps, last, before, after, cut) => {
          const encode: Step = (text) => last(steps.reduce((text, [escape, encode]) => encode(escape(text)), text))
          const part = secret.slice(cut % (secret.length - 12))
          const echo = encode(`${before}${part}${after}`)
          fc.pre(echo.length <= 1_000)
          const masked = withoutSecrets(`# ${echo} #`, [Redacted.make(secret)], 1_100)
          assert.match(masked, /\*\*\*/)
          const shown = masked.replace(/[^A-Za-z0-9+/=_-]/g, "").length
          // Less than four of its letters at either end, which share a digit with what is around it.
          assert.isBelow(shown, encode(`${before}${after}`).length + encode("12345678").length)
        }
      ),
      runs(2000)
    )
  })

  it("masks a secret that was reversed before or after it was encoded", () => {
    const reverse: Step = (text) => [...text].reverse().join("")
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9]{14,40}$/), codec, around, around, (secret, encode, before, after) => {
        const text = `${before}${secret}${after}`
        for (const echo of [reverse(encode(text)), encode(reverse(text))]) {
          const shown = withoutSecrets(`# ${echo} #`, [Redacted.make(secret)]).replace(/[^A-Za-z0-9+/=_-]/g, "").length
          assert.isBelow(shown, encode(`${before}${after}`).length + encode("12345678").length)
        }
      }),
      runs(1000)
    )
  })

  it("does not take an ordinary text for an encoded secret", () => {
    const secrets = ["q1/W2+e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8l9Z0=", "short", "abcd~"].map((text) => Redacted.make(text))
    for (const text of [
      "Invalid client credentials supplied for tokenized-card-payment",
      "request 2f1c5a52-5d4f-4b3b-9c5e-0f6f0e7d1a11 failed",
      "0123456789abcdef0123456789abcdef deadbeef",
      Buffer.from("Invalid client credentials supplied for tokenized-card-payment").toString("base64"),
      Buffer.from(Buffer.from("Invalid client credentials").toString("base64")).toString("hex")
    ]) {
      assert.strictEqual(withoutSecrets(text, secrets), text)
    }
  })

  it("leaves seven characters in a row, unless they are the whole secret", () => {
    const text = "a 1234567 b 12345678 c"
    assert.strictEqual(withoutSecrets(text, [Redacted.make("x1234567y")]), text)
    assert.strictEqual(withoutSecrets(text, [Redacted.make("x12345678y")]), "a 1234567 b *** c")
    assert.strictEqual(withoutSecrets(text, [Redacted.make("1234567")]), "a *** b ***8 c")
  })

  it("masks each of several secrets, also if one begins like another", () => {
    const secrets = ["token-1", "token-12", "other"].map((text) => Redacted.make(text))
    assert.strictEqual(withoutSecrets("token-12 token-1 other", secrets), "*** *** ***")
    assert.strictEqual(withoutSecrets("token-12 token-1 other", [...secrets].reverse()), "*** *** ***")
  })

  it("masks overlapping occurrences", () => {
    assert.strictEqual(withoutSecrets("<ababa>", [Redacted.make("aba")]), "<***>")
  })

  it("masks any JWT", () => {
    assert.strictEqual(withoutSecrets("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhQGIuYyJ9.sig-_", []), "Bearer ***")
  })

  it("leaves the rest of the text, escapes included", () => {
    const text = 'field "client_id" is 100%25 wrong & \\u0041'
    assert.strictEqual(withoutSecrets(text, [Redacted.make("secret")]), text)
  })

  it("masks a secret at the limit and behind removed characters", () => {
    const text = "the-secret"
    for (let at = 0; at < 40; at++) {
      const masked = withoutSecrets(`${"x".repeat(at)}${text}`, [Redacted.make(text)], 30)
      assert.notInclude(masked, "the-s")
    }
    assert.strictEqual(withoutSecrets(`${"\u0000".repeat(1_000)}${text}`, [Redacted.make(text)]), "***")
    assert.strictEqual(withoutSecrets(`${"\u0000".repeat(8_000)}${text}`, [Redacted.make(text)]), "…")
    for (let at = 980; at < 1_030; at++) {
      for (const echo of [text, "th\\u0065-secret", "the%252dsecret"]) {
        assert.notMatch(withoutSecrets(`${" ".repeat(at)}${echo}`, [Redacted.make(text)]), /[a-z]/)
      }
    }
  })

  it("accepts empty, wiped and enormous secrets", () => {
    const wiped = Redacted.make("wiped")
    Redacted.unsafeWipe(wiped)
    const secrets = [Redacted.make(""), Redacted.make(" \\ "), wiped, Redacted.make("x".repeat(2 ** 20))]
    assert.strictEqual(withoutSecrets("text", secrets), "text")
  })

  it("cuts a long text before it searches it, and marks the cut", () => {
    const masked = withoutSecrets("\u200b".repeat(600) + "word ".repeat(100_000), [])
    assert.match(masked, /^(?:word ){70,90}.*…$/)
    assert.isAtMost(masked.length, 424)
  })

  it("takes little time for a hostile text or secret", () => {
    const units = [
      "\\",
      "\\u0041",
      "\\u004",
      "%25",
      "%",
      "&amp;",
      "&",
      "&#",
      "eyJ",
      "eyJ.",
      "\n",
      " ",
      "\u0000",
      "é",
      "a",
      "ab",
      "YWJj",
      "5957",
      "WVdKalYyRmk=",
      "JTI1"
    ]
    for (const unit of units) {
      const long = unit.repeat(Math.ceil(2 ** 20 / unit.length))
      const secrets = Array.from({ length: 4 }, (_, n) => Redacted.make(`${n}${long}`))
      const spent = cpuMillis(() => {
        const safe = masking(secrets)
        for (let n = 0; n < (isQuick ? 2 : 20); n++) safe(`${long}${n}`, 200)
      })
      assert.isBelow(spent, 1000, JSON.stringify(unit))
    }
  })

  it("masks the first 16 KiB of an enormous secret", () => {
    const letters = Array.from({ length: SECRET_LIMIT }, (_, n) =>
      String.fromCharCode(33 + ((n * n + (n >> 7)) % 90))
    ).join("")
    assert.strictEqual(withoutSecrets(`<${letters.slice(-40)}>`, [Redacted.make(`${letters}${letters}`)]), "<***>")
  })

  it("gives one line within the limit for any text and secrets", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", maxLength: 2000 }),
        fc.array(fc.string({ unit: "binary", maxLength: 50 })),
        (text, secrets) => {
          const masked = withoutSecrets(
            text,
            secrets.map((secret) => Redacted.make(secret))
          )
          assert.isAtMost(masked.length, MESSAGE_LIMIT)
          assert.isTrue(isOneLine(masked))
        }
      )
    )
  })
})
