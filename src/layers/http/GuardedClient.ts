/**
 * An `HttpClient` that is safe to send credentials with, whatever its underlying client does by default.
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import type * as FiberId from "effect/FiberId"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Tracer from "effect/Tracer"
import { UnexpectedResponse } from "../../schemas/AuthError.js"
import { ERROR_TYPE, RequestFacts } from "../telemetry.js"
import { systemCode } from "./NetworkFailure.js"

/**
 * Around each request of the given client:
 *
 * - `fetch` does not follow redirects and adds no credentials of its own. The rest of the user's `RequestInit` stays.
 * - A redirect is a `ResponseError`, so that `HttpClient.followRedirects` on top does not follow it either.
 * - An underlying client that follows redirects by itself is stopped before it sends, and a response from another URL is
 *   refused.
 * - No trace header is sent, and the span contains no header, because servers echo what they receive.
 * - The request prints without its headers and body.
 *
 * The platform's clients, and every client made with `HttpClient.make`, ask `currentTracerDisabledWhen` before they send.
 * That is the only hook from which a send can be seen and stopped from outside, so the guard sits there. It does not see
 * a client with `HttpClient.withTracerDisabledWhen` already applied, or one that is not made by the platform: of those
 * only the response can be refused, after the credentials were sent. They must not follow redirects.
 */
export const make = (
  client: HttpClient.HttpClient,
  accessOf: (fiber: Fiber.RuntimeFiber<unknown, unknown>) => FiberRefsAccess = directAccess
): Effect.Effect<HttpClient.HttpClient> =>
  Effect.map(requestInitOf(client), (initOfLayer) => {
    const untraced = makeUntraced(initOfLayer)
    return HttpClient.transform(client, (execute, request) =>
      Effect.uninterruptibleMask((restore) =>
        Effect.withFiberRuntime((fiber) => {
          hide(request)
          const access = accessOf(fiber)
          const refs = access.get()
          const before: References = {
            context: fiber.getFiberRef(FiberRef.currentContext),
            isTraced: fiber.getFiberRef(FiberRef.currentTracerEnabled),
            isUntraced: fiber.getFiberRef(HttpClient.currentTracerDisabledWhen)
          }
          const send = (guarded: FiberRefs.FiberRefs, onExit: (exit: ResponseExit) => void) => {
            const leave = (
              exit: ResponseExit
            ): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> => {
              onExit(exit)
              const after = access.get()
              // Other references that the underlying client has set stay.
              const restored = after === guarded ? refs : set(after, fiber.id(), before)
              return access.set(restored, refuseRedirect(exit, request))
            }
            return access.set(
              guarded,
              Effect.matchCauseEffect(restore(execute), {
                onFailure: (cause) => leave(Exit.failCause(cause)),
                onSuccess: (response) => leave(Exit.succeed(response))
              })
            )
          }
          if (!before.isTraced || before.isUntraced(request)) {
            const { guarded, release } = untraced(refs, fiber.id(), before.context, request)
            return send(guarded, release)
          }
          return Effect.flatMap(startSpan(request), (span) => {
            const context = hardenRequestInit(before.context, initOfLayer)
            const guarded = set(refs, fiber.id(), {
              context: Context.add(context, Tracer.ParentSpan, span),
              isTraced: true,
              isUntraced: onlyAsAsked({ url: request.url, once: onceOf(before.context) })
            })
            return send(guarded, (exit) => endSpan(span, exit, Context.get(fiber.currentDefaultServices, Clock.Clock)))
          })
        })
      )
    )
  })

/**
 * The platform's requests print their headers and JSON bodies, and the fiber of a request in flight holds the request, so
 * `inspect(fiber)` would print the bearer. Hidden ones print as method and URL.
 */
function toJSON(this: HttpClientRequest.HttpClientRequest): unknown {
  return { _id: "@effect/platform/HttpClientRequest", method: this.method, url: this.url }
}

const printing: PropertyDescriptorMap = {
  toJSON: { value: toJSON },
  toString: {
    value(this: HttpClientRequest.HttpClientRequest) {
      return `${this.method} ${this.url}`
    }
  },
  [NodeInspectSymbol]: { value: toJSON }
}

const Proto: object = Object.create(Object.getPrototypeOf(HttpClientRequest.get("")), printing)

