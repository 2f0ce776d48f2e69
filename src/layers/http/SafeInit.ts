/**
 * The `RequestInit` that `fetch` is called with.
 *
 * @since 0.1.0
 */
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import * as HttpClient from "@effect/platform/HttpClient"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

/**
 * The user's `RequestInit`, but for redirects, which are not followed, and credentials, which are not added.
 *
 * @since 0.1.0
 */
export const add = (
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
 * The `RequestInit` that a `FetchHttpClient` layer was built with. The one that a request brings replaces it, and it can
 * be seen from inside the client only: so it is read once, by a request that is interrupted before it is sent.
 *
 * @since 0.1.0
 */
export const ofLayer = (client: HttpClient.HttpClient): Effect.Effect<RequestInit> =>
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
