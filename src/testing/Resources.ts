/**
 * The resources of a pretended Nomba: what calls of them are answered with, and which calls there were.
 *
 * @since 0.1.0
 */
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import { repeated } from "./repeated.js"

/**
 * An answer to a resource call.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestAnswer {
  /** From 200 to 599; 200 by default. */
  readonly status?: number | undefined
  /** Sent as JSON; Nomba's envelope of a success by default. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * What becomes of a resource call: an answer, or `drop`: the connection breaks, and the call fails with a `RequestError` of
 * the reason `Transport`.
 *
 * @since 0.1.0
 * @category models
 */
export type TestOutcome = TestAnswer | "drop"

/**
 * A resource call that has arrived. The bearer is masked.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestRequest {
  readonly method: string
  /** The path and the query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** The body's text; empty where there is none or it is a stream. */
  readonly body: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Resources {
  readonly requests: Effect.Effect<ReadonlyArray<TestRequest>>
  /** From now on, or with `times` for the next calls, after which it is as before. Dies of what cannot be meant. */
  readonly answer: (path: string, outcome: TestOutcome, times: Option.Option<number>) => Effect.Effect<void>
  readonly receive: (
    request: HttpClientRequest.HttpClientRequest,
    url: URL
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.RequestError>
}

/** What one path has in store: for the next calls, and for those after them. */
interface Prepared {
  readonly next: ReadonlyArray<TestOutcome>
  readonly always: TestOutcome | undefined
}

const unprepared: Prepared = { next: [], always: undefined }

const envelope = (code: string, description: string) => ({ code, description, data: {} })

const success: TestAnswer = {}
const unauthorized: TestAnswer = { status: 401, body: envelope("401", "Unauthorized") }

/** The Fetch standard lets these have no body. */
const bodiless = new Set([204, 205, 304])

const toResponse = ({ body = envelope("00", "Success"), headers = {}, status = 200 }: TestAnswer): Response =>
  bodiless.has(status) ? new Response(null, { status, headers }) : Response.json(body, { status, headers })

/** Made once before it is needed, so that whoever wrote it is told, and not the client that calls. */
const check = (path: string, outcome: TestOutcome): Effect.Effect<void> => {
  if (outcome === "drop") return Effect.void
  const { status = 200 } = outcome
  return Number.isInteger(status) && status >= 200 && status <= 599
    ? Effect.try(() => toResponse(outcome)).pipe(
        Effect.catchAll(({ error }) => Effect.dieMessage(`The answer of ${path} cannot be made: ${error}`))
      )
    : Effect.dieMessage(`The answer of ${path}: status is a whole number from 200 to 599, not ${status}`)
}

const bodyText = ({ body }: HttpClientRequest.HttpClientRequest): string =>
  body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""

/**
 * `isAlive` says whether a call with this bearer is let in. Dies of an answer that cannot be made.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  answers: Readonly<Record<string, TestOutcome>>,
  isAlive: (bearer: string) => Effect.Effect<boolean>
): Effect.Effect<Resources> =>
  Effect.gen(function* () {
    yield* Effect.forEach(Object.entries(answers), ([path, outcome]) => check(path, outcome), { discard: true })
    const requests = yield* Ref.make<ReadonlyArray<TestRequest>>([])
    const prepared = yield* Ref.make<ReadonlyMap<string, Prepared>>(
      new Map(Object.entries(answers).map(([path, always]) => [path, { next: [], always }]))
    )

    /** What is prepared for the path with its query, else for the path; used up if it was for the next call alone. */
    const take = ({ pathname, search }: URL): Effect.Effect<TestOutcome> =>
      Ref.modify(prepared, (before) => {
        for (const path of [`${pathname}${search}`, pathname]) {
          const { always, next } = before.get(path) ?? unprepared
          const [first, ...rest] = next
          if (first !== undefined) return [first, new Map(before).set(path, { next: rest, always })] as const
          if (always !== undefined) return [always, before] as const
        }
        return [success, before] as const
      })

    return {
      requests: Ref.get(requests),

      answer: (path, outcome, times) =>
        Effect.gen(function* () {
          yield* check(path, outcome)
          const ordered = yield* Effect.transposeMapOption(times, (_) => repeated(outcome, _))
          yield* Ref.update(prepared, (before) => {
            const { always, next } = before.get(path) ?? unprepared
            return new Map(before).set(
              path,
              Option.match(ordered, {
                onNone: () => ({ next: [], always: outcome }),
                onSome: (more) => ({ next: [...next, ...more], always })
              })
            )
          })
        }),

      receive: (request, url) =>
        Effect.gen(function* () {
          const bearer = /^Bearer (.+)$/.exec(request.headers["authorization"] ?? "")?.[1] ?? ""
          yield* Ref.update(requests, (before) => [
            ...before,
            {
              method: request.method,
              url: `${url.pathname}${url.search}`,
              headers: { ...request.headers, authorization: "Bearer ***" },
              body: bodyText(request)
            }
          ])
          const outcome = (yield* isAlive(bearer)) ? yield* take(url) : unauthorized
          return outcome === "drop"
            ? yield* new HttpClientError.RequestError({ request, reason: "Transport" })
            : HttpClientResponse.fromWeb(request, toResponse(outcome))
        })
    }
  })