/** The request with other parts, hidden. A copy that the platform makes of it is not. */
export const hidden = (
  request: HttpClientRequest.HttpClientRequest,
  parts: Partial<Pick<HttpClientRequest.HttpClientRequest, "method" | "url" | "headers">> = {}
): HttpClientRequest.HttpClientRequest => {
  const self = Object.create(Proto)
  self.method = parts.method ?? request.method
  self.url = parts.url ?? request.url
  self.urlParams = request.urlParams
  self.hash = request.hash
  self.headers = parts.headers ?? request.headers
  self.body = request.body
  return self
}

/** Hides a copy in place. */
export const hide = (request: HttpClientRequest.HttpClientRequest): void => {
  if (Object.getPrototypeOf(request) !== Proto) Object.defineProperties(request, printing)
}

/** Reads a fiber's references, and goes on with others. */
export interface FiberRefsAccess {
  readonly get: () => FiberRefs.FiberRefs
  readonly set: <A, E>(refs: FiberRefs.FiberRefs, next: Effect.Effect<A, E>) => Effect.Effect<A, E>
}

/** What Effect offers. It copies all references twice for each change. */
export const publicAccess = (fiber: Fiber.RuntimeFiber<unknown, unknown>): FiberRefsAccess => ({
  get: () => fiber.getFiberRefs(),
  set: (refs, next) =>
    Effect.zipRight(
      Effect.updateFiberRefs(() => refs),
      next
    )
})

/** The same without a copy, which would cost more than all else here. It needs what is not in the fiber's interface. */
const directAccess = (fiber: Fiber.RuntimeFiber<unknown, unknown>): FiberRefsAccess => {
  if (!hasInternals(fiber)) return publicAccess(fiber)
  return {
    get: () => fiber._fiberRefs,
    set: (refs, next) => {
      fiber.setFiberRefs(refs)
      return next
    }
  }
}

interface FiberInternals {
  readonly _fiberRefs: FiberRefs.FiberRefs
  readonly setFiberRefs: (refs: FiberRefs.FiberRefs) => void
}

const hasInternals = <A, E>(fiber: Fiber.RuntimeFiber<A, E>): fiber is Fiber.RuntimeFiber<A, E> & FiberInternals =>
  "_fiberRefs" in fiber && "setFiberRefs" in fiber

type ResponseExit = Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>

interface References {
  readonly context: Context.Context<never>
  readonly isTraced: boolean
  readonly isUntraced: Predicate.Predicate<HttpClientRequest.HttpClientRequest>
}

/** Sets three references in one step: three nested `Effect.locally` would cost more than everything else here. */
const set = (
  refs: FiberRefs.FiberRefs,
  fiberId: FiberId.Single,
  { context, isTraced, isUntraced }: References
): FiberRefs.FiberRefs =>
  FiberRefs.updateManyAs(refs, {
    entries: [
      [FiberRef.currentContext, [[fiberId, context]]],
      [FiberRef.currentTracerEnabled, [[fiberId, isTraced]]],
      [HttpClient.currentTracerDisabledWhen, [[fiberId, isUntraced]]]
    ]
  })

/**
 * The references of a request without a span. A fiber that sends one request after another has the same references before
 * each, and making the others costs more than all else here, so those of the last request are used again.
 */
const makeUntraced = (initOfLayer: RequestInit) => {
  let last:
    | {
        readonly before: FiberRefs.FiberRefs
        readonly guarded: FiberRefs.FiberRefs
        readonly expected: Expected
        isInUse: boolean
      }
    | undefined
  return (
    before: FiberRefs.FiberRefs,
    fiberId: FiberId.Single,
    context: Context.Context<never>,
    request: HttpClientRequest.HttpClientRequest
  ): { readonly guarded: FiberRefs.FiberRefs; readonly release: () => void } => {
    if (last?.before !== before || last.isInUse) {
      const expected: Expected = { url: request.url, once: undefined }
      const guarded = set(before, fiberId, {
        context: hardenRequestInit(context, initOfLayer),
        isTraced: true,
        isUntraced: onlyAsAsked(expected)
      })
      last = { before, guarded, expected, isInUse: false }
    }
    const own = last
    own.isInUse = true
    own.expected.url = request.url
    own.expected.once = onceOf(context)
    return {
      guarded: own.guarded,
      release: () => {
        own.isInUse = false
      }
    }
  }
}

/** The request that may be sent. */
interface Expected {
  url: string
  once: { isSent: boolean } | undefined
}

/** Throws if the underlying client is about to send something else: a defect, which the underlying client does not retry. */
const onlyAsAsked =
  (expected: Expected): Predicate.Predicate<HttpClientRequest.HttpClientRequest> =>
  (sent) => {
    const { once, url } = expected
    refuseRedirectedSend(sent, url)
    if (once?.isSent) throw new Repeated()
    if (once !== undefined) once.isSent = true
    return true
  }

