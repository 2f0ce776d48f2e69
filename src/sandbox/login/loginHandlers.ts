/** The page on which a person lets a program in or not, and what becomes of the answer. */
import * as HttpApiBuilder from "@effect/platform/HttpApiBuilder"
import type * as HttpServerRequest from "@effect/platform/HttpServerRequest"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as UrlParams from "@effect/platform/UrlParams"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as RequestContext from "../faults/RequestContext.js"
import * as Guard from "../http/Guard.js"
import { Emulator, type EmulatorService } from "../state/Emulator.js"
import type { AuthorizationRequest } from "../state/Logins.js"
import * as SandboxState from "../state/SandboxState.js"
import * as AuthorizeRequest from "./AuthorizeRequest.js"
import { LoginApi, path } from "./LoginApi.js"
import * as Page from "./LoginPage.js"
import * as RedirectUri from "./RedirectUri.js"

type Request = HttpServerRequest.HttpServerRequest

const redirect = (location: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.empty({
    status: 303,
    headers: { location, "cache-control": "no-store" }
  })

/** Told to the person, and to the log. */
const refusal = (problem: string): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.as(RequestContext.annotate({ why: problem }), Page.refusal(400, problem))

const ask = Effect.fnUntraced(function* (emulator: EmulatorService, request: Request) {
  const foreign = Guard.foreignHost(request, yield* emulator.url, emulator.settings)
  if (Option.isSome(foreign)) return foreign.value
  const query = request.url.replace(/^[^?]*\??/, "")
  const reading = AuthorizeRequest.read(new URLSearchParams(query), emulator.settings.clients)
  switch (reading._tag) {
    case "Refuse":
      return yield* refusal(reading.problem)
    case "Return":
      yield* RequestContext.annotate({ clientId: reading.clientId, refused: true, why: reading.problem })
      return redirect(reading.location)
    case "Ask": {
      yield* RequestContext.annotate({ clientId: reading.asked.clientId })
      const ticket = yield* emulator.token
      yield* emulator.transition(SandboxState.startLogin(reading.asked, ticket, yield* emulator.now))
      return Page.question(path, reading.asked, ticket)
    }
  }
})

/** The form has two short fields. */
const longest = 1024

const formOf = (request: Request): Effect.Effect<UrlParams.UrlParams> =>
  Number(request.headers["content-length"] ?? Number.POSITIVE_INFINITY) <= longest
    ? Effect.orElseSucceed(request.urlParamsBody, () => UrlParams.empty)
    : Effect.succeed(UrlParams.empty)

const decided = Effect.fnUntraced(function* (emulator: EmulatorService, asked: AuthorizationRequest, decision: string) {
  yield* RequestContext.annotate({ clientId: asked.clientId })
  const state = Option.getOrUndefined(Option.map(asked.state, Redacted.value))
  if (decision !== "approve") {
    const denied = { error: "access_denied", error_description: "the person said no", state }
    yield* RequestContext.annotate({ refused: true, why: denied.error_description })
    return redirect(RedirectUri.withParameters(asked.redirectUri, denied))
  }
  const code = yield* emulator.token
  yield* emulator.transition(SandboxState.grantCode(asked, code, yield* emulator.now))
  return redirect(RedirectUri.withParameters(asked.redirectUri, { code: Redacted.value(code), state }))
})

const answer = Effect.fnUntraced(function* (emulator: EmulatorService, request: Request) {
  const foreign = Guard.foreignPage(request, yield* emulator.url, emulator.settings)
  if (Option.isSome(foreign)) return foreign.value
  const form = yield* formOf(request)
  const ticket = Option.getOrElse(UrlParams.getFirst(form, "ticket"), () => "")
  const decision = Option.getOrElse(UrlParams.getFirst(form, "decision"), () => "")
  if (decision !== "approve" && decision !== "deny") {
    return yield* refusal("the answer was neither yes nor no")
  }
  const now = yield* emulator.now
  const asked = yield* emulator.transition(SandboxState.finishLogin(Redacted.make(ticket), now))
  return yield* Option.match(asked, {
    onNone: () => refusal("it was answered before, or took longer than ten minutes"),
    onSome: (asked) => decided(emulator, asked, decision)
  })
})

const group = HttpApiBuilder.group(LoginApi, "Authorize", (handlers) =>
  Effect.map(Emulator, (emulator) =>
    handlers
      .handleRaw("ask", ({ request }) => ask(emulator, request))
      .handleRaw("answer", ({ request }) => answer(emulator, request), { uninterruptible: true })
  )
)

/** The API. */
export const layer = HttpApiBuilder.api(LoginApi).pipe(Layer.provide(group))
