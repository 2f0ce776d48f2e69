/** The login page and its form. */
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

const refusal = (problem: string): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.as(RequestContext.annotate({ why: problem }), Page.refusal(400, problem))

const ask = Effect.fnUntraced(function* (emulator: EmulatorService, request: Request) {
  const foreign = Guard.foreignHost(request, yield* emulator.url, emulator.settings)
  if (Option.isSome(foreign)) return foreign.value
  const query = request.url.replace(/^[^?]*\??/, "")
  const parsed = AuthorizeRequest.read(new URLSearchParams(query), emulator.settings.clients)
  switch (parsed._tag) {
    case "ShowError":
      return yield* refusal(parsed.problem)
    case "RedirectError":
      yield* RequestContext.annotate({ clientId: parsed.clientId, refused: true, why: parsed.problem })
      return redirect(parsed.location)
    case "Valid": {
      yield* RequestContext.annotate({ clientId: parsed.authorization.clientId })
      const ticket = yield* emulator.token
      yield* emulator.transition(SandboxState.startLogin(parsed.authorization, ticket, yield* emulator.now))
      return Page.question(path, parsed.authorization, ticket)
    }
  }
})

/** The form has two short fields. */
const longest = 1024

const formOf = (request: Request): Effect.Effect<UrlParams.UrlParams> =>
  Number(request.headers["content-length"] ?? Number.POSITIVE_INFINITY) <= longest
    ? Effect.orElseSucceed(request.urlParamsBody, () => UrlParams.empty)
    : Effect.succeed(UrlParams.empty)

const decided = Effect.fnUntraced(function* (
  emulator: EmulatorService,
  authorization: AuthorizationRequest,
  decision: string
) {
  yield* RequestContext.annotate({ clientId: authorization.clientId })
  const state = Option.getOrUndefined(Option.map(authorization.state, Redacted.value))
  if (decision !== "approve") {
    const denied = { error: "access_denied", error_description: "the user denied the request", state }
    yield* RequestContext.annotate({ refused: true, why: denied.error_description })
    return redirect(RedirectUri.withParameters(authorization.redirectUri, denied))
  }
  const code = yield* emulator.token
  yield* emulator.transition(SandboxState.grantCode(authorization, code, yield* emulator.now))
  return redirect(RedirectUri.withParameters(authorization.redirectUri, { code: Redacted.value(code), state }))
})

const answer = Effect.fnUntraced(function* (emulator: EmulatorService, request: Request) {
  const foreign = Guard.foreignPage(request, yield* emulator.url, emulator.settings)
  if (Option.isSome(foreign)) return foreign.value
  const form = yield* formOf(request)
  const ticket = Option.getOrElse(UrlParams.getFirst(form, "ticket"), () => "")
  const decision = Option.getOrElse(UrlParams.getFirst(form, "decision"), () => "")
  if (decision !== "approve" && decision !== "deny") {
    return yield* refusal("the decision must be approve or deny")
  }
  const now = yield* emulator.now
  const authorization = yield* emulator.transition(SandboxState.finishLogin(Redacted.make(ticket), now))
  return yield* Option.match(authorization, {
    onNone: () => refusal("this login was answered before, or took longer than ten minutes"),
    onSome: (authorization) => decided(emulator, authorization, decision)
  })
})

const group = HttpApiBuilder.group(LoginApi, "Authorize", (handlers) =>
  Effect.map(Emulator, (emulator) =>
    handlers
      .handleRaw("ask", ({ request }) => ask(emulator, request))
      .handleRaw("answer", ({ request }) => answer(emulator, request), { uninterruptible: true })
  )
)

export const layer = HttpApiBuilder.api(LoginApi).pipe(Layer.provide(group))