const onceOf = (context: Context.Context<never>): Expected["once"] =>
  Option.getOrUndefined(Context.getOption(context, Once))

const refuseRedirectedSend = (sent: HttpClientRequest.HttpClientRequest, url: string): void => {
  if (sent.url !== url) throw new RedirectedSend()
}

/** The underlying client is about to send the request to where it was redirected. */
class RedirectedSend extends Error {}

/** The underlying client is about to send a single-use request again. */
class Repeated extends Error {
  readonly code = "REQUEST_REPEATED"
}

/** Whether a single-use request was sent. */
class Once extends Context.Tag("nomba-auth/GuardedClient/Once")<Once, { isSent: boolean }>() {}

/**
 * Each execution sends one request: if the underlying client repeats it (`HttpClient.retryTransient`), the repetition is a
 * defect.
 */
export const singleSend = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transformResponse(
    client,
    Effect.mapInputContext((context: Context.Context<never>) => Context.add(context, Once, { isSent: false }))
  )

const refuseRedirect = (
  exit: Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>,
  request: HttpClientRequest.HttpClientRequest
): Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> => {
  if (Exit.isSuccess(exit) && exit.value.request.url === request.url) {
    return isRedirect(exit.value.status) ? Exit.fail(redirect(request, exit.value)) : exit
  }
  return Exit.isSuccess(exit) || isFromAnotherUrl(exit.cause, request)
    ? Exit.fail(redirect(request, HttpClientResponse.fromWeb(request, Response.error())))
    : exit
}

/** The underlying client may have turned the response into a failure, or was stopped. */
const isFromAnotherUrl = (
  cause: Cause.Cause<HttpClientError.HttpClientError>,
  request: HttpClientRequest.HttpClientRequest
): boolean => {
  const error = Cause.squash(cause)
  return (
    error instanceof RedirectedSend ||
    (error instanceof HttpClientError.ResponseError && error.response.request.url !== request.url)
  )
}

/** A response from another URL is not shown: in its place is what a browser shows of a redirect. */
const redirect = (
  request: HttpClientRequest.HttpClientRequest,
  response: HttpClientResponse.HttpClientResponse
): HttpClientError.ResponseError =>
  new HttpClientError.ResponseError({
    request,
    response,
    reason: "StatusCode",
    description: "a redirect is not followed with credentials"
  })

/** Browsers show a redirect that was not followed as 0. A 304 is not a redirect. */
export const isRedirect = (status: number): boolean => status === 0 || (status >= 300 && status < 400 && status !== 304)

/** A browser does not tell the status of a redirect. */
export const redirected = (status: number): UnexpectedResponse =>
  new UnexpectedResponse({ operation: "request", reason: "Redirect", ...(status === 0 ? {} : { status }) })

/** Applies the user's `transformClient`. If it returns another client, that one does not follow redirects either. */
export const applyTransform = (
  guarded: HttpClient.HttpClient,
  transform: (client: HttpClient.HttpClient) => HttpClient.HttpClient
): Effect.Effect<HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const client = transform(guarded)
    if (client === guarded) return Effect.succeed(guarded)
    return isClient(client)
      ? Effect.succeed(withoutRedirects(client))
      : Effect.dieMessage("transformClient did not return an HttpClient")
  })

const isClient = (client: unknown): boolean => Predicate.hasProperty(client, HttpClient.TypeId)

const withoutRedirects = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(client, (execute, request) =>
    Effect.withFiberRuntime((fiber) => {
      const context = fiber.getFiberRef(FiberRef.currentContext)
      const isUntraced = fiber.getFiberRef(HttpClient.currentTracerDisabledWhen)
      return execute.pipe(
        Effect.provide(hardenRequestInit(context, {})),
        Effect.locally(HttpClient.currentTracerDisabledWhen, (sent) => {
          refuseRedirectedSend(sent, request.url)
          return isUntraced(sent)
        }),
        Effect.exit,
        Effect.flatMap((exit) => refuseRedirect(exit, request))
      )
    })
  )

const hardenRequestInit = (
  context: Context.Context<never>,
  ofLayer: RequestInit
): Context.Context<FetchHttpClient.RequestInit> =>
  Context.add(context, FetchHttpClient.RequestInit, {
    ...ofLayer,
    ...initOf(context),
    redirect: "manual",
    credentials: "omit"
  })

