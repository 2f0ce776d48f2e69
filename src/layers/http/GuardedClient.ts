/**
 * An `HttpClient` that is fit to carry a credential, whatever the one beneath it does by default.
 *
 * @since 0.1.0
 */
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Tracer from "effect/Tracer"
import * as ClientSpan from "./ClientSpan.js"
import * as SafeInit from "./SafeInit.js"

/**
 * Around each request of the given client:
 *
 * - `fetch` follows no redirect and adds no credentials of its own; the rest of the user's `RequestInit` stays.
 * - A redirect is a `ResponseError`, so that nothing built on top (`HttpClient.followRedirects`) follows it either.
 * - A client beneath that follows redirects itself sends nothing to where it is led, and what comes from there is no
 *   answer.
 * - No trace header goes out, and the span holds no header: servers echo what they were sent.
 *
 * What is sent can be seen of the platform's clients, and of all that `HttpClient.make` makes, unless
 * `HttpClient.withTracerDisabledWhen` is applied beneath. Of other clients the answer alone is refused, when the credentials
 * are gone already: they must not follow redirects.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (client: HttpClient.HttpClient): Effect.Effect<HttpClient.HttpClient> =>
  Effect.map(SafeInit.ofLayer(client), (initOfLayer) =>
    HttpClient.transform(client, (execute, request) =>
      Effect.withFiberRuntime((fiber) => {
        const before: References = {
          context: fiber.getFiberRef(FiberRef.currentContext),
          isTraced: fiber.getFiberRef(FiberRef.currentTracerEnabled),
          isUntraced: fiber.getFiberRef(HttpClient.currentTracerDisabledWhen)
        }
        const guarded: References = {
          context: SafeInit.add(before.context, initOfLayer),
          isTraced: true,
          isUntraced: onlyAsAsked(request, before.context)
        }
        if (!before.isTraced || before.isUntraced(request)) {
          return between(set(guarded), execute, (exit) => Effect.zipRight(set(before), refuseRedirect(exit, request)))
        }
        return Effect.flatMap(ClientSpan.make(request), (span) =>
          between(
            set({ ...guarded, context: Context.add(guarded.context, Tracer.ParentSpan, span) }),
            execute,
            (exit) => {
              ClientSpan.end(span, exit, Context.get(fiber.currentDefaultServices, Clock.Clock))
              return Effect.zipRight(set(before), refuseRedirect(exit, request))
            }
          )
        )
      })
    )
  )

interface References {
  readonly context: Context.Context<never>
  readonly isTraced: boolean
  readonly isUntraced: Predicate.Predicate<HttpClientRequest.HttpClientRequest>
}

/** Three references in one step: nested, each `Effect.locally` would take longer than all the rest. */
const set = ({ context, isTraced, isUntraced }: References): Effect.Effect<void> =>
  Effect.updateFiberRefs((fiberId, fiberRefs) =>
    FiberRefs.updateManyAs(fiberRefs, {
      entries: [
        [FiberRef.currentContext, [[fiberId, context]]],
        [FiberRef.currentTracerEnabled, [[fiberId, isTraced]]],
        [HttpClient.currentTracerDisabledWhen, [[fiberId, isUntraced]]]
      ]
    })
  )

/**
 * Asked by each client of the platform whether to trace what it is about to send, and so the place to stop it: what is
 * thrown here is a defect, which nothing beneath retries.
 */
const onlyAsAsked = (
  request: HttpClientRequest.HttpClientRequest,
  context: Context.Context<never>
): Predicate.Predicate<HttpClientRequest.HttpClientRequest> => {
  const once = Option.getOrUndefined(Context.getOption(context, Once))
  return (sent) => {
    refuseElsewhere(sent, request)
    if (once?.isSent) throw new Repeated()
    if (once !== undefined) once.isSent = true
    return true
  }
}

const refuseElsewhere = (
  sent: HttpClientRequest.HttpClientRequest,
  request: HttpClientRequest.HttpClientRequest
): void => {
  if (sent.url !== request.url) throw new Elsewhere()
}

