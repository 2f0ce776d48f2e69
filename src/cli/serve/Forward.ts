/** Sends an admitted request to Nomba, once more after a 401, and passes the response on. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import * as Runtime from "effect/Runtime"
import * as Snapshot from "../../layers/cache/Snapshot.js"
import { VERSION } from "../../layers/http/OutgoingRequest.js"
import * as Recovery from "../../layers/http/Recovery.js"
import type { AuthError } from "../../schemas/AuthError.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import type { TokenCacheService } from "../../services/TokenCache.js"
import type { Admitted } from "./Admission.js"
import type { Exchange, Gone } from "./Exchange.js"
import * as Headers from "./Headers.js"
import { MaskedBody } from "./Masking.js"
import * as Upstream from "./Upstream.js"

/** Rejects with an `AuthError` if there is no response. `isLast`: whether the caller's connection ends with this response. */
export type Forward = (exchange: Exchange, admitted: Admitted, isLast: (exchange: Exchange) => boolean) => Promise<void>

export const make = (
  { accountId }: NombaConfigService,
  cache: TokenCacheService,
  upstream: Upstream.Upstream,
  runtime: Runtime.Runtime<never>
): Forward => {
  const ownAccountId = Option.getOrUndefined(accountId)
  const headersOf = Headers.upstreamHeaders({
    authority: upstream.authority,
    accountId: ownAccountId,
    userAgent: `nomba-auth/${VERSION}`
  })
  const snapshot = Snapshot.of(cache)
  const run = runner(runtime)

  const outgoingOf = ({ caller, gone, upload }: Exchange, { url }: Admitted): Upstream.UpstreamRequest => {
    const { accountid } = caller.headers
    return {
      method: caller.method ?? "",
      url,
      accountId: ownAccountId === undefined && typeof accountid === "string" ? accountid : undefined,
      headers: headersOf(caller),
      upload,
      gone
    }
  }

  const replay = (
    exchange: Exchange,
    outgoing: Upstream.UpstreamRequest,
    rejected: Upstream.Attempt
  ): Effect.Effect<Upstream.Attempt, AuthError> =>
    Recovery.recover<Upstream.Attempt, AuthError>(cache, rejected, {
      mayReplay: (attempt) => whyNotReplayed(attempt, outgoing) === undefined,
      send: (token) =>
        Effect.tryPromise({
          try: () => {
            exchange.isReplayed = true
            return upstream.send(outgoing, token, true)
          },
          catch: (error) => error as AuthError
        }),
      discard: (attempt) => Effect.sync(() => Upstream.discard(attempt))
    })

  return async (exchange, admitted, isLast) => {
    const { caller, gone, response } = exchange
    const outgoing = outgoingOf(exchange, admitted)
    const token: Redacted.Redacted<string> = snapshot?.fresh() ?? (await run(cache.get, gone))
    if (gone.isGone) return
    if (/^100-continue$/i.test(caller.headers.expect ?? "")) response.writeContinue()
    const first = await upstream.send(outgoing, token, false)
    const attempt = first.isRejected ? await run(replay(exchange, outgoing, first), gone) : first
    if (gone.isGone) return
    const why = attempt.isRejected ? (whyNotReplayed(attempt, outgoing) ?? REJECTED_AGAIN) : undefined
    pass(exchange, attempt, why, isLast(exchange))
  }
}

/** Runs an effect, and ends the wait if the caller goes. A renewal goes on for the other callers. */
const runner = (runtime: Runtime.Runtime<never>) => {
  const fork = Runtime.runFork(runtime)
  return <A>(effect: Effect.Effect<A, AuthError>, gone: Gone): Promise<A> =>
    new Promise((resolve, reject) => {
      const fiber = fork(effect)
      gone.onGone(() => fiber.unsafeInterruptAsFork(FiberId.none))
      fiber.addObserver((exit) => {
        if (Exit.isSuccess(exit)) resolve(exit.value)
        else reject(Cause.squash(exit.cause))
      })
    })
}

/** Why a rejected request must not be sent again; undefined if it may. */
const whyNotReplayed = (
  { response }: Upstream.Attempt,
  { method, upload }: Pick<Upstream.UpstreamRequest, "method" | "upload">
): string | undefined => {
  if (!upload.isReplayable) return "the body is larger than 1 MiB and was not held: send the request again"
  return Recovery.mayReplay(method, response.statusCode ?? 0)
    ? undefined
    : "after a 5xx only GET and HEAD are sent again, because the request may have been processed"
}

const REJECTED_AGAIN = "Nomba also rejected a renewed token: check the account id and whether it may call this path"

/** Passes Nomba's response on to the caller. `why`: why the request was not sent again. */
const pass = (exchange: Exchange, attempt: Upstream.Attempt, why: string | undefined, isLast: boolean): void => {
  const { caller, response, upload } = exchange
  const { body, mask, request, response: answer, start } = attempt
  const headers = Headers.downstreamHeaders(answer, mask)
  const stated = body === answer ? answer.headers["content-length"] : undefined
  if (stated !== undefined) headers.push("content-length", stated)
  if (why !== undefined) headers.push("x-nomba-auth", "NotReplayed", "x-nomba-auth-detail", why)
  if (!upload.isComplete || isLast) response.shouldKeepAlive = false
  upload.release()
  response.writeHead(answer.statusCode ?? 502, headers)
  if (Upstream.hasNoBody(answer, caller.method ?? "")) {
    answer.resume()
    response.end()
  } else if (body === answer && answer.complete && start.length === 0 && request.writableFinished) {
    const whole = answer.read() as Buffer | null
    response.end(whole === null ? undefined : mask.bytes(whole))
  } else {
    passBody(attempt, new MaskedBody(mask, stated === undefined ? Number.POSITIVE_INFINITY : Number(stated)), exchange)
  }
}

/** Passes a body on while it arrives, no faster than the caller takes it. */
const passBody = ({ body, request, start }: Upstream.Attempt, masked: MaskedBody, exchange: Exchange): void => {
  const { response, upload } = exchange
  const write = (chunk: Buffer): void => {
    const shown = masked.push(chunk)
    if (shown.length === 0 || response.write(shown)) return
    body.pause()
    response.once("drain", () => body.resume())
  }
  const end = (): void => {
    // Nomba has answered before it read everything: nothing more is sent there.
    if (!request.writableFinished) {
      upload.stop()
      request.destroy()
    }
    response.end(masked.end())
  }
  for (const chunk of start) write(chunk)
  if (body.readableEnded) return void end()
  if (body.destroyed) return void cutOff(exchange)
  body.on("data", write).on("end", end)
  body.on("close", () => {
    if (!body.readableEnded) cutOff(exchange)
  })
  body.resume()
}

/** A response that breaks off must not look like a whole one. */
const cutOff = (exchange: Exchange): void => {
  const { caller, gone, response } = exchange
  if (!gone.isGone) exchange.statusIfCut = 502
  // In HTTP/1.0 the end of the connection may be the end of the body. A Unix socket cannot be reset.
  if (caller.httpVersion === "1.0" && caller.socket.remoteAddress !== undefined) caller.socket.resetAndDestroy()
  else response.destroy()
}
