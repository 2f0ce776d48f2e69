/** `nomba-auth curl`: one authenticated request, for shells. */
import { readFileSync } from "node:fs"
import { STATUS_CODES } from "node:http"
import { buffer } from "node:stream/consumers"
import * as Args from "@effect/cli/Args"
import * as Command from "@effect/cli/Command"
import * as Options from "@effect/cli/Options"
import type * as Headers from "@effect/platform/Headers"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import * as HttpClientResponse from "@effect/platform/HttpClientResponse"
import * as HttpMethod from "@effect/platform/HttpMethod"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as NombaResponse from "../layers/NombaResponse.js"
import { NombaClient } from "../services/NombaClient.js"
import { describe, flag, optional, repeated } from "./CommandLine.js"
import * as Environment from "./Environment.js"
import * as ExitCode from "./ExitCode.js"
import * as Output from "./Output.js"

const flags = {
  ...Environment.flags,
  path: Args.text({ name: "PATH" }).pipe(
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

const headersOf = (lines: ReadonlyArray<string>) =>
  Effect.forEach(lines, (line) => {
    const [, name, value] = /^([^\s:]+):[ \t]*(.*)$/.exec(line) ?? []
    return name === undefined || value === undefined
      ? Effect.fail(new ExitCode.UsageError({ message: "--header: must be Name: value" }))
      : Effect.succeed([name.toLowerCase(), value] as const)
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
  const type = request.headers["content-type"] ?? "application/json"
  return HttpClientRequest.bodyUint8Array(request, yield* bodyOf(given.data.value), type)
})

const headOf = (status: number, headers: Headers.Headers): string =>
  [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`.trim(),
    ...Object.entries(headers).map(([name, value]) => `${name}: ${value}`),
    "",
    ""
  ].join("\n")

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

/** The body; a response such as 204 has none, which is no failure. */
const bodyStream = (response: HttpClientResponse.HttpClientResponse) =>
  Stream.catchAll(response.stream, (error) => (error.reason === "EmptyBody" ? Stream.empty : Stream.fail(error)))

/** Prints the body while it arrives. Returns it, or nothing if it is large. */
const printBody = (response: HttpClientResponse.HttpClientResponse) =>
  Effect.gen(function* () {
    const kept: Array<Uint8Array> = []
    let size = 0
    yield* Stream.runForEach(bodyStream(response), (chunk) => {
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
    const { headers, status } = response
    if (given.include) yield* Output.write(headOf(status, headers))
    const body = yield* printBody(response)
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