const initOf = (context: Context.Context<never>): RequestInit | undefined =>
  Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit))

/**
 * The `RequestInit` that a `FetchHttpClient` layer was built with. It can be seen only from inside the client, and the one
 * that a request brings replaces it. So it is read once, by a request that is interrupted before it is sent.
 */
const requestInitOf = (client: HttpClient.HttpClient): Effect.Effect<RequestInit> =>
  Effect.suspend(() => {
    let seen: RequestInit = {}
    const probe = HttpClient.mapRequestInputEffect(client, () =>
      Effect.flatMap(Effect.context<never>(), (context) => {
        seen = initOf(context) ?? seen
        return Effect.interrupt
      })
    )
    return Effect.map(Effect.exit(probe.get("")), () => seen)
  })

const platformsName = Context.get(Context.empty(), HttpClient.SpanNameGenerator)

/**
 * A span by OpenTelemetry's conventions for HTTP clients, without headers and query. The user's
 * `HttpClient.SpanNameGenerator` names it.
 */
const startSpan = (request: HttpClientRequest.HttpClientRequest): Effect.Effect<Tracer.Span> =>
  Effect.withFiberRuntime((fiber) => {
    const context = fiber.getFiberRef(FiberRef.currentContext)
    const { resendCount, template } = Context.get(context, RequestFacts)
    const nameOf = Context.get(context, HttpClient.SpanNameGenerator)
    const byConvention = template === undefined ? request.method : `${request.method} ${template}`
    const name = nameOf === platformsName ? byConvention : nameOf(request)
    return Effect.map(Effect.makeSpan(name, { kind: "client", captureStackTrace: false }), (span) => {
      const [, origin = "", path = ""] = originAndPath.exec(request.url) ?? []
      const { host, port } = serverOf(origin)
      span.attribute("http.request.method", request.method)
      span.attribute("server.address", host)
      span.attribute("server.port", port)
      span.attribute("url.full", `${origin}${path}`)
      if (template !== undefined) span.attribute("url.template", template)
      if (resendCount !== undefined) span.attribute("http.request.resend_count", resendCount)
      return span
    })
  })

interface Server {
  readonly host: string
  readonly port: number
}

/** One client has one server, so the last one is kept. */
let lastServer: readonly [origin: string, server: Server] | undefined

const serverOf = (origin: string): Server => {
  if (lastServer?.[0] !== origin) lastServer = [origin, parseOrigin(origin)]
  return lastServer[1]
}

const parseOrigin = (origin: string): Server => {
  if (!URL.canParse(origin)) return { host: "", port: 0 }
  const { hostname, port, protocol } = new URL(origin)
  // OpenTelemetry writes an IPv6 address without the brackets that a URL needs.
  return {
    host: hostname.replace(/^\[(.*)\]$/, "$1"),
    port: port === "" ? (protocol === "https:" ? 443 : 80) : Number(port)
  }
}

const originAndPath = /^([a-z]+:\/\/[^/?#]*)([^?#]*)/

/** Ends the span with the status, or with the kind of failure and its system code. An error status is a failure. */
const endSpan = (
  span: Tracer.Span,
  exit: Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>,
  clock: Clock.Clock
): void => {
  const error = Exit.isSuccess(exit) ? undefined : Option.getOrUndefined(Cause.failureOption(exit.cause))
  const response = Exit.isSuccess(exit) ? exit.value : error?._tag === "ResponseError" ? error.response : undefined
  const status = response?.status ?? 0
  if (status > 0) span.attribute("http.response.status_code", status)
  const isInterrupted = Exit.isFailure(exit) && Cause.isInterruptedOnly(exit.cause)
  const type =
    status >= 400
      ? String(status)
      : error !== undefined
        ? Option.getOrElse(systemCode(error), () => error.reason)
        : Exit.isFailure(exit) && !isInterrupted
          ? "defect"
          : undefined
  if (type !== undefined) span.attribute(ERROR_TYPE, type)
  // The cause of a failure and a defect may quote the request.
  const outcome =
    isInterrupted || type === undefined
      ? Exit.asVoid(exit)
      : Exit.fail(error !== undefined ? kindOfFailure(error) : status >= 400 ? `HTTP ${status}` : type)
  span.end(clock.unsafeCurrentTimeNanos(), outcome)
}

const kindOfFailure = (error: HttpClientError.HttpClientError): string =>
  [error._tag, error.reason, ...Option.toArray(systemCode(error))].join(" ")
