/**
 * The client for programs without Effect.
 *
 * @since 0.1.0
 */

// A program may be compiled without `lib: ["ESNext.Disposable"]` and without the types of Node.js, which have it too.
/// <reference lib="esnext.disposable" preserve="true" />
import type * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type * as Snapshot from "../layers/cache/Snapshot.js"
import * as NombaResponse from "../layers/NombaResponse.js"
import * as Engine from "./engine.js"
import { type InvalidRequest, isNombaError, UnexpectedResponse } from "./errors.js"
import { at, type Caller, captureCaller, closed, type EngineError, fromCause, fromError } from "./failure.js"
import * as http from "./http.js"
import { check, type Known, type NombaOptions, type NombaRequestOptions } from "./options.js"
import * as StandardFetch from "./StandardFetch.js"
import { isStandardSchema, pathsOf, type StandardSchema } from "./StandardSchema.js"
import { eventOf, type NombaSession, type NombaSessionEvent, viewOf } from "./session.js"

/**
 * The options of a call that may wait for a token.
 *
 * @since 0.1.0
 * @category models
 */
export interface WaitOptions {
  /** Ends this call's wait with `signal.reason`. The renewal goes on for the other callers. */
  readonly signal?: AbortSignal | undefined
}

/**
 * A client of Nomba's API. Create one for your whole program: all its calls share one session.
 *
 * @since 0.1.0
 * @category models
 */
export interface Nomba {
  /** A valid access token: from memory, or after a renewal that all callers share. Waits at most 30 seconds. */
  readonly token: (options?: WaitOptions) => Promise<string>
  /**
   * `fetch` with the base URL, the access token and the account id. After a 401 the token is renewed and the request is sent
   * once more. It returns the response of `fetch` itself, so a status is not an error, and a body that breaks off rejects as
   * it does there. A redirect, a path outside of the base URL and a failure to get a token reject.
   */
  readonly fetch: (input: string | URL | Request, init?: RequestInit) => Promise<Response>
  /**
   * Sends a request and returns the `data` of the response, checked by `schema` if you give one. Rejects with
   * `NombaRequestFailed` if Nomba says that the call failed, whatever the HTTP status.
   */
  readonly request: {
    <Output>(
      path: string | URL,
      options: NombaRequestOptions & { readonly schema: StandardSchema<unknown, Output> }
    ): Promise<Output>
    (path: string | URL, options?: NombaRequestOptions): Promise<unknown>
  }
  /** The session in memory if its token can be used now. It never renews and never waits: for health checks. */
  readonly peek: () => NombaSession | undefined
  /** The session of the token that `token` returns. */
  readonly session: (options?: WaitOptions) => Promise<NombaSession>
  /** Ends the session at Nomba and in the token store. A later call starts a new one. */
  readonly logout: () => Promise<void>
  /**
   * Calls the listener with the current state, then with every change. If it returns a promise, the next event waits for that.
   * What it throws is logged. Returns the function that ends it.
   */
  readonly subscribe: (listener: (event: NombaSessionEvent) => void) => () => void
  /** Closes the client. A renewal that has called Nomba is waited for, so that its session is not lost. */
  readonly close: () => Promise<void>
  readonly [Symbol.asyncDispose]: () => Promise<void>
}

/**
 * Creates a client. It sends nothing before its first call. Throws a `NombaConfigError` that lists every setting that is
 * missing or wrong.
 *
 * ```ts
 * import { createNomba } from "nomba-auth/promise"
 *
 * const nomba = createNomba()
 * const balance = await nomba.request("/v1/accounts/balance")
 * console.log(balance)
 * await nomba.close()
 * ```
 *
 * @since 0.1.0
 * @category constructors
 */
