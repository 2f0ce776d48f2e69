/** `nomba-auth curl`: one authenticated request, for shells. */
import { readFileSync } from "node:fs"
import { STATUS_CODES } from "node:http"
import { buffer } from "node:stream/consumers"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as Cookies from "@effect/platform/Cookies"
import type { ResponseError } from "@effect/platform/HttpClientError"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpMethod from "@effect/platform/HttpMethod"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as BaseUrl from "../layers/config/BaseUrl.js"
import * as NombaResponse from "../layers/NombaResponse.js"
import { Unavailable } from "../schemas/AuthError.js"
import { NombaClient } from "../services/NombaClient.js"
import { NombaConfig, type NombaConfigService } from "../services/NombaConfig.js"
import { describe, flag, optional, repeated } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import * as ExitCode from "./ExitCode.js"
import * as Output from "./Output.js"

const flags = {
  ...Environment.flags,
  path: Args.text({ name: "PATH" }).pipe(
    // `@effect/cli` takes an unknown option for an argument.
    Args.mapEffect((path) =>
      path.startsWith("-") ? Effect.fail(HelpDoc.p(`Received unknown argument: '${path}'`)) : Effect.succeed(path)
    ),
    Args.withDescription("Below the base URL: /v1/accounts/balance. A whole URL below it works too.")
  ),
  method: optional(
    Options.text("request").pipe(Options.withAlias("X")),
    "METHOD",
    "The method. Default: GET, with --data POST."
  ),
  data: optional(
    Options.text("data").pipe(Options.withAlias("d")),
    "DATA",
    "The body; @FILE reads a file, @- the standard input. Sent as JSON unless --header says otherwise."
  ),
  headers: repeated(Options.text("header").pipe(Options.withAlias("H")), "HEADER", "A header, `Name: value`."),
  include: flag("include", "Print the status and the headers of the response before its body.").pipe(
    Options.withAlias("i")
  )
}

const methodOf = (given: Option.Option<string>, hasBody: boolean) => {
  const method = Option.getOrElse(given, () => (hasBody ? "POST" : "GET")).toUpperCase()
  return HttpMethod.isHttpMethod(method)
    ? Effect.succeed(method)
    : Effect.fail(
        new ExitCode.UsageError({ message: `--request: must be one of ${Array.from(HttpMethod.all).join(", ")}` })
      )
}

/** The client sets these itself, or `fetch` cannot send them. */
const OWN_HEADERS = /^(?:authorization|connection|content-length|expect|host|keep-alive|transfer-encoding|upgrade)$/i

const headerProblem = (name: string, value: string): string | undefined => {
  if (name === "") return "--header: must be Name: value"
  if (value === "") return `--header ${name}: needs a value; a header cannot be removed`
  return OWN_HEADERS.test(name) ? `--header ${name}: is set by nomba-auth: leave it out` : undefined
}

const headersOf = (lines: ReadonlyArray<string>) =>
  Effect.forEach(lines, (line) => {
    const [, name = "", value = ""] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*)$/.exec(line) ?? []
    const message = headerProblem(name, value)
    return message === undefined
      ? Effect.succeed([name.toLowerCase(), value] as const)
      : new ExitCode.UsageError({ message })
  })

/** As bytes, which can be sent again after a 401. */
const bodyOf = (data: string) =>
  Effect.tryPromise({
    try: async (): Promise<Uint8Array> => {
      if (data === "@-") return buffer(process.stdin)
      return data.startsWith("@") ? readFileSync(data.slice(1)) : new TextEncoder().encode(data)
    },
    catch: (error) =>
      new ExitCode.UsageError({ message: `--data ${data}: cannot be read (${(error as NodeJS.ErrnoException).code})` })
  })

const requestOf = Effect.fn("requestOf")(function* (given: Command.Command.ParseConfig<typeof flags>) {
  const method = yield* methodOf(given.method, Option.isSome(given.data))
  const headers = yield* headersOf(given.headers)
  const request = HttpClientRequest.make(method)(given.path, { headers })
  if (Option.isNone(given.data)) return request
  if (method === "GET" || method === "HEAD") {
    return yield* new ExitCode.UsageError({
      message: `--data: ${method} cannot have a body: leave --request out for POST, or put the values into the query of the path`
    })
  }
  const type = request.headers["content-type"] ?? "application/json"
  return HttpClientRequest.bodyUint8Array(request, yield* bodyOf(given.data.value), type)
})

