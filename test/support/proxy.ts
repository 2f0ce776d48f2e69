/** A way to a server of this machine that can be slow, silent or disconnected. */
import * as Net from "node:net"
import { Effect, type Scope } from "effect"
import { serveTcp } from "./server.js"
import { stallFor } from "./stallFor.js"

export interface Proxy {
  readonly port: number
  /** Breaks every connection, also each new one, until `reconnect`. */
  readonly disconnect: Effect.Effect<void>
  readonly reconnect: Effect.Effect<void>
  /** While silent, connections stay open and nothing comes through that was not on its way. */
  readonly silent: (isSilent: boolean) => Effect.Effect<void>
  /** How late everything is, each way, in milliseconds. */
  readonly slow: (latency: number) => Effect.Effect<void>
  /** The next request of this name, and all that follows it on its connection, reaches the server so much later. */
  readonly delayNext: (request: string, millis: number) => Effect.Effect<void>
  /** Connections that have subscribed until now stay open, and nothing comes through any more. */
  readonly silenceSubscribers: Effect.Effect<void>
  /** Stalls this process for so many milliseconds, as soon as the next answer has been passed on. */
  readonly stallAfter: (millis: number) => Effect.Effect<void>
  /** Begins to listen for the names of requests; the connection breaks once, at the place that is given. */
  readonly listen: (place?: Breakpoint) => Effect.Effect<void>
  /** What has been asked since then. */
  readonly heard: () => ReadonlyArray<string>
  /** Whether it has broken there. */
  readonly hasBroken: () => boolean
}

/**
 * At the nth request of a name, which begins with 1: before the server has it, or when its answer has come and before
 * the client has it.
 */
export interface Breakpoint {
  readonly request: string
  readonly nth: number
  readonly what: "request" | "answer"
}

interface Pair {
  readonly client: Net.Socket
  readonly server: Net.Socket
  isSubscriber: boolean
  isSilent: boolean
  /** What is held back on its way to the server, in order. */
  held: Array<Buffer> | undefined
}

/** `requestsIn` reads the names of the requests in what a client sends. */
export const proxyTo = (
  port: number,
  requestsIn: (data: Buffer) => ReadonlyArray<string> = () => []
): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const pairs = new Set<Pair>()
    let isDisconnected = false
    let isSilent = false
    let latency = 0
    let stillFor = 0
    let delay: { readonly request: string; readonly millis: number } | undefined
    let plan: Breakpoint | undefined
    let hasBroken = false
    let heard: Array<string> = []

    const destroy = ({ client, server }: Pair): void => {
      client.destroy()
      server.destroy()
    }

    /** Whether the plan says that the connection breaks with this request. */
    const breaksAt = (requests: ReadonlyArray<string>): "request" | "answer" | undefined => {
      for (const request of requests) {
        heard.push(request)
        if (plan?.request !== request || heard.filter((_) => _ === request).length < plan.nth) continue
        const { what } = plan
        plan = undefined
        hasBroken = true
        return what
      }
      return undefined
    }

    const pass = (to: Net.Socket, data: Buffer): void => {
      if (latency === 0) to.write(data)
      else setTimeout(() => to.write(data), latency)
    }

    const holdIfDue = (pair: Pair, requests: ReadonlyArray<string>): void => {
      if (delay === undefined || !requests.includes(delay.request)) return
      const held: Array<Buffer> = []
      pair.held = held
      setTimeout(() => {
        pair.held = undefined
        for (const data of held) pair.server.write(data)
      }, delay.millis)
      delay = undefined
    }

    const { port: own } = yield* serveTcp((client) => {
      if (isDisconnected) return void client.destroy()
      const server = Net.connect(port, "127.0.0.1")
      const pair: Pair = { client, server, isSubscriber: false, isSilent: false, held: undefined }
      let answerIsLost = false
      pairs.add(pair)
      for (const socket of [client, server]) {
        socket.setNoDelay(true)
        socket.on("error", () => {})
        socket.once("close", () => {
          pairs.delete(pair)
          destroy(pair)
        })
      }
      client.on("data", (data) => {
        if (isSilent || pair.isSilent) return
        const requests = requestsIn(data)
        pair.isSubscriber ||= requests.includes("subscribe")
        const broken = breaksAt(requests)
        if (broken === "request") return destroy(pair)
        answerIsLost ||= broken === "answer"
        holdIfDue(pair, requests)
        if (pair.held === undefined) pass(server, data)
        else pair.held.push(data)
      })
      server.on("data", (data) => {
        if (isSilent || pair.isSilent) return
        if (answerIsLost) return destroy(pair)
        pass(client, data)
        const millis = stillFor
        stillFor = 0
        stallFor(millis)
      })
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => pairs.forEach(destroy)))

    return {
      port: own,
      disconnect: Effect.sync(() => {
        isDisconnected = true
        pairs.forEach(destroy)
      }),
      reconnect: Effect.sync(() => {
        isDisconnected = false
      }),
      silent: (_) =>
        Effect.sync(() => {
          isSilent = _
        }),
      slow: (_) =>
        Effect.sync(() => {
          latency = _
        }),
      delayNext: (request, millis) =>
        Effect.sync(() => {
          delay = { request, millis }
        }),
      silenceSubscribers: Effect.sync(() => {
        for (const pair of pairs) if (pair.isSubscriber) pair.isSilent = true
      }),
      stallAfter: (millis) =>
        Effect.sync(() => {
          stillFor = millis
        }),
      listen: (place) =>
        Effect.sync(() => {
          plan = place
          hasBroken = false
          heard = []
        }),
      heard: () => heard,
      hasBroken: () => hasBroken
    }
  })
