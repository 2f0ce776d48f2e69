import { assert, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { Pkce } from "nomba-auth"
import { Sandbox } from "nomba-auth/sandbox"
import type { Page } from "playwright-core"
import { describeInBrowser, type FreshContext } from "../support/browser.js"
import { bundle } from "../support/bundle.js"
import { closedPort, serve } from "../support/server.js"

const { clientId } = Sandbox.defaultClient

let built: ReturnType<typeof bundle> | undefined
const app = Effect.promise(() => {
  built ??= bundle("test/browser/app.ts", { CLIENT_ID: JSON.stringify(clientId) })
  return built
})

/** The program's own server, whose pages may run its script, call the sandbox, and nothing else. */
const serveApp = (baseUrl: string, code: string) =>
  serve((request, response) => {
    const isScript = request.url === "/app.js"
    response.writeHead(200, {
      "content-type": isScript ? "text/javascript" : "text/html",
      "content-security-policy": `default-src 'none'; script-src 'self'; connect-src ${baseUrl}`
    })
    response.end(
      isScript ? code : `<!doctype html><body data-base-url="${baseUrl}"><script type="module" src="/app.js"></script>`
    )
  })

const focused = (page: Page): Promise<string | null | undefined> =>
  page.evaluate(() => document.activeElement?.textContent)

/**
 * What the program shows after a person answered with so many presses of the tab key and one of enter. Whatever came of
 * it, loading the page again, or coming back in a window where no login is pending, asks the person again.
 */
const logIn = (fresh: FreshContext, answer: { readonly tabs: number; readonly button: string }) =>
  Effect.gen(function* () {
    const sandbox = yield* Sandbox.makeServer()
    const { code } = yield* app
    const { url: own } = yield* serveApp(sandbox.url, code)
    const context = yield* fresh()
    return yield* Effect.promise(async () => {
      const page = await context.newPage()
      const complaints: Array<string> = []
      page.on("console", (message) => complaints.push(message.text()))
      page.on("pageerror", (error) => complaints.push(String(error)))
      const addresses: Array<string> = []
      page.on("framenavigated", (frame) => addresses.push(frame.url()))
      await page.goto(`${own}/app`)
      await page.waitForURL(/authorize/)
      const heading = await page.locator("h1").textContent()
      assert.include(heading, "Allow this app to use your account?")
      for (let pressed = 0; pressed < answer.tabs; pressed++) await page.keyboard.press("Tab")
      assert.strictEqual(await focused(page), answer.button)
      await page.keyboard.press("Enter")
      await page.getByText("challenge").waitFor()
      const shown: Record<string, unknown> = JSON.parse((await page.locator("body").textContent()) ?? "")
      const kept = await page.evaluate(() => sessionStorage.length)
      const { pathname: path, search } = new URL(page.url())
      await page.reload()
      await page.waitForURL(/authorize/)
      const other = await context.newPage()
      await other.goto(`${own}/callback?code=c&state=s`)
      await other.waitForURL(/authorize/)
      return { shown, complaints, addresses, kept, place: path + search }
    })
  })

describeInBrowser("a person's login in a browser", (fresh) => {
  it.scopedLive("ends in a session that is used, when the person approves by keyboard", () =>
    Effect.gen(function* () {
      const { addresses, complaints, kept, place, shown } = yield* logIn(fresh, { tabs: 1, button: "Approve" })
      assert.deepInclude(shown, {
        before: "Expired",
        served: true,
        status: 200,
        challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
      })
      assert.include(shown["printed"], "<redacted>")
      assert.deepStrictEqual(complaints, [])
      assert.deepStrictEqual({ kept, place }, { kept: 0, place: "/" })
      const callback = addresses.find((address) => /callback\?/.test(address)) ?? ""
      assert.sameMembers([...new URL(callback).searchParams.keys()], ["code", "state"])
      for (const address of addresses) assert.notMatch(address, /verifier|ticket|token/)
    })
  )

  it.scopedLive("ends in the error that says so, when the person denies by keyboard", () =>
    Effect.gen(function* () {
      const { complaints, kept, place, shown } = yield* logIn(fresh, { tabs: 2, button: "Deny" })
      assert.deepStrictEqual({ kept, place }, { kept: 0, place: "/" })
      assert.deepInclude(shown, { failed: "Expired" })
      assert.include(shown["message"], "The login was denied (code access_denied")
      assert.deepStrictEqual(complaints, [])
    })
  )
})

describeInBrowser("a person's login that comes back to IPv6", (fresh) => {
  for (const [button, parameter] of [
    ["Approve", "code"],
    ["Deny", "error"]
  ] as const) {
    it.scopedLive(`is let go there: ${button}`, () =>
      Effect.gen(function* () {
        const sandbox = yield* Sandbox.makeServer()
        const redirectUri = `http://[::1]:${yield* closedPort}/callback`
        const { url } = yield* Pkce.authorizationUrl({ clientId, redirectUri, baseUrl: sandbox.url })
        const context = yield* fresh()
        yield* Effect.promise(async () => {
          const page = await context.newPage()
          await page.goto(Redacted.value(url))
          await page.getByText("http://[::1]:").waitFor()
          const goesThere = page.waitForRequest((request) => request.url().startsWith(`${redirectUri}?`))
          await page.getByRole("button", { name: button }).click()
          assert.isTrue(new URL((await goesThere).url()).searchParams.has(parameter))
        })
      })
    )
  }
})

/** By the folder of a package, the first so many. */
const largest = (bytes: Readonly<Record<string, number>>, count: number): string => {
  const groups = new Map<string, number>()
  for (const [path, size] of Object.entries(bytes)) {
    const group = path.startsWith("src/")
      ? "nomba-auth"
      : path.replace(/^node_modules\//, "").replace(/dist\/esm\//, "")
    groups.set(group, (groups.get(group) ?? 0) + size)
  }
  return [...groups]
    .sort(([, a], [, b]) => b - a)
    .slice(0, count)
    .map(([group, size]) => `${group} ${Math.round(size / 1000)}`)
    .join(", ")
}

it.live("the client and Pkce need nothing of Node, and their size is known", () =>
  Effect.gen(function* () {
    const { bytes, gzip } = yield* app
    process.stdout.write(
      `the client and Pkce in a browser: ${(gzip / 1000).toFixed(1)} kB gzip; kB before it: ${largest(bytes, 12)}\n`
    )
    assert.isAbove(bytes["src/layers/Pkce.ts"] ?? 0, 0)
    assert.deepStrictEqual(
      Object.keys(bytes).filter((path) => /sandbox|testing|platform-node/.test(path)),
      []
    )
  })
)
