/** The page of the sandbox as a person meets it: in a real browser, with a pointer or with the keyboard alone. */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { type SandboxHandle, type StartOptions, startSandbox } from "nomba-auth/sandbox"
import type { Locator, Page } from "playwright-core"
import { describeInBrowser, type FreshContext } from "../support/browser.js"
import { balance, issue, type Opened, openPage, refresh } from "../support/sandboxPage.js"

type Options = Parameters<typeof openPage>[1]

/** Opens the page, does something there, and lets the browser complain of nothing. */
const onPage = (fresh: FreshContext, use: (opened: Opened) => Promise<unknown>, options?: Options) =>
  Effect.gen(function* () {
    const opened = yield* openPage(fresh, options)
    yield* Effect.promise(() => use(opened))
    assert.deepStrictEqual(opened.problems, [])
  })

const card = (page: Page): Locator => page.getByRole("article")
const rows = (page: Page): Locator => page.locator("#log li")
const row = (page: Page, text: string): Locator => rows(page).filter({ hasText: text })

/** Goes on with the Tab key until a control has the focus. */
const tabTo = async (page: Page, target: Locator): Promise<void> => {
  for (let presses = 0; presses < 60; presses++) {
    if (await target.evaluate((node) => node === document.activeElement)) return
    await page.keyboard.press("Tab")
  }
  assert.fail("the Tab key does not lead there")
}

const twoClients: StartOptions = {
  clients: [
    { clientId: "first-client", clientSecret: "the-secret-of-the-first-client" },
    { clientId: "second-client", clientSecret: "the-secret-of-the-second-client" }
  ]
}