export const createNomba = (options: NombaOptions = {}): Nomba => {
  const settings = attempt(captureCaller(createNomba), () => check(options))
  const scope = Effect.runSync(Scope.make())

  let engine: Engine.Engine | undefined
  let starting: Promise<Exit.Exit<Engine.Engine, EngineError>> | undefined
  let closing: Promise<void> | undefined

  const start = (): Promise<Exit.Exit<Engine.Engine, EngineError>> => {
    starting ??= new Promise((resolve) => {
      Effect.runFork(Engine.make(settings, scope)).addObserver((exit) => {
        if (exit._tag === "Success" && closing === undefined) engine = exit.value
        resolve(exit)
      })
    })
    return starting
  }

  const ready = async (caller: Caller, signal: AbortSignal | undefined): Promise<Engine.Engine> => {
    if (signal?.aborted === true) throw signal.reason
    if (closing !== undefined) throw at(caller, closed())
    if (engine !== undefined) return engine
    const exit = await http.abortable(start(), signal)
    if (exit._tag === "Failure") throw fromCause(exit.cause, caller)
    return exit.value
  }

  /** Runs an effect for one caller. Its signal ends the wait at once, and interrupts the effect. */
  const run = <A>(
    { runFork, snapshot }: Engine.Engine,
    caller: Caller,
    signal: AbortSignal | undefined,
    effect: Effect.Effect<A, EngineError>
  ): Promise<A> => {
    if (signal?.aborted === true) return Promise.reject(signal.reason)
    return new Promise<A>((resolve, reject) => {
      const fiber = runFork(effect)
      const onAbort = (): void => {
        reject(signal?.reason)
        fiber.unsafeInterruptAsFork(FiberId.none)
      }
      signal?.addEventListener("abort", onAbort, { once: true })
      fiber.addObserver((exit) => {
        signal?.removeEventListener("abort", onAbort)
        if (exit._tag === "Success") resolve(exit.value)
        else reject(fromCause(exit.cause, caller))
      })
      settings.waitUntil?.(new Promise<void>((done) => runFork(snapshot.renewed).addObserver(() => done())))
    })
  }

  let lastToken: Redacted.Redacted<string> | undefined
  let lastAnswer: Promise<string> | undefined

  /** The answer from memory. One promise serves all hits of a token. */
  const cachedToken = (): Promise<string> | undefined => {
    const token = engine?.snapshot.fresh()
    if (token === undefined) return undefined
    if (token !== lastToken || lastAnswer === undefined) {
      lastToken = token
      lastAnswer = Promise.resolve(Redacted.value(token))
    }
    return lastAnswer
  }

  const token: Nomba["token"] = (options) => {
    if (options !== undefined) {
      try {
        http.checkOptions("token", options, waitOptions)
      } catch (error) {
        return Promise.reject(at(captureCaller(token), error as InvalidRequest))
      }
      if (options?.signal?.aborted === true) return Promise.reject(options.signal.reason)
    }
    const answer = cachedToken()
    if (answer !== undefined) return answer
    if (waiting < CROWD || options?.signal !== undefined) return obtain(captureCaller(token), options?.signal)
    if (crowd === undefined) {
      crowd = obtain({}, undefined)
      queueMicrotask(() => {
        crowd = undefined
      })
    }
    return crowd
  }

  let waiting = 0
  let crowd: Promise<string> | undefined

  /** Waits for the renewal in flight without a fiber. */
  const obtain = async (caller: Caller, signal: AbortSignal | undefined): Promise<string> => {
    waiting += 1
    try {
      const running = engine ?? (await ready(caller, signal))
      const isServed = running.snapshot.peek() !== undefined
      const renewal = isServed ? undefined : wakeUp(running.snapshot, signal)
      if (renewal !== undefined) {
        await renewal
        const answer = cachedToken()
        if (answer !== undefined) return answer
      }
      return await run(running, caller, signal, Effect.map(running.cache.get, Redacted.value))
    } finally {
      waiting -= 1
    }
  }

  const standard = StandardFetch.make(settings.config, settings.fetch)

  const send = async (caller: Caller, input: string | URL | Request, init: RequestInit | undefined) => {
    const prepared = await http.prepare(input, init).catch((error: unknown) => {
      throw isNombaError(error) ? at(caller, error) : error
    })
    const { signal } = prepared
    const running = await ready(caller, signal)
    const { cache, snapshot } = running
    const url = attempt(caller, () => standard.urlOf(prepared))
    const token = snapshot.fresh() ?? (await run(running, caller, signal, cache.get))
    const sending = standard.send(prepared, url, token, false)
    const first = await http.abortable(sending, signal).catch((error: EngineError) => {
      throw signal?.aborted === true ? signal.reason : at(caller, fromError(error))
    })
    if (StandardFetch.isAccepted(first)) {
      snapshot.confirm(token, first.sent)
      return first.response
    }
    return run(running, caller, signal, standard.finish(cache, prepared, url, first))
  }

  const fetch: Nomba["fetch"] = (input, init) => send(captureCaller(fetch), input, init)

  const call = async (
    caller: Caller,
    path: string | URL,
    options: NombaRequestOptions & { readonly schema?: StandardSchema }
  ): Promise<unknown> => {
    attempt(caller, () => http.checkOptions("request", options, requestOptions))
    const { schema } = options
    if (schema !== undefined && !isStandardSchema(schema)) throw at(caller, http.notSent(NOT_A_SCHEMA))
    const { request: prepared, signal } = attempt(caller, () => http.fromOptions(path, options))
    const running = await ready(caller, signal)
    const { data, status } = await run(
      running,
      caller,
      signal,
      Effect.flatMap(running.client.execute(prepared), (response) =>
        Effect.map(readData(response), ({ data }) => ({ data, status: response.status }))
      )
    )
    if (schema === undefined) return data
    const result = await http.abortable((async () => schema["~standard"].validate(data))(), signal)
    if (result.issues === undefined) return result.value
    const issues = pathsOf(result.issues, data)
    throw at(
      caller,
      new UnexpectedResponse(
        `Unexpected response (request, HTTP ${status}): data that does not fit the schema: ${issues.join("; ")}.`,
        { operation: "request", reason: "SchemaMismatch", status, issues }
      )
    )
  }

  const request = (path: string | URL, options?: NombaRequestOptions): Promise<unknown> =>
    call(captureCaller(request), path, options ?? {})

  const view = async (caller: Caller, options: WaitOptions | undefined): Promise<NombaSession> => {
    attempt(caller, () => http.checkOptions("session", options, waitOptions))
    const signal = options?.signal
    const running = await ready(caller, signal)
    return run(running, caller, signal, Effect.map(running.cache.session, viewOf))
  }

  const session: Nomba["session"] = (options) => view(captureCaller(session), options)

  const end = async (caller: Caller): Promise<void> => {
    const running = await ready(caller, undefined)
    return run(running, caller, undefined, running.cache.logout)
  }

  const logout: Nomba["logout"] = () => end(captureCaller(logout))

  const subscribe: Nomba["subscribe"] = (listener) => {
    const caller = captureCaller(subscribe)
    if (typeof listener !== "function")
      throw at(caller, http.notSent("the listener must be a function", "Not subscribed"))
    const unsubscribed = new AbortController()
    const { signal } = unsubscribed
    const hear = async (): Promise<void> => {
      const running = await ready(caller, signal)
      const hearing = Stream.runForEach(running.cache.changes, (event) =>
        signal.aborted ? Effect.void : tell(listener, eventOf(event))
      )
      return run(running, caller, signal, hearing)
    }
    // A failure to start is what every other call rejects with.
    hear().catch(() => {})
    return () => unsubscribed.abort()
  }

  const close = (): Promise<void> => {
    closing ??= Promise.resolve(starting).then(() => Effect.runPromise(Scope.close(scope, Exit.void)))
    engine = undefined
    return closing
  }

  return Object.freeze({
    token,
    fetch,
    request: request as Nomba["request"],
    peek: () => Option.getOrUndefined(Option.map(Option.fromNullable(engine?.snapshot.peek()), viewOf)),
    session,
    logout,
    subscribe,
    close,
    [Symbol.asyncDispose]: close
  })
}

