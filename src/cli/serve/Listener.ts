/** Where a server listens: a port of an address, or a Unix socket. */
import { chmodSync, lstatSync, unlinkSync } from "node:fs"
import type * as Http from "node:http"
import { connect } from "node:net"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Hostname from "../../sandbox/config/Hostname.js"

/** A port of an address, or a Unix socket of mode 0660. */
export type ListenTarget =
  | { readonly host: string; readonly port: number; readonly allowedHosts?: ReadonlyArray<string> | undefined }
  | { readonly socket: string }

/** The server cannot listen. The message says where and why. */
export class ListenError extends Data.TaggedError("ListenError")<{ readonly message: string }> {}

/** Listens, and returns the URL for callers. On a Unix socket any host name will do. `option` is the one that names the port. */
export const listen = (
  server: Http.Server,
  place: ListenTarget,
  option: "--port" | "--ops-port"
): Effect.Effect<string, ListenError> =>
  Effect.gen(function* () {
    if ("socket" in place) yield* removeStaleSocket(place.socket)
    yield* Effect.async<void, ListenError>((resume) => {
      const onError = (error: NodeJS.ErrnoException): void =>
        resume(new ListenError({ message: problemOf(error, place, option) }))
      server.once("error", onError)
      const listening = (): void => {
        server.off("error", onError)
        server.on("error", () => {})
        resume(Effect.void)
      }
      if ("socket" in place) {
        // The socket is bound within this call, so it never has other rights.
        const umask = process.umask(0o117)
        server.listen(place.socket, listening)
        process.umask(umask)
      } else {
        server.listen(place.port, place.host, listening)
      }
    })
    if ("socket" in place) {
      chmodSync(place.socket, 0o660)
      return "http://localhost"
    }
    const host = Hostname.anyAddress.has(place.host) ? "127.0.0.1" : Hostname.bracketed(place.host)
    return `http://${host}:${portOf(server, place.port)}`
  })

/** The port that a server listens on, also if it was told to take a free one. */
export const portOf = (server: Http.Server, wanted: number): number => {
  const address = server.address()
  return typeof address === "object" && address !== null ? address.port : wanted
}

const problemOf = ({ code }: NodeJS.ErrnoException, place: ListenTarget, option: string): string => {
  if ("socket" in place) return `Cannot listen on ${place.socket}: ${code}.`
  if (code === "EADDRINUSE")
    return `Port ${place.port} is already in use on ${place.host}: use ${option} 0 for a free port.`
  return `Cannot listen on ${place.host}:${place.port}: ${code}.`
}

/** A socket that a killed process has left behind. One that answers is in use. */
const removeStaleSocket = (path: string): Effect.Effect<void, ListenError> =>
  Effect.async((resume) => {
    const found = Option.getOrUndefined(Option.liftThrowable(lstatSync)(path))
    if (found === undefined) return resume(Effect.void)
    if (!found.isSocket())
      return resume(new ListenError({ message: `${path} exists and is not a socket: choose another path.` }))
    const probe = connect(path)
    probe.once("connect", () => {
      probe.destroy()
      resume(new ListenError({ message: `${path} is in use by another process.` }))
    })
    probe.once("error", () => {
      Option.liftThrowable(unlinkSync)(path)
      resume(Effect.void)
    })
  })

/** Takes no new connections, closes the idle ones, and waits for the requests under way, at most this many milliseconds. */
export const drain = (server: Http.Server, closeIdle: () => void, limit: number): Effect.Effect<void> =>
  Effect.async<void>((resume) => {
    const timer = setTimeout(() => server.closeAllConnections(), limit)
    server.close(() => {
      clearTimeout(timer)
      resume(Effect.void)
    })
    closeIdle()
  })
