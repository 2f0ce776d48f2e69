import { readdirSync, readFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Sandbox, Switches } from "nomba-auth/sandbox"
import { send } from "../support.js"

const folder = new URL("../../../src/sandbox/page/assets/", import.meta.url)
const files = readdirSync(folder)

const get = (path: string, method: "GET" | "HEAD" | "POST" = "GET") =>
  Effect.flatMap(Sandbox, ({ client, url }) => send(client, `${url}${path}`, method))

it.layer(Sandbox.layer())("the sandbox's page", (it) => {
  it.effect("is served with each of its files, under a policy that lets nothing else in", () =>
    Effect.gen(function* () {
      assert.includeMembers(files, ["page.html", "page.css", "page.js"])
      for (const file of files) {
        const { headers, status, text } = yield* get(file === "page.html" ? "/" : `/assets/${file}`)
        assert.strictEqual(status, 200, file)
        assert.strictEqual(text, readFileSync(new URL(file, folder), "utf8"))
        assert.match(headers["content-type"] ?? "", /^text\/(html|css|javascript); charset=utf-8$/)
        assert.strictEqual(
          headers["content-security-policy"],
          "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
        )
        assert.strictEqual(headers["x-content-type-options"], "nosniff")
        assert.strictEqual(headers["referrer-policy"], "no-referrer")
        assert.strictEqual(headers["cache-control"], "no-store")
      }
    })
  )

  it.effect("names no address but its own", () =>
    Effect.sync(() => {
      for (const file of files) {
        const addresses = readFileSync(new URL(file, folder), "utf8").match(/(https?:)?\/\/[\w.-]+\.\w+/g) ?? []
        assert.deepStrictEqual(
          addresses.filter((address) => address !== "http://www.w3.org"),
          [],
          file
        )
      }
    })
  )

  it.effect("knows every switch", () =>
    Effect.gen(function* () {
      const { json } = yield* get("/assets/switches.json")
      const names: ReadonlyArray<string> = json.map(({ name }: { readonly name: string }) => name)
      assert.sameMembers([...names], Object.keys(Switches.fields))
    })
  )

  it.effect("serves no other file, and takes nothing", () =>
    Effect.gen(function* () {
      for (const path of ["/assets/", "/assets/other.js", "/assets/../Assets.ts", "/assets/%2e%2e/Assets.ts"]) {
        assert.strictEqual((yield* get(path)).status, 404, path)
      }
      assert.strictEqual((yield* get("/", "POST")).status, 405)
      const head = yield* get("/", "HEAD")
      assert.strictEqual(head.status, 200)
      assert.strictEqual(head.text, "")
    })
  )

  it.effect("is not what another name of this machine gets", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      for (const path of ["/", "/assets/page.js", "/docs"]) {
        const { status } = yield* send(client, `${url}${path}`, "GET", { headers: { host: "elsewhere.example" } })
        assert.strictEqual(status, 403, path)
      }
    })
  )
})

describe("the references", () => {
  it.effect("run a script of the sandbox's own, and none that stands in the page", () =>
    Effect.gen(function* () {
      for (const path of ["/docs", "/docs/control"]) {
        const { headers, text } = yield* get(path)
        assert.match(headers["content-security-policy"] ?? "", /script-src 'self' 'wasm-unsafe-eval';/)
        assert.match(headers["content-security-policy"] ?? "", /connect-src 'self';/)
        assert.strictEqual(text.replace(/<script [^>]*><\/script>/g, "").includes("<script"), false)
      }
      const { headers, text } = yield* get("/docs/scalar.js")
      assert.strictEqual(headers["content-type"], "text/javascript; charset=utf-8")
      assert.include(text.slice(0, 300), "@scalar/api-reference")
      assert.doesNotThrow(() => new Function(text))
    }).pipe(Effect.provide(Sandbox.layer()))
  )
})
