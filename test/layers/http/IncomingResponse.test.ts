import { HttpClientRequest, HttpClientResponse } from "@effect/platform"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Option } from "effect"
import * as IncomingResponse from "../../../src/layers/http/IncomingResponse.js"

const readBy = (how?: typeof IncomingResponse.readAtOnce) => (response: Response) =>
  IncomingResponse.readUntil(
    HttpClientResponse.fromWeb(HttpClientRequest.get("https://nomba.test"), response),
    Effect.sleep("1 second"),
    how
  )

const readers = [
  ["piece by piece", readBy()],
  ["in one piece", readBy(IncomingResponse.readAtOnce)]
] as const

/** A body of the given pieces, as the network may cut them. */
const pieces = (...chunks: ReadonlyArray<Uint8Array>): Response =>
  new Response(
    new ReadableStream({
      start: (controller) => {
        for (const chunk of chunks) controller.enqueue(chunk)
        controller.close()
      }
    })
  )

describe.each(readers)("the body of a response, %s", (_, read) => {
  it.effect("is read whole, also if the network cuts a character in two", () =>
    Effect.gen(function* () {
      const bytes = new TextEncoder().encode("é😀")
      const body = yield* read(pieces(...Array.from(bytes, (byte) => Uint8Array.of(byte))))
      assert.deepStrictEqual(body, { text: "é😀", end: { _tag: "Complete" } })
    })
  )

  it.effect("is complete if there is none", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* read(new Response(null, { status: 204 })), { text: "", end: { _tag: "Complete" } })
    })
  )

  it.effect("is read although it is not UTF-8", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* read(pieces(Uint8Array.of(0x61, 0xff, 0x62, 0xc3)))).text, "a\ufffdb\ufffd")
    })
  )

  it.effect("is not read past the limit, also if it comes in one large piece", () =>
    Effect.gen(function* () {
      const body = yield* read(pieces(Uint8Array.of(0x61), new Uint8Array(5 * IncomingResponse.LIMIT)))
      assert.deepStrictEqual(body, { text: "a", end: { _tag: "TooLarge" } })
    })
  )

  for (const [length, end] of [
    [String(IncomingResponse.LIMIT), "Complete"],
    [String(IncomingResponse.LIMIT + 1), "TooLarge"],
    ["9".repeat(400), "TooLarge"],
    ["-1", "Complete"],
    ["junk", "Complete"],
    ["2000000, 2000000", "Complete"]
  ] as const) {
    it.effect(`that states a length of ${length.slice(0, 20)} is ${end}`, () =>
      Effect.gen(function* () {
        const body = yield* read(new Response("x", { headers: { "content-length": length } }))
        assert.strictEqual(body.end._tag, end)
      })
    )
  }
})

describe("the body of a response in one piece", () => {
  const [, [, read]] = readers

  it.effect("is not taken past the limit, also if it is longer than it states", () =>
    Effect.gen(function* () {
      const response = new Response(new Uint8Array(2 * IncomingResponse.LIMIT), { headers: { "content-length": "5" } })
      assert.deepStrictEqual(yield* read(response), { text: "", end: { _tag: "TooLarge" } })
    })
  )

  for (const headers of [
    {},
    { "content-length": "0" },
    { "content-length": "5", "content-encoding": "gzip" },
    { "content-length": "5", "transfer-encoding": "chunked" }
  ]) {
    it.effect(`is read piece by piece if its length is not certain: ${Object.entries(headers).join()}`, () =>
      Effect.gen(function* () {
        let pulls = 0
        const long = new ReadableStream({
          pull: (controller) => {
            pulls += 1
            controller.enqueue(new Uint8Array(64 * 1024))
            if (pulls === 100) controller.close()
          }
        })
        assert.deepStrictEqual((yield* read(new Response(long, { headers }))).end, { _tag: "TooLarge" })
        assert.isAtMost(pulls, 20)
      })
    )
  }

  it.effect("is what arrived of an error, and nothing of a success that broke off", () =>
    Effect.gen(function* () {
      for (const [status, text] of [
        [200, ""],
        [503, "Access "]
      ] as const) {
        const cut = new ReadableStream({
          pull: (controller) => controller.error(new Error("cut")),
          start: (controller) => controller.enqueue(new TextEncoder().encode("Access "))
        })
        const body = yield* read(new Response(cut, { status, headers: { "content-length": "13" } }))
        assert.deepStrictEqual(body, { text, end: { _tag: "CutOff", detail: Option.none() } })
      }
    })
  )

  it.effect("is there although a transformClient has read its text", () =>
    Effect.gen(function* () {
      const response = HttpClientResponse.fromWeb(
        HttpClientRequest.get("https://nomba.test"),
        new Response("{}", { headers: { "content-length": "2" } })
      )
      assert.strictEqual(yield* response.text, "{}")
      assert.strictEqual(
        (yield* IncomingResponse.readUntil(response, Effect.never, IncomingResponse.readAtOnce)).text,
        "{}"
      )
    })
  )
})

describe("IncomingResponse.json and isHtml", () => {
  const body = (text: string): IncomingResponse.Body => ({ text, end: { _tag: "Complete" } })

  it("read a JSON object, and nothing else", () => {
    assert.deepStrictEqual(IncomingResponse.json(body(' {"a":1} ')), Option.some({ a: 1 }))
    for (const junk of ["", "null", "[]", "7", '"{}"', "{", "{}{}", "[".repeat(500_000), '{"a":'.repeat(100_000)]) {
      assert.deepStrictEqual(IncomingResponse.json(body(junk)), Option.none(), junk.slice(0, 10))
    }
  })

  it("recognise a page by its content type or its beginning", () => {
    for (const page of ["<html>", "\n <!DOCTYPE html>", "<!-- x --><p>", "<?xml version='1.0'?><html/>"]) {
      assert.isTrue(IncomingResponse.isHtml(body(page), undefined), page)
      assert.isTrue(IncomingResponse.isHtml(body(page), "application/json"), page)
    }
    for (const type of ["text/html", "TEXT/HTML; charset=utf-8", " text/html", "application/xhtml+xml"]) {
      assert.isTrue(IncomingResponse.isHtml(body("Denied"), type), type)
      assert.isTrue(IncomingResponse.isHtml(body(""), type), type)
      assert.isFalse(IncomingResponse.isHtml(body("{}"), type), type)
    }
    for (const type of [undefined, "text/plain", "application/json", "x-text/html"]) {
      assert.isFalse(IncomingResponse.isHtml(body("Denied <b>"), type), type)
    }
  })
})
