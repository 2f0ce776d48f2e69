/**
 * A real browser for the tests of a file: the system's own Chromium, started when the first of them needs it and closed
 * after the last. Where there is none, the tests are skipped; on CI they fail.
 */
import { Effect, type Scope } from "effect"
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from "playwright-core"
import { afterAll, describe } from "vitest"
import { findBrowser, NO_BROWSER } from "./programs.js"
import { skipWithout } from "./skipWithout.js"

const launch = (executablePath: string): Promise<Browser> =>
  chromium.launch({
    executablePath,
    chromiumSandbox: process.getuid?.() !== 0,
    args: [
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-default-apps",
      "--disable-sync",
      "--no-first-run",
      "--no-proxy-server"
    ]
  })

/** A window with nothing in it, closed with the scope. Pages may reach this machine only. */
export type FreshContext = (options?: BrowserContextOptions) => Effect.Effect<BrowserContext, never, Scope.Scope>

const onlyHere = (url: URL): boolean => !["127.0.0.1", "localhost", "[::1]"].includes(url.hostname)

/**
 * A group of tests that need a browser. Each takes contexts of its own. They run one after the other: beside each other
 * they would take as long together, and each so long that its patience may end.
 */
export const describeInBrowser = (name: string, define: (fresh: FreshContext) => void): void => {
  const path = findBrowser()
  if (path === undefined) {
    skipWithout(NO_BROWSER, name)
    return
  }
  describe.sequential(name, () => {
    let browser: Promise<Browser> | undefined
    afterAll(async () => {
      await (await browser)?.close()
    })
    define((options = {}) =>
      Effect.acquireRelease(
        Effect.promise(async () => {
          browser ??= launch(path)
          const context = await (await browser).newContext(options)
          await context.route(onlyHere, (route) => route.abort())
          return context
        }),
        (context) => Effect.promise(() => context.close())
      ))
  })
}
