/** How the page and the references look and read: for every eye, on every screen, and with nothing from elsewhere. */
import { assert, it } from "@effect/vitest"
import { type AxeResults, source } from "axe-core"
import { Effect } from "effect"
import type { Page } from "playwright-core"
import { describeInBrowser } from "../support/browser.js"
import { issue, type Opened, openPage, refresh } from "../support/sandboxPage.js"

const longName = "AClientWithQuiteALongNameThatHasNoPlaceToBreakAnywhereInIt"

/** What the sandbox looks like after a while: something of everything that the page can show. */
const busy = async ({ sandbox }: Opened): Promise<void> => {
  const { refresh: first } = await issue(sandbox, "first-client")
  await refresh(sandbox, first)
  await refresh(sandbox, first)
  await sandbox.steal(longName)
  await sandbox.expire("access", longName)
  await sandbox.fault("issue", { answer: { status: 503 } })
  await issue(sandbox, "first-client")
  await sandbox.fault("refresh", { answer: "connectionReset", processed: true, during: "5 minutes" })
}

const clients = ["first-client", longName, "the-last"].map((clientId) => ({
  clientId,
  clientSecret: `the secret of ${clientId}`
}))

const open = (page: Page): Promise<unknown> =>
  page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true
  })

/** The rules that an expert's eye would find broken, with the places. */
const violations = async (page: Page): Promise<ReadonlyArray<string>> => {
  await page.evaluate(source)
  const results: AxeResults = await page.evaluate("axe.run()")
  assert.isAbove(results.passes.length, 20)
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)
}

/** Headers of the counters that take more than one line. */
const brokenHeaders = (page: Page): Promise<ReadonlyArray<string>> =>
  page.locator("#counters th").evaluateAll((cells) =>
    cells.flatMap((cell) => {
      const text = document.createRange()
      text.selectNodeContents(cell)
      return text.getClientRects().length > 1 ? [cell.textContent ?? ""] : []
    })
  )

const width = (page: Page): Promise<number> => page.evaluate(() => document.documentElement.scrollWidth)

describeInBrowser("the looks of the sandbox's page", (fresh) => {
  for (const colorScheme of ["light", "dark"] as const) {
    it.scopedLive(`breaks no rule of accessibility, ${colorScheme}`, () =>
      Effect.gen(function* () {
        const { page, problems, sandbox } = yield* openPage(fresh, { sandbox: { clients }, window: { colorScheme } })
        yield* Effect.promise(async () => {
          assert.deepStrictEqual(await violations(page), [])
          await busy({ page, problems, sandbox })
          await page.locator("#log .refused").first().waitFor()
          await page.getByText("refresh: response lost").waitFor()
          await open(page)
          await page.getByRole("button", { name: "+1 min" }).click()
          await page.locator("#message:not([hidden])").waitFor()
          assert.deepStrictEqual(await violations(page), [])
        })
        assert.deepStrictEqual(problems, [])
      })
    )
  }

  it.scopedLive("is dark where the person wants it dark", () =>
    Effect.gen(function* () {
      const { page } = yield* openPage(fresh, { window: { colorScheme: "dark" } })
      yield* Effect.promise(async () => {
        const lightness = () =>
          page.evaluate(() => {
            const [red = 0, green = 0, blue = 0] =
              getComputedStyle(document.body).backgroundColor.match(/\d+/g)?.map(Number) ?? []
            return red + green + blue
          })
        assert.isBelow(await lightness(), 150)
        await page.emulateMedia({ colorScheme: "light" })
        assert.isAbove(await lightness(), 600)
      })
    })
  )

  it.scopedLive("fits a phone, and every other width, without scrolling sideways", () =>
    Effect.gen(function* () {
      const { page } = yield* openPage(fresh, {
        before: busy,
        sandbox: { clients },
        window: { viewport: { width: 360, height: 780 } }
      })
      yield* Effect.promise(async () => {
        await open(page)
        for (const pixels of [360, 480, 700, 960, 1000, 1280, 1920]) {
          await page.setViewportSize({ width: pixels, height: 780 })
          assert.strictEqual(await width(page), pixels)
          assert.deepStrictEqual(await brokenHeaders(page), [])
        }
      })
    })
  )

  it.scopedLive("moves nothing if the user prefers reduced motion", () =>
    Effect.gen(function* () {
      const { page, sandbox } = yield* openPage(fresh)
      yield* Effect.promise(async () => {
        // A repeated success is counted on its line, so each look needs a request of another kind.
        const animation = async (request: () => Promise<unknown>) => {
          await request()
          const newest = page.locator("#log li.new").first()
          await newest.waitFor()
          return newest.evaluate((node) => getComputedStyle(node).animationName)
        }
        assert.strictEqual(await animation(() => issue(sandbox)), "arrive")
        await page.emulateMedia({ reducedMotion: "reduce" })
        assert.strictEqual(await animation(() => fetch(`${sandbox.url}/v1/accounts/balance`)), "none")
      })
    })
  )

  for (const [path, title, operation] of [
    ["/docs", "Nomba Authentication API", "Start a session"],
    ["/docs/control", "nomba-auth sandbox: control API", "Add a fault"]
  ] as const) {
    it.scopedLive(`shows the reference at ${path}, from nowhere but the sandbox`, () =>
      Effect.gen(function* () {
        const { page, problems, sandbox } = yield* openPage(fresh, { path })
        yield* Effect.promise(async () => {
          await page.getByRole("heading", { name: title }).waitFor()
          await page.getByRole("heading", { name: operation }).first().waitFor({ state: "attached" })
          await page.getByText(sandbox.url).first().waitFor()
        })
        assert.deepStrictEqual(problems, [])
      })
    )
  }
})
