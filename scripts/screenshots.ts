/**
 * Takes the pictures of the sandbox's page that the README shows: light and dark, on a desktop and on a phone. What is
 * on them happens to a checkout, to payouts and to reports; names, tokens and times repeat, seconds may differ.
 *
 *     tsx scripts/screenshots.ts [folder]
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import compress, { optimise } from "@jsquash/oxipng/codec/pkg/squoosh_oxipng.js"
import { startSandbox } from "nomba-auth/sandbox"
import { type Browser, chromium, type Page } from "playwright-core"
import { findBrowser, NO_BROWSER } from "../test/support/programs.js"
import { balance, issue, refresh } from "../test/support/sandboxPage.js"

const folder = process.argv[2] ?? fileURLToPath(new URL("../docs/images/", import.meta.url))
const most = 200_000

const screens = {
  desktop: { viewport: { width: 1280, height: 900 }, deviceScaleFactor: 1 },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2 }
}

await using sandbox = await startSandbox({
  port: 4010,
  seed: "screenshots",
  clients: ["checkout", "payouts", "reports"].map((clientId) => ({
    clientId,
    clientSecret: `the secret of ${clientId}`
  }))
})

/** A morning at a merchant's. */
const morning = async (): Promise<void> => {
  const checkout = await issue(sandbox, "checkout")
  await balance(sandbox, checkout.access)
  await issue(sandbox, "reports")
  await sandbox.advance("24 minutes")
  const renewed = await refresh(sandbox, checkout.refresh)
  await balance(sandbox, renewed.access)
  const payouts = await issue(sandbox, "payouts")
  await balance(sandbox, payouts.access)
  await sandbox.steal("payouts")
  await pause()
  await balance(sandbox, payouts.access)
  await refresh(sandbox, payouts.refresh)
  await sandbox.fault("issue", { answer: { status: 503 } })
  await issue(sandbox, "payouts")
  const again = await issue(sandbox, "payouts")
  await balance(sandbox, again.access)
  await sandbox.steal("reports")
  await sandbox.fault("refresh", { answer: "connectionReset", processed: true, during: "10 minutes" })
}

/** Longer than the page waits for what belongs together. */
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 500))

const open = async (browser: Browser, colorScheme: "light" | "dark", screen: keyof typeof screens) => {
  const page = await browser.newPage({ ...screens[screen], colorScheme, reducedMotion: "reduce" })
  await page.goto(sandbox.url)
  await page.locator("body[data-connection=live]").waitFor()
  return { page, name: `sandbox-${colorScheme}-${screen}.png` }
}

const shoot = async ({ page, name }: { readonly page: Page; readonly name: string }): Promise<void> => {
  await page.locator("#queued-list li").waitFor()
  const small = optimise(await page.screenshot(), 4, false, true)
  if (small.length > most) throw new Error(`${name} has ${small.length} bytes, more than ${most}`)
  await writeFile(join(folder, name), small)
  console.log(`${name}: ${Math.round(small.length / 1000)} kB`)
}

const executablePath = findBrowser()
if (executablePath === undefined) throw new Error(NO_BROWSER)
const browser = await chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 })
try {
  const codec = createRequire(import.meta.url).resolve("@jsquash/oxipng/codec/pkg/squoosh_oxipng_bg.wasm")
  await compress(await readFile(codec))
  await mkdir(folder, { recursive: true })
  await sandbox.setTime("2026-03-02T09:14:07Z")
  const pages = [
    await open(browser, "light", "desktop"),
    await open(browser, "light", "phone"),
    await open(browser, "dark", "desktop"),
    await open(browser, "dark", "phone")
  ]
  await morning()
  await pause()
  for (const page of pages) await shoot(page)
} finally {
  await browser.close()
}
