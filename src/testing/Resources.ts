/** The resources of the mocked Nomba: prepared outcomes, built-in responses, and the calls so far. */
import * as HttpClientError from "@effect/platform/HttpClientError"
import type * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Ledger from "../sandbox/resources/Ledger.js"
import * as resourceRoutes from "../sandbox/resources/routes.js"
import { repeated } from "./repeated.js"

/**
 * The response to a resource call.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestAnswer {
  /** From 200 to 599. Default: 200. */
  readonly status?: number | undefined
  /** Sent as JSON. Default: Nomba's envelope of a success. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * The outcome of a resource call: a response, or `connectionReset`, which fails the call with `RequestError`, reason
 * `Transport`.
 *
 * @since 0.1.0
 * @category models
 */
export type TestOutcome = TestAnswer | "connectionReset"

/**
 * A resource call that arrived. The bearer token is masked.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestRequest {
  readonly method: string
  /** The path and the query. */
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** The text of the body; empty if there is none or it is a stream. */
  readonly body: string
}

export interface Resources {
  readonly requests: Effect.Effect<ReadonlyArray<TestRequest>>
  /** From now on, or with `times` for the next calls only. An invalid value is a defect. */
  readonly answer: (path: string, outcome: TestOutcome, times: Option.Option<number>) => Effect.Effect<void>
  readonly receive: (
    request: HttpClientRequest.HttpClientRequest,
    url: URL
  ) => Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.RequestError>
}

/** The outcomes for one path: of the next calls, and of those after them. */
interface Prepared {
  readonly next: ReadonlyArray<TestOutcome>
  readonly always: TestOutcome | undefined
}

const unprepared: Prepared = { next: [], always: undefined }

const envelope = (code: string, description: string) => ({ code, description, data: {} })

const unauthorized: TestAnswer = { status: 401, body: envelope("401", "Unauthorized") }

const parsed = (text: string): unknown =>
  Option.getOrUndefined(Option.liftThrowable((json: string): unknown => JSON.parse(json))(text))

/**
 * What a call without a prepared outcome gets: the answer of the sandbox's built-in resource, or an empty success if it has
 * none for the path.
 */
const builtInAnswer =
  (method: string, { pathname, searchParams }: URL, body: string, accountId: string, now: number) =>
  (ledgers: Ledger.Ledgers): readonly [TestAnswer, Ledger.Ledgers] => {
    const { match } = resourceRoutes.find(builtInRoutes, method, pathname)
    if (match === undefined || !("builtIn" in match.definition)) return [{}, ledgers]
    return Ledger.answer(match.definition.builtIn, {
      clientId: "",
      accountId,
      subAccountIds: [],
      path: match.path,
      query: Object.fromEntries(searchParams),
      body: parsed(body),
      now,
      uuid: () => globalThis.crypto.randomUUID(),
      transferOutcome: "success"
    })(ledgers)
  }

const builtInRoutes = resourceRoutes.provided({ builtInResources: true, examples: [] })

/** The Fetch standard lets these have no body. */
const bodiless = new Set([204, 205, 304])

const toResponse = ({ body = envelope("00", "Success"), headers = {}, status = 200 }: TestAnswer): Response =>
  bodiless.has(status) ? new Response(null, { status, headers }) : Response.json(body, { status, headers })

/** Builds the response at once, so that the test that wrote it fails, and not the client that calls. */
const check = (path: string, outcome: TestOutcome): Effect.Effect<void> => {
  if (outcome === "connectionReset") return Effect.void
  const { status = 200 } = outcome
  return Number.isInteger(status) && status >= 200 && status <= 599
    ? Effect.try(() => toResponse(outcome)).pipe(
        Effect.catchAll(({ error }) => Effect.dieMessage(`The answer of ${path} cannot be made: ${error}`))
      )
    : Effect.dieMessage(`The answer of ${path}: status is a whole number from 200 to 599, not ${status}`)
}

const bodyText = ({ body }: HttpClientRequest.HttpClientRequest): string =>
  body._tag === "Uint8Array" ? new TextDecoder().decode(body.body) : ""

/** `isAlive` tells whether a bearer token is valid. A response that cannot be built is a defect. */
export const make = (
  answers: Readonly<Record<string, TestOutcome>>,
  isAlive: (bearer: string) => Effect.Effect<boolean>
): Effect.Effect<Resources> =>
  Effect.gen(function* () {
    yield* Effect.forEach(Object.entries(answers), ([path, outcome]) => check(path, outcome), { discard: true })
    const requests = yield* Ref.make<ReadonlyArray<TestRequest>>([])
    const ledgers = yield* Ref.make(Ledger.empty)
    const prepared = yield* Ref.make<ReadonlyMap<string, Prepared>>(
      new Map(Object.entries(answers).map(([path, always]) => [path, { next: [], always }]))
    )

    /** The outcome for the path with its query, otherwise for the path. One for the next calls is used up. */
    const take = ({ pathname, search }: URL): Effect.Effect<TestOutcome | undefined> =>
      Ref.modify(prepared, (before) => {
        for (const path of [`${pathname}${search}`, pathname]) {
          const { always, next } = before.get(path) ?? unprepared
          const [first, ...rest] = next
          if (first !== undefined) return [first, new Map(before).set(path, { next: rest, always })] as const
          if (always !== undefined) return [always, before] as const
        }
        return [undefined, before] as const
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
          const now = yield* Clock.currentTimeMillis
          const accountId = request.headers["accountid"] ?? "a-test-account"
          const answer = builtInAnswer(request.method, url, bodyText(request), accountId, now)
          const outcome = (yield* isAlive(bearer))
            ? ((yield* take(url)) ?? (yield* Ref.modify(ledgers, answer)))
            : unauthorized
          return outcome === "connectionReset"
            ? yield* new HttpClientError.RequestError({ request, reason: "Transport" })
            : HttpClientResponse.fromWeb(request, toResponse(outcome))
        })
    }
  })
