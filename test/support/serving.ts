/** `nomba-auth serve` as a child process that is ready. */
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { Agent, type IncomingMessage, request } from "node:http"
import { text } from "node:stream/consumers"
import type { useCli, Variables } from "./cli.js"

export interface Ready {
  readonly ready: true
  readonly url: string
  readonly ops: string
  readonly keyFile?: string
  readonly socket?: string
}

export interface Response {
  readonly status: number
  readonly body: string
  readonly tag: string | undefined
  readonly retryAfter: string | undefined
}

export interface Ask {
  readonly method?: string
  readonly body?: string
  readonly headers?: Record<string, string>
}

/** Starts it on free ports and waits for its ready line. Fails with what it said if it ends before. */
export const serving = async (
  { start }: Pick<ReturnType<typeof useCli>, "start">,
  variables: Variables,
  ...args: ReadonlyArray<string>
) => {
  const ports = args.includes("--socket") ? ["--ops-port", "0"] : ["--port", "0"]
  const { child, ended } = start(variables, ["serve", ...ports, ...args])
  const line = await Promise.race([
    once(child.stdout, "data").then(([chunk]) => String(chunk)),
    ended.then(({ errors }) => Promise.reject(new Error(errors)))
  ])
  const ready: Ready = JSON.parse(line)
  const key = ready.keyFile === undefined ? undefined : readFileSync(ready.keyFile, "utf8").trim()
  const agent = new Agent({ keepAlive: true })
  const ask = async (path: string, { body, headers = {}, method = "GET" }: Ask = {}): Promise<Response> => {
    const { hostname, port } = new URL(ready.url)
    const place = ready.socket === undefined ? { hostname, port } : { socketPath: ready.socket }
    const all = { ...(key === undefined ? {} : { "x-nomba-key": key }), ...headers }
    const sent = request({ ...place, path, method, headers: all, agent })
    sent.end(body)
    const [response] = (await once(sent, "response")) as [IncomingMessage]
    return {
      status: response.statusCode ?? 0,
      body: await text(response),
      tag: response.headers["x-nomba-auth"] as string | undefined,
      retryAfter: response.headers["retry-after"]
    }
  }
  return {
    ...ready,
    key,
    ask,
    kill: (signal: NodeJS.Signals) => child.kill(signal),
    /** Ends it and returns what it has written. */
    stop: () => {
      agent.destroy()
      child.kill("SIGTERM")
      return ended
    },
    ended
  }
}