const headOf = ({ cookies, headers, status }: HttpClientResponse.HttpClientResponse): string => {
  const setCookies = Cookies.toSetCookieHeaders(cookies)
  return [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`.trim(),
    ...Object.entries(headers)
      .filter(([name]) => name !== "set-cookie")
      .map(([name, value]) => `${name}: ${value}`),
    ...setCookies.map((cookie) => `set-cookie: ${cookie}`),
    "",
    ""
  ].join("\n")
}

/** The exit code of a response, as for the error that its status, or otherwise its `code`, stands for. */
export const exitCodeOf = (status: number, code: Option.Option<string>): number => {
  if (status < 400) {
    if (Option.isNone(code)) return ExitCode.SUCCESS
    return /^[45]\d\d$/.test(code.value) ? exitCodeOf(Number(code.value), code) : ExitCode.USAGE
  }
  if (status === 401) return ExitCode.EXPIRED
  if (status === 403) return ExitCode.INVALID_CREDENTIALS
  if (status === 408 || status === 429 || status >= 500) return ExitCode.UNAVAILABLE
  return ExitCode.USAGE
}

/** What is kept of a body to read its `code`. */
const KEPT = 1_048_576

/** Codes of a lost connection. What cannot be unpacked has others. */
const LOST = /^(?:UND_ERR_\w+|E[A-Z]+)$/

/** The body; a response such as 204 has none, which is no failure. */
const bodyStream = (response: HttpClientResponse.HttpClientResponse, config: NombaConfigService) =>
  Stream.catchAll(response.stream, (error): Stream.Stream<never, ResponseError | Unavailable> => {
    if (error.reason === "EmptyBody") return Stream.empty
    const { description: detail = "" } = error
    if (!LOST.test(detail)) return Stream.fail(error)
    const { status } = response
    return Stream.fail(
      new Unavailable({ ...BaseUrl.hostOf(config), operation: "request", reason: "Network", status, detail })
    )
  })

/** Prints the body while it arrives. Returns it, or nothing if it is large. */
const printBody = (response: HttpClientResponse.HttpClientResponse, config: NombaConfigService) =>
  Effect.gen(function* () {
    const kept: Array<Uint8Array> = []
    let size = 0
    yield* Stream.runForEach(bodyStream(response, config), (chunk) => {
      size += chunk.length
      if (size <= KEPT) kept.push(chunk)
      return Output.write(chunk)
    })
    const body = Buffer.concat(size <= KEPT ? kept : [])
    if (process.stdout.isTTY && size > 0 && body.at(-1) !== 10) yield* Output.write("\n")
    return body
  })

const hasFailed = NombaResponse.data(Schema.Unknown)

/** Nomba reports some failures with HTTP 200 and a `code`. A response of another kind, such as a file, is a success. */
const codeOf = (response: HttpClientResponse.HttpClientResponse, body: Uint8Array<ArrayBuffer>) => {
  const { headers, request, status } = response
  if (body.length === 0 || !/\bjson\b/.test(headers["content-type"] ?? "")) return Effect.succeedNone
  const whole = HttpClientResponse.fromWeb(request, new Response(body, { status, headers }))
  return hasFailed(whole).pipe(
    Effect.as(Option.none<string>()),
    Effect.catchTag("NombaRequestFailed", ({ code = "" }) => Effect.succeedSome(code)),
    Effect.catchTag("UnexpectedResponse", () => Effect.succeedNone)
  )
}

export const command = Command.make("curl", flags, (given) =>
  Effect.gen(function* () {
    const request = yield* requestOf(given)
    const nomba = yield* NombaClient
    const response = yield* nomba.execute(request)
    const { status } = response
    if (given.include) yield* Output.write(headOf(response))
    const body = yield* printBody(response, yield* NombaConfig)
    const code = status < 400 ? yield* codeOf(response, body) : Option.none()
    const exitCode = exitCodeOf(status, code)
    if (exitCode === ExitCode.SUCCESS) return
    const place = `${request.method} ${given.path.replace(/[?#].*/s, "")}`
    const withCode = Option.match(code, { onNone: () => "", onSome: (code) => code && ` with the code ${code}` })
    yield* Output.say(`Nomba answered HTTP ${status}${withCode} to ${place}`)
    return yield* new ExitCode.Ended({ code: exitCode })
  }).pipe(Effect.provide(Environment.layer(given)))
).pipe(
  Command.withDescription(
    describe(
      "Send one request to Nomba with the access token and the account id, and print the response's body. A rejected token is renewed and the request sent once more.",
      [
        "nomba-auth curl /v1/accounts/balance",
        `nomba-auth curl /v1/transfers/bank -d '{"amount": 100, …}'`,
        "nomba-auth curl -i -X PUT -H 'X-Idempotent-Key: 7' -d @order.json /v1/checkout/order"
      ]
    )
  )
)
