/** A web page in a real browser must not get through the proxy, whatever it tries. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { describeInBrowser } from "../support/browser.js"
import { KEY, proxied, scriptedServer } from "../support/proxied.js"

describeInBrowser("a web page", (fresh) => {
  it.scopedLive("reads nothing through the proxy and sends nothing to Nomba, even with the key", () =>
    Effect.gen(function* () {
      const { received, url } = yield* proxied()
      const page = yield* scriptedServer((_, response) => {
        response.setHeader("content-type", "text/html")
        response.end("<!doctype html><title>evil</title>")
      })
      const context = yield* fresh()
      const outcomes = yield* Effect.promise(async () => {
        const tab = await context.newPage()
        await tab.goto(page)
        return tab.evaluate(
          async ([url, key]) => {
            const attempt = async (init: RequestInit): Promise<string> => {
              try {
                const response = await fetch(`${url}/v1/accounts/balance`, init)
                return `${response.type} ${response.status} ${await response.text()}`
              } catch {
                return "failed"
              }
            }
            const form = document.createElement("form")
            form.method = "post"
            form.action = `${url}/v1/transfers/bank`
            form.target = "frame"
            const frame = document.createElement("iframe")
            frame.name = "frame"
            document.body.append(frame, form)
            const loaded = new Promise((resolve) => frame.addEventListener("load", resolve))
            form.submit()
            await loaded
            const image = new Image()
            const shown = new Promise<string>((resolve) => {
              image.onload = () => resolve("loaded")
              image.onerror = () => resolve("failed")
            })
            image.src = `${url}/v1/accounts/balance`
            return [
              await attempt({}),
              await attempt({ headers: { "x-nomba-key": key } }),
              await attempt({ headers: { authorization: `Bearer ${key}` } }),
              await attempt({ mode: "no-cors" }),
              await attempt({ mode: "no-cors", method: "POST", body: "{}" }),
              await attempt({ credentials: "include" }),
              await shown
            ]
          },
          [url, KEY] as const
        )
      })
      assert.deepStrictEqual(outcomes, ["failed", "failed", "failed", "opaque 0 ", "opaque 0 ", "failed", "failed"])
      assert.deepStrictEqual(received, [])
    })
  )
})
