/** A way to a server of this machine that can be slow, silent or cut. */
import * as Net from "node:net"
import { Effect, type Scope } from "effect"
import { serveTcp } from "./server.js"
import { standStill } from "./standStill.js"

export interface Proxy {
  readonly port: number
  /** Breaks every connection, and refuses new ones by breaking them too. */
  readonly cut: Effect.Effect<void>
  readonly mend: Effect.Effect<void>
  /** While silent, connections stay open and nothing comes through that was not on its way. */
  readonly silent: (isSilent: boolean) => Effect.Effect<void>
  /** How late everything is, each way, in milliseconds. */
  readonly slow: (latency: number) => Effect.Effect<void>
  /** This process stands still for so many milliseconds, as soon as the next answer has been passed on. */
  readonly standStillAfter: (millis: number) => Effect.Effect<void>
  /** Begins to listen for the names of requests; the connection breaks once, at the place that is given. */
  readonly listen: (place?: Place) => Effect.Effect<void>
  /** What has been asked since then. */
  readonly heard: () => ReadonlyArray<string>
  /** Whether it has broken there. */
  readonly hasBroken: () => boolean
}

/**
 * At the nth request of a name, which begins with 1: before the server has it, or when its answer has come and before
 * the client has it.
 */
export interface Place {
  readonly request: string
  readonly nth: number
  readonly what: "request" | "answer"
}

interface Pair {
  readonly client: Net.Socket
  readonly server: Net.Socket
}

/** `requestsIn` reads the names of the requests in what a client sends. */
export const proxyTo = (
  port: number,
  requestsIn: (data: Buffer) => ReadonlyArray<string> = () => []
): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.gen(function* () {
    const pairs = new Set<Pair>()
    let isCut = false
    let isSilent = false
    let latency = 0
    let stillFor = 0
    let plan: Place | undefined
    let hasBroken = false
    let heard: Array<string> = []

    const destroy = ({ client, server }: Pair): void => {
      client.destroy()
      server.destroy()
    }

    /** Whether the plan says that the connection breaks with this request. */
    const breaksAt = (data: Buffer): "request" | "answer" | undefined => {
      for (const request of requestsIn(data)) {
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

    const { port: own } = yield* serveTcp((client) => {
      if (isCut) return void client.destroy()
      const server = Net.connect(port, "127.0.0.1")
      const pair = { client, server }
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
        if (isSilent) return
        const broken = breaksAt(data)
        if (broken === "request") return destroy(pair)
        answerIsLost ||= broken === "answer"
        pass(server, data)
      })
      server.on("data", (data) => {
        if (isSilent) return
        if (answerIsLost) return destroy(pair)
        pass(client, data)
        const millis = stillFor
        stillFor = 0
        standStill(millis)
      })
    })
    yield* Effect.addFinalizer(() => Effect.sync(() => pairs.forEach(destroy)))

    return {
      port: own,
      cut: Effect.sync(() => {
        isCut = true
        pairs.forEach(destroy)
      }),
      mend: Effect.sync(() => {
        isCut = false
      }),
      silent: (_) =>
        Effect.sync(() => {
          isSilent = _
        }),
      slow: (_) =>
        Effect.sync(() => {
          latency = _
        }),
      standStillAfter: (millis) =>
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
