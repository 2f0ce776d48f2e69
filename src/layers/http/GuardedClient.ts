/**
 * An `HttpClient` that is fit to carry a credential, whatever the one beneath it does by default.
 *
 * @since 0.1.0
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import type * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberRef from "effect/FiberRef"
import * as FiberRefs from "effect/FiberRefs"
import { constTrue } from "effect/Function"
import * as Option from "effect/Option"
import type * as Predicate from "effect/Predicate"
import * as Tracer from "effect/Tracer"
import * as ClientSpan from "./ClientSpan.js"

/**
 * Around each request of the given client:
 *
 * - `fetch` follows no redirect and adds no credentials of its own; the rest of the user's `RequestInit` stays.
 * - A redirect is a `ResponseError`, so that nothing built on top (`HttpClient.followRedirects`) follows it either.
 * - No trace header goes out, and the span holds no header: servers echo what they were sent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (client: HttpClient.HttpClient): Effect.Effect<HttpClient.HttpClient> =>
  Effect.map(initOfLayer(client), (initOfLayer) =>
    HttpClient.transform(client, (execute, request) =>
      Effect.withFiberRuntime((fiber) => {
        const context = fiber.getFiberRef(FiberRef.currentContext)
        const isUntraced = fiber.getFiberRef(HttpClient.currentTracerDisabledWhen)
        const guarded = withSafeInit(context, initOfLayer)
        if (!fiber.getFiberRef(FiberRef.currentTracerEnabled) || isUntraced(request)) {
          return between(FiberRef.set(FiberRef.currentContext, guarded), execute, (exit) =>
            Effect.zipRight(FiberRef.set(FiberRef.currentContext, context), refuseRedirect(exit, request))
          )
        }
        return Effect.flatMap(ClientSpan.make(request), (span) =>
          between(set(Context.add(guarded, Tracer.ParentSpan, span), constTrue), execute, (exit) => {
            ClientSpan.end(span, exit, Context.get(fiber.currentDefaultServices, Clock.Clock))
            return Effect.zipRight(set(context, isUntraced), refuseRedirect(exit, request))
          })
        )
      })
    )
  )

/** Two references in one step: nested, each `Effect.locally` would take longer than all the rest. */
const set = (
  context: Context.Context<never>,
  isUntraced: Predicate.Predicate<HttpClientRequest.HttpClientRequest>
): Effect.Effect<void> =>
  Effect.updateFiberRefs((fiberId, fiberRefs) =>
    FiberRefs.updateManyAs(fiberRefs, {
      entries: [
        [FiberRef.currentContext, [[fiberId, context]]],
        [HttpClient.currentTracerDisabledWhen, [[fiberId, isUntraced]]]
      ]
    })
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
): Exit.Exit<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> =>
  Exit.isSuccess(exit) && isRedirect(exit.value.status)
    ? Exit.fail(
        new HttpClientError.ResponseError({
          request,
          response: exit.value,
          reason: "StatusCode",
          description: "a redirect is not followed with credentials"
        })
      )
    : exit

/**
 * Whether an answer sends the client elsewhere: 0 is what a browser shows of a redirect that it did not follow; 304 is
 * an answer like any other.
 *
 * @since 0.1.0
 */
export const isRedirect = (status: number): boolean => status === 0 || (status >= 300 && status < 400 && status !== 304)

/**
 * The first point again, for a client that a user's transformation may have put in the place of the guarded one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const withoutRedirects = (client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.transformResponse(
    client,
    Effect.mapInputContext((context: Context.Context<never>) => withSafeInit(context, {}))
  )

const withSafeInit = (
  context: Context.Context<never>,
  initOfLayer: RequestInit
): Context.Context<FetchHttpClient.RequestInit> =>
  Context.add(context, FetchHttpClient.RequestInit, {
    ...initOfLayer,
    ...initOf(context),
    redirect: "manual",
    credentials: "omit"
  })

const initOf = (context: Context.Context<never>): RequestInit | undefined =>
  Option.getOrUndefined(Context.getOption(context, FetchHttpClient.RequestInit))

/**
 * The `RequestInit` that a `FetchHttpClient` layer was built with. The one that a request brings replaces it, and it can
 * be seen from inside the client only: so it is read once, by a request that is interrupted before it is sent.
 */
const initOfLayer = (client: HttpClient.HttpClient): Effect.Effect<RequestInit> =>
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
