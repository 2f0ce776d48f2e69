/** Which headers pass the proxy, and what it adds. */
import type { IncomingMessage } from "node:http"
import type { Mask } from "./Masking.js"

/** RFC 9110 section 7.6.1, and the framing, which each side does itself. */
const hopByHop = ["connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "http2-settings"]

/** Of a request: what the proxy sets itself, what belongs to the caller alone, and what another server may take for a rule. */
const droppedFromRequests = new Set([
  ...hopByHop,
  "host",
  "content-length",
  "expect",
  "authorization",
  "x-nomba-key",
  "accept-encoding",
  "cookie",
  "cookie2",
  "origin",
  "referer",
  "forwarded",
  "via",
  "traceparent",
  "tracestate",
  "baggage",
  "b3",
  "sentry-trace",
  "uber-trace-id",
  "x-amzn-trace-id",
  "x-cloud-trace-context",
  "x-http-method",
  "x-http-method-override",
  "x-method-override",
  "x-original-url",
  "x-rewrite-url",
  // A response in pieces could show the token in pieces. A server may always answer with the whole (RFC 9110 section 14.2).
  "range",
  "if-range"
])

const droppedPrefixes = /^(?:proxy-|sec-|x-forwarded-|x-b3-|x-datadog-|x-ot-span|uberctx-)/

/** What proxies and content delivery networks call the address of the caller. */
const callerAddress = /(?:^|-)(?:client|connecting|originating|real|remote)-?ip(?:v6)?$/

const droppedFromResponses = new Set([
  ...hopByHop,
  "content-length",
  "content-encoding",
  "set-cookie",
  "set-cookie2",
  "alt-svc",
  "clear-site-data",
  "strict-transport-security"
])

/** An upstream must not speak in the name of the proxy, or let web pages in. */
const droppedResponsePrefixes = /^(?:proxy-|access-control-|x-nomba-auth)/

type Verdict = (name: string) => boolean

/** Keeps the verdict on a name as it was spelled: callers spell few names, again and again. */
const remember = (verdict: Verdict): Verdict => {
  const known = new Map<string, boolean>()
  return (name) => {
    const before = known.get(name)
    if (before !== undefined) return before
    const passes = verdict(name.toLowerCase())
    if (known.size < 1_000) known.set(name, passes)
    return passes
  }
}

const passesDownstream = remember((name) => !droppedFromResponses.has(name) && !droppedResponsePrefixes.test(name))

/** The names in a `Connection` header, which are hop-by-hop too. */
const namedByConnection = (connection: string | undefined): ReadonlySet<string> | undefined =>
  connection === undefined || /^(?:keep-alive|close)$/i.test(connection)
    ? undefined
    : new Set(connection.split(",").map((name) => name.trim().toLowerCase()))

/** What the proxy adds to each request. */
export interface Added {
  /** Host and port of the base URL. */
  readonly authority: string
  readonly accountId: string | undefined
  readonly userAgent: string
}

/**
 * Makes the headers of a request without a token, as names and values in turn. A name with an underscore is another one for
 * servers that take it for a dash.
 */
export const upstreamHeaders = ({
  accountId,
  authority,
  userAgent
}: Added): ((request: IncomingMessage) => Array<string>) => {
  const passes = remember(
    (name) =>
      !name.includes("_") &&
      !droppedFromRequests.has(name) &&
      !droppedPrefixes.test(name) &&
      !callerAddress.test(name) &&
      !(accountId !== undefined && name === "accountid")
  )
  return ({ headers, rawHeaders }) => {
    const named = namedByConnection(headers.connection)
    const sent = ["host", authority]
    for (let at = 0; at < rawHeaders.length; at += 2) {
      const name = rawHeaders[at] ?? ""
      if (passes(name) && !named?.has(name.toLowerCase())) sent.push(name, rawHeaders[at + 1] ?? "")
    }
    // A compressed response could hide the token.
    sent.push("accept-encoding", "identity")
    if (accountId !== undefined) sent.push("accountId", accountId)
    if (headers["user-agent"] === undefined) sent.push("user-agent", userAgent)
    if (headers["content-length"] !== undefined) sent.push("content-length", headers["content-length"])
    else if (headers["transfer-encoding"] !== undefined) sent.push("transfer-encoding", "chunked")
    return sent
  }
}

/** The headers of a response without its framing, the token masked, as names and values in turn. */
export const downstreamHeaders = ({ headers, rawHeaders }: IncomingMessage, mask: Mask): Array<string> => {
  const named = namedByConnection(headers.connection)
  const passed: Array<string> = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? ""
    if (!passesDownstream(name) || named?.has(name.toLowerCase())) continue
    passed.push(name, mask.text(rawHeaders[at + 1] ?? ""))
  }
  return passed
}
