/** A sandbox with its page open in a window of its own, and a client that logs in without the library. */
import { Effect, type Scope } from "effect"
import { type SandboxHandle, type StartOptions, startSandbox } from "nomba-auth/sandbox"
import type { BrowserContextOptions, Page } from "playwright-core"
import type { FreshContext } from "./browser.js"

export interface Opened {
  readonly page: Page
  readonly sandbox: SandboxHandle
  /** What the browser complained of, and every request that went elsewhere. */
  readonly problems: Array<string>
}

/** Starts a sandbox and opens one of its pages. Both close with the scope. */
export const openPage = (
  fresh: FreshContext,
  {
    path = "/",
    sandbox: options,
    window,
    before
  }: {
    readonly path?: string
    readonly sandbox?: StartOptions
    readonly window?: BrowserContextOptions
    /** What happens to the sandbox, or to the empty window, before the page is there. */
    readonly before?: (opened: Opened) => Promise<unknown>
  } = {}
): Effect.Effect<Opened, never, Scope.Scope> =>
  Effect.gen(function* () {
    const sandbox = yield* Effect.acquireRelease(
      Effect.promise(() => startSandbox(options)),
      ({ close }) => Effect.promise(close)
    )
    const context = yield* fresh(window)
    return yield* Effect.promise(async () => {
      const page = await context.newPage()
      const problems: Array<string> = []
      page.on("console", (message) => {
        if (message.type() === "error") problems.push(message.text())
      })
      page.on("pageerror", (error) => problems.push(error.message))
      page.on("request", (request) => {
        const url = new URL(request.url())
        if (url.protocol !== "data:" && url.origin !== sandbox.url) problems.push(`asked ${url.origin}`)
      })
      const opened = { page, sandbox, problems }
      await before?.(opened)
      await page.goto(`${sandbox.url}${path}`)
      if (path === "/") await page.locator("body:not([data-connection=connecting])").waitFor()
      return opened
    })
  })

interface Answer {
  readonly status: number
  readonly access: string
  readonly refresh: string
}

const post = async ({ url }: SandboxHandle, operation: string, body: unknown): Promise<Answer> => {
  const response = await fetch(`${url}/v1/auth/token/${operation}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  const { data } = await response.json()
  return { status: response.status, access: data?.access_token ?? "", refresh: data?.refresh_token ?? "" }
}

/** A client logs in; the first of the configured ones without an id. */
export const issue = (sandbox: SandboxHandle, clientId?: string): Promise<Answer> => {
  const client = sandbox.credentials(clientId)
  return post(sandbox, "issue", {
    grant_type: "client_credentials",
    client_id: client.clientId,
    client_secret: client.clientSecret
  })
}

export const refresh = (sandbox: SandboxHandle, refreshToken: string): Promise<Answer> =>
  post(sandbox, "refresh", { grant_type: "refresh_token", refresh_token: refreshToken })

/** The status of a call with this token. */
export const balance = async ({ url }: SandboxHandle, token: string): Promise<number> => {
  const response = await fetch(`${url}/v1/accounts/balance`, { headers: { authorization: `Bearer ${token}` } })
  await response.text()
  return response.status
}