describeInBrowser("the page of a sandbox", (fresh) => {
  it.scopedLive("says what it is, and that there are no sessions yet", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      await page.getByRole("heading", { name: "Nomba sandbox", level: 1 }).waitFor()
      await page.getByText("One client has one session").waitFor()
      await page.getByText("No active sessions.").waitFor()
      await page.getByText("No requests yet.").waitFor()
      assert.strictEqual(await page.locator("#credentials code").first().textContent(), sandbox.url)
      assert.strictEqual(await card(page).count(), 0)
      assert.strictEqual(await page.locator("#connection").textContent(), "Live")
    })
  )

  it.scopedLive("shows a session as it begins, counts it down, and shows nothing secret in full", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      const { access, refresh: refreshToken } = await issue(sandbox)
      await card(page).getByRole("heading", { name: sandbox.credentials().clientId }).waitFor()
      const left = card(page).locator(".left").first()
      assert.match((await left.textContent()) ?? "", /^29 min \d+ s left$/)
      const before = await left.textContent()
      await page.waitForFunction((text) => document.querySelector("article .left")?.textContent !== text, before)
      assert.strictEqual(await card(page).locator(".mono").first().textContent(), `eyJ…${access.slice(-3)}`)
      const html = await page.content()
      for (const secret of [access, refreshToken, sandbox.credentials().clientSecret]) {
        for (let start = 3; start + 8 <= secret.length; start++) {
          assert.notInclude(html, secret.slice(start, start + 8))
        }
      }
    })
  )

  it.scopedLive("shows each request with its outcome", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      const { access, refresh: first } = await issue(sandbox)
      await row(page, "new session").waitFor()
      assert.strictEqual(await balance(sandbox, access), 200)
      await row(page, "token accepted").waitFor()
      await refresh(sandbox, first)
      await row(page, "session refreshed").waitFor()
      await refresh(sandbox, first)
      await row(page, "rejected, the refresh token was used before").waitFor()
      assert.strictEqual(await balance(sandbox, access), 401)
      await row(page, "rejected, the token is replaced or revoked").waitFor()
      const newest = await rows(page).locator(".operation").allTextContents()
      assert.deepStrictEqual(newest, ["resource", "refresh", "refresh", "resource", "issue"])
      const refreshes = await page
        .getByRole("row", { name: /^refresh/ })
        .getByRole("cell")
        .allTextContents()
      assert.deepStrictEqual(refreshes, ["2", "1", "1", "0", "200 × 1, 401 × 1"])
      await fetch(`${sandbox.url}/v1/auth/authorize?client_id=nobody`)
      const login = row(page, "rejected, the client_id is not known to this sandbox").locator(".operation")
      assert.strictEqual(await login.textContent(), "authorize")
      assert.isTrue(await login.evaluate(({ clientWidth, scrollWidth }) => scrollWidth <= clientWidth))
      await page.getByLabel("Show").selectOption("rejected and faulted")
      assert.strictEqual(await rows(page).count(), 3)
    })
  )

  it.scopedLive("lets the keyboard alone add a fault and clear it", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      await tabTo(page, page.getByLabel("Applies to"))
      await page.keyboard.type("refresh")
      await tabTo(page, page.getByLabel("Kind of fault"))
      await page.keyboard.type("a late")
      await tabTo(page, page.getByLabel("Delay in seconds"))
      await page.keyboard.type("0.2")
      await tabTo(page, page.getByLabel("How many"))
      await page.keyboard.type("3")
      await page.keyboard.press("Enter")
      await page.getByText("refresh: 0.2 s late, for 3 requests").waitFor()
      const { faults } = await sandbox.view()
      assert.deepInclude(faults["refresh"]?.[0], { latency: 200, left: 3 })
      await tabTo(page, page.getByRole("button", { name: "Clear all" }))
      await page.keyboard.press("Space")
      await page.getByText("refresh: 0.2 s late").waitFor({ state: "detached" })
      assert.deepStrictEqual((await sandbox.view()).faults, {})
      assert.strictEqual(await page.evaluate(() => document.activeElement?.id), "faults-title")
    })
  )

  const faults: ReadonlyArray<readonly [kind: string, ordered: string, operation: "issue" | "refresh", row: string]> = [
    ["an error status", "issue: status 503, for 1 request", "issue", "fault: status 503"],
    ["a connection reset", "issue: connection reset, for 1 request", "issue", "no response"],
    ["a truncated response", "issue: truncated response, for 1 request", "issue", "no response"],
    ["a body that is not JSON", "issue: body is not JSON, for 1 request", "issue", "fault: body is not JSON"],
    ["a lost response", "issue: response lost, for 1 request", "issue", "no response"]
  ]
  it.scopedLive("adds every kind of fault, which applies to the next request", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      for (const [index, [kind, ordered, , told]] of faults.entries()) {
        await page.getByLabel("Kind of fault").selectOption(kind)
        await page.getByRole("button", { name: "Add fault" }).click()
        await page.getByText("Added: applies to the next issue request.").waitFor()
        await page.getByText(ordered).waitFor()
        await issue(sandbox).catch(() => "broken, as ordered")
        await page.waitForFunction((count) => document.querySelectorAll("#log li").length === count, index + 1)
        assert.include(await rows(page).first().textContent(), told)
        await page.getByText(ordered).waitFor({ state: "hidden" })
      }
      assert.strictEqual((await sandbox.counts()).issue.faulted, faults.length)
    })
  )

  it.scopedLive("says how long an added fault lasts", () =>
    onPage(fresh, async ({ page }) => {
      const order = async (until: string, amount: string | undefined, said: string) => {
        await page.locator("[name=until]").selectOption(until)
        if (amount !== undefined) await page.locator("[name=amount]").fill(amount)
        await page.getByRole("button", { name: "Add fault" }).click()
        await page.getByText(said).waitFor()
      }
      await order("times", "5", "Added: applies to the next 5 issue requests.")
      await order("during", "30", "Added: applies to every issue request for 30 seconds.")
      await order("always", undefined, "Added: applies to every issue request until you clear it.")
    })
  )

  it.scopedLive("offers to copy only if the browser has a clipboard", () =>
    Effect.gen(function* () {
      const copy = (page: Page) => page.getByRole("button", { name: "Copy NOMBA_BASE_URL" })
      yield* onPage(fresh, async ({ page }) => assert.isTrue(await copy(page).isVisible()))
      yield* onPage(fresh, async ({ page }) => assert.isFalse(await copy(page).isVisible()), {
        before: ({ page }) =>
          page.addInitScript(() => Object.defineProperty(navigator, "clipboard", { value: undefined }))
      })
    })
  )

  it.scopedLive("shows how to connect, with a curl command that works, until a client logs in", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      const { accountId, clientId, clientSecret } = sandbox.credentials()
      await page.locator("#credentials").getByText(clientSecret).waitFor()
      const values = await page.locator("#credentials code").allTextContents()
      assert.deepStrictEqual(values, [sandbox.url, clientId, clientSecret, accountId])
      const command = await page.locator("#curl").textContent()
      const { stdout } = await promisify(execFile)("sh", ["-c", command ?? ""])
      assert.include(stdout, "access_token")
      await page.locator("#curl-box").waitFor({ state: "hidden" })
    })
  )

  it.scopedLive("shows no configured secret, but a place for it in the curl command", () =>
    onPage(
      fresh,
      async ({ page }) => {
        await page.getByText("the one you configured").waitFor()
        assert.include(await page.locator("#curl").textContent(), "YOUR_CLIENT_SECRET")
        assert.notInclude(await page.content(), "the-secret-of-the-first-client")
      },
      { sandbox: twoClients }
    )
  )

  it.scopedLive("links each rejection to its cause, and collapses repeated successes", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      const { access } = await issue(sandbox)
      for (let n = 0; n < 3; n++) await balance(sandbox, access)
      await row(page, "token accepted × 3").waitFor()
      assert.strictEqual(await rows(page).count(), 2)
      await sandbox.steal()
      await balance(sandbox, access)
      await page.getByRole("link", { name: "Why was request 5 rejected?" }).click()
      assert.strictEqual(new URL(page.url()).hash, "#cause-replaced")
      await page.getByText("The token was replaced or revoked").waitFor()
    })
  )

  it.scopedLive("adds a fault for a method and path, and a response", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      const { access } = await issue(sandbox)
      await page.getByLabel("Applies to").selectOption("a method and path")
      await page.getByRole("textbox", { name: "Method and path" }).fill("GET /v1/accounts/balance")
      await page.getByRole("button", { name: "Add fault" }).click()
      await page.getByText("GET /v1/accounts/balance: status 503, for 1 request").waitFor()
      assert.strictEqual(await balance(sandbox, access), 503)
      await page.getByLabel("Path", { exact: true }).fill("/v1/terminals/{id}")
      await page.getByRole("textbox", { name: "Body" }).fill('{"id":"{{path.id}}"}')
      await page.getByRole("button", { name: "Add response" }).click()
      await page.getByText("GET /v1/terminals/{id}: 200").waitFor()
      const answer = await fetch(`${sandbox.url}/v1/terminals/7`, { headers: { authorization: access } })
      assert.deepStrictEqual(await answer.json(), { id: "7" })
      await page.getByRole("button", { name: "Remove all" }).click()
      await page.getByText("GET /v1/terminals/{id}: 200").waitFor({ state: "hidden" })
    })
  )

  it.scopedLive("simulates another login, which ends the session, and says so", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      const { access } = await issue(sandbox)
      await page.getByRole("button", { name: "Simulate another login" }).click()
      await card(page).getByText("from another login").waitFor()
      await row(page, "Another login as").waitFor()
      await page.getByRole("status").filter({ hasText: "Another login" }).first().waitFor()
      assert.strictEqual(await balance(sandbox, access), 401)
    })
  )

  it.scopedLive("lets tokens expire, and revokes a session without losing the keyboard's place", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      const { access } = await issue(sandbox)
      await page.getByRole("button", { name: "Expire access token" }).click()
      await card(page)
        .getByText(/^expired \d+ s ago$/)
        .waitFor()
      assert.strictEqual(await balance(sandbox, access), 401)
      await row(page, "rejected, the token is expired").waitFor()
      await tabTo(page, page.getByRole("button", { name: "Revoke" }))
      await page.keyboard.press("Enter")
      await page.getByText("No active sessions.").waitFor()
      assert.strictEqual(await page.evaluate(() => document.activeElement?.id), "sessions-title")
      assert.isUndefined(await sandbox.session())
    })
  )

  it.scopedLive("moves the clock, by which tokens expire", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      await issue(sandbox)
      await page.getByRole("button", { name: "+10 min" }).click()
      await card(page)
        .getByText(/^19 min \d+ s left$/)
        .waitFor()
      await row(page, "The clock moved ahead by").waitFor()
      await page.getByLabel("Set to (UTC)").fill("2031-05-06T07:08:09")
      await page.getByRole("button", { name: "Set", exact: true }).click()
      await page.getByText(/^2031-05-06 07:08:\d\d$/).waitFor()
      assert.strictEqual((await sandbox.now()).toISOString().slice(0, 16), "2031-05-06T07:08")
    })
  )

  it.scopedLive("does not overwrite the clock field while the user fills it in", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      const field = page.getByLabel("Set to (UTC)")
      assert.match(await field.inputValue(), /^\d{4}-/)
      await field.fill("")
      for (let ticks = 0; ticks < 2; ticks++) {
        const shown = await page.locator("#now").textContent()
        await page.waitForFunction((text) => document.getElementById("now")?.textContent !== text, shown)
      }
      assert.strictEqual(await field.inputValue(), "")
      const before = await sandbox.now()
      await field.evaluate((input: HTMLInputElement) => {
        input.value = "12345-01-01T00:00:00"
      })
      await page.getByRole("button", { name: "Set", exact: true }).click()
      assert.isTrue(await field.evaluate((input: HTMLInputElement) => input.validity.rangeOverflow))
      assert.isBelow((await sandbox.now()).getTime() - before.getTime(), 60_000)
    })
  )

  it.scopedLive("changes settings while the sandbox runs, and says what is invalid", () =>
    Effect.gen(function* () {
      const { page, problems, sandbox } = yield* openPage(fresh)
      yield* Effect.promise(async () => {
        await page.getByText("Show settings").click()
        assert.strictEqual(await page.locator(".switch").count(), Object.keys(await sandbox.switches()).length)
        await page.getByRole("switch", { name: "refreshRotation" }).click()
        await page.getByLabel("badCredentials").selectOption("403")
        await page.getByLabel("accessLifetime").fill("2 minutes")
        await page.keyboard.press("Tab")
        await page.getByText("3 settings changed").waitFor()
        const switches = await sandbox.switches()
        assert.deepInclude(switches, { refreshRotation: false, badCredentials: 403, accessLifetime: 120_000 })
        assert.deepStrictEqual(problems, [])
        await page.getByLabel("accessLifetime").fill("soon")
        await page.keyboard.press("Tab")
        await page.getByRole("alert").getByText("accessLifetime: must be").waitFor()
        await page.waitForFunction(() =>
          [...document.querySelectorAll("input")].some(({ value }) => value === "2 minutes")
        )
        assert.strictEqual((await sandbox.switches()).accessLifetime, 120_000)
      })
    })
  )

  it.scopedLive("resets the sandbox", () =>
    onPage(fresh, async ({ page, sandbox }) => {
      await issue(sandbox)
      await sandbox.steal()
      await row(page, "Another login as").waitFor()
      await sandbox.fault("issue", { answer: "connectionReset" })
      await sandbox.configure({ singleSession: false })
      await page.getByText("1 setting changed").waitFor()
      await page.getByRole("button", { name: "Reset the sandbox" }).click()
      await page.getByText("No active sessions.").waitFor()
      await page.getByText("No requests yet.").waitFor()
      await page.getByText("1 setting changed").waitFor({ state: "hidden" })
      await page.getByText("issue: connection reset").waitFor({ state: "hidden" })
      assert.strictEqual((await sandbox.counts()).issue.requests, 0)
      await issue(sandbox)
      await row(page, "new session").waitFor()
      await sandbox.reset()
      await refresh(sandbox, "a token of before")
      await row(page, "rejected").waitFor()
      assert.strictEqual(await rows(page).count(), 1)
    })
  )

  it.scopedLive("shows several clients, and those without a session", () =>
    onPage(
      fresh,
      async ({ page, sandbox }) => {
        await page.getByText("2 clients without a session").click()
        await page.getByRole("button", { name: "Simulate a login (client second-client)" }).click()
        await card(page).getByText("second-client").first().waitFor()
        await page.getByText("1 client without a session").waitFor()
        await issue(sandbox, "first-client")
        await row(page, "client first-client").waitFor()
        const ids = await card(page).locator("h3 code").allTextContents()
        assert.deepStrictEqual(ids, ["first-client", "second-client"])
      },
      { sandbox: twoClients }
    )
  )

  it.scopedLive("keeps hostile text as text", () => {
    const hostile = `<img src="x" onerror="document.title='taken'"><script>document.title='taken'</script>`
    return onPage(
      fresh,
      async ({ page, sandbox }) => {
        await card(page).getByText(hostile).first().waitFor()
        await issue(sandbox, hostile)
        await row(page, "new session").waitFor()
        assert.strictEqual(await page.locator("main img, main script").count(), 0)
        assert.strictEqual(await page.title(), "Nomba sandbox")
      },
      {
        sandbox: { clients: [{ clientId: hostile, clientSecret: "the-secret-of-that-client" }] },
        before: ({ sandbox }) => sandbox.steal(hostile)
      }
    )
  })

  it.scopedLive("keeps text as text even if the sandbox itself sent it raw", () => {
    const hostile = `<img src="x" onerror="document.title='taken'">`
    return onPage(
      fresh,
      async ({ page }) => {
        await row(page, hostile).first().waitFor()
        assert.strictEqual(await page.locator("main img").count(), 0)
        assert.strictEqual(await page.title(), "Nomba sandbox")
      },
      {
        before: async ({ page, sandbox }) => {
          await issue(sandbox)
          const view = await sandbox.view()
          const told = { ...view.requests[0], operation: "other", path: hostile, method: hostile, why: hostile }
          const sessions = view.sessions.map((one) => ({ ...one, id: hostile, accessToken: hostile }))
          const state = { ...view, url: hostile, sessions, requests: [told] }
          await page.route("**/_sandbox/events", (route) =>
            route.fulfill({
              contentType: "text/event-stream",
              body: `event: state\ndata: ${JSON.stringify(state)}\n\n`
            })
          )
        }
      }
    )
  })

  it.scopedLive("says when the connection is lost, and reconnects when the sandbox is back", () =>
    Effect.gen(function* () {
      const { page, sandbox } = yield* openPage(fresh)
      yield* Effect.promise(async () => {
        await issue(sandbox)
        await row(page, "new session").waitFor()
        await sandbox.close()
        await page.locator("body[data-connection=lost]").waitFor()
        await page.getByText("Connection lost, this view is outdated. Reconnecting…").waitFor()
        await page.getByRole("button", { name: "Reset the sandbox" }).click()
        await page.getByRole("alert").getByText("No response from the sandbox.").waitFor()
      })
      const again = yield* Effect.acquireRelease(
        Effect.promise(() => startSandbox({ port: Number(new URL(sandbox.url).port) })),
        (handle: SandboxHandle) => Effect.promise(handle.close)
      )
      yield* Effect.promise(async () => {
        await refresh(again, "a token of before")
        await page.locator("body[data-connection=live]").waitFor()
        assert.strictEqual(await page.locator("#connection").textContent(), "Live")
        await row(page, "rejected").waitFor()
        assert.strictEqual(await rows(page).count(), 1)
        await issue(again)
        await row(page, "new session").waitFor()
      })
    })
  )
})