/**
 * From so many waiting callers on, those of one turn of the event loop share one wait. It costs them the line of their own in
 * the stack of an error. They cannot share it longer: on Cloudflare Workers the next turn may belong to another request.
 */
const CROWD = 100

const waitOptions: Known<WaitOptions> = { signal: 0 }

const requestOptions: Known<NombaRequestOptions & { readonly schema: unknown }> = {
  method: 0,
  body: 0,
  query: 0,
  headers: 0,
  signal: 0,
  schema: 0
}

const NOT_A_SCHEMA =
  "the schema is not a Standard Schema (of Effect, give Schema.standardSchemaV1(schema); Zod needs version 3.24 or later)"

const readData = NombaResponse.result(Schema.Unknown)

/** Runs what may throw an error of this package, whose stack then begins at the caller. */
const attempt = <A>(caller: Caller, run: () => A): A => {
  try {
    return run()
  } catch (error) {
    const known = Predicate.hasProperty(error, "_tag") ? fromError(error as EngineError) : error
    throw known instanceof Error ? at(caller, known) : known
  }
}

/**
 * A promise of its own for each caller: on Cloudflare Workers a caller that another request's code woke up directly would go
 * on inside of that request. Undefined if no renewal is in flight.
 */
const wakeUp = (snapshot: Snapshot.Snapshot, signal: AbortSignal | undefined): Promise<void> | undefined => {
  let wake = (): void => {}
  const cancel = snapshot.listen(() => wake())
  if (cancel === undefined) return undefined
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      cancel()
      reject(signal?.reason)
    }
    wake = () => {
      signal?.removeEventListener("abort", onAbort)
      resolve()
    }
    signal?.addEventListener("abort", onAbort, { once: true })
  })
}

const tell = (listener: (event: NombaSessionEvent) => void, event: NombaSessionEvent): Effect.Effect<void> =>
  Effect.tryPromise(async () => listener(event)).pipe(
    Effect.catchAll(({ error }: Cause.UnknownException) =>
      Effect.logError(`A listener of session events threw ${error instanceof Error ? error.name : typeof error}.`)
    )
  )