/** Something beneath wants to send a request to where it was redirected. */
class Elsewhere extends Error {}

/** Something beneath wants to send a request that is good for one time again. */
class Repeated extends Error {
  readonly code = "REQUEST_REPEATED"
}

/** Whether a request that is good for one time was sent. */
class Once extends Context.Tag("nomba-auth/GuardedClient/Once")<Once, { isSent: boolean }>() {}

/**
 * Each execution sends one request: where something beneath or between repeats it (`HttpClient.retryTransient`), it dies.
 * Clients whose sending cannot be seen are not held to it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withoutRepeats = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transformResponse(
    client,
    Effect.mapInputContext((context: Context.Context<never>) => Context.add(context, Once, { isSent: false }))
  )

const between = <A, E>(
  enter: Effect.Effect<void>,
  use: Effect.Effect<A, E>,
  leave: (exit: Exit.Exit<A, E>) => Effect.Effect<A, E>
): Effect.Effect<A, E> =>
  Effect.uninterruptibleMask((restore) => Effect.flatMap(enter, () => Effect.flatMap(Effect.exit(restore(use)), leave)))

const refuseRedirect = (
  exit: Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError>,
  request: HttpClientRequest.HttpClientRequest
): Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> => {
  if (Exit.isSuccess(exit) && exit.value.request.url === request.url) {
    return isRedirect(exit.value.status) ? Exit.fail(redirect(request, exit.value)) : exit
  }
  return Exit.isSuccess(exit) || isFromElsewhere(exit.cause, request)
    ? Exit.fail(redirect(request, HttpClientResponse.fromWeb(request, Response.error())))
    : exit
}

/** A client beneath may have made a failure of the answer, or was stopped. */
const isFromElsewhere = (
  cause: Cause.Cause<HttpClientError.HttpClientError>,
  request: HttpClientRequest.HttpClientRequest
): boolean => {
  const error = Cause.squash(cause)
  return (
    error instanceof Elsewhere ||
    (error instanceof HttpClientError.ResponseError && error.response.request.url !== request.url)
  )
}

/** An answer from elsewhere is not shown; in its place is what a browser shows of a redirect. */
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

/**
 * Whether an answer sends the client elsewhere: 0 is what a browser shows of a redirect that it did not follow; 304 is
 * an answer like any other.
 *
 * @since 0.1.0
 */
export const isRedirect = (status: number): boolean => status === 0 || (status >= 300 && status < 400 && status !== 304)

/**
 * What the user makes of a guarded client. One that takes its place follows no redirect either.
 *
 * @since 0.1.0
 * @category combinators
 */
export const transformed = (
  guarded: HttpClient.HttpClient,
  transform: (client: HttpClient.HttpClient) => HttpClient.HttpClient
): Effect.Effect<HttpClient.HttpClient> =>
  Effect.suspend(() => {
    const client = transform(guarded)
    if (client === guarded) return Effect.succeed(guarded)
    return isClient(client)
      ? Effect.succeed(withoutRedirects(client))
      : Effect.dieMessage("transformClient gave something that is not an HttpClient")
  })

const isClient = (client: unknown): boolean => Predicate.hasProperty(client, HttpClient.TypeId)

const withoutRedirects = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transform(client, (execute, request) =>
    Effect.withFiberRuntime((fiber) => {
      const context = fiber.getFiberRef(FiberRef.currentContext)
      const isUntraced = fiber.getFiberRef(HttpClient.currentTracerDisabledWhen)
      return execute.pipe(
        Effect.provide(SafeInit.add(context, {})),
        Effect.locally(HttpClient.currentTracerDisabledWhen, (sent) => {
          refuseElsewhere(sent, request)
          return isUntraced(sent)
        }),
        Effect.exit,
        Effect.flatMap((exit) => refuseRedirect(exit, request))
      )
    })
  )
