/** The login pages: plain HTML without scripts. */
import { createHash } from "node:crypto"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Redacted from "effect/Redacted"
import * as String from "effect/String"
import { escape } from "../http/Html.js"
import type { AuthorizationRequest } from "../state/Logins.js"

const style = `
:root { color-scheme: light dark; font: 1.125rem/1.5 system-ui, sans-serif }
body { margin: 0 }
main { max-width: 32rem; margin: 10vh auto; padding: 0 1.25rem }
h1 { font-size: 1.5rem; line-height: 1.25 }
code { overflow-wrap: anywhere }
form { display: flex; gap: 1rem; margin-top: 2rem }
button { flex: 1; font: inherit; padding: 0.75rem; border: 2px solid currentColor; border-radius: 0.5rem; cursor: pointer }
button:focus-visible { outline: 3px solid Highlight; outline-offset: 3px }
.approve { background: CanvasText; color: Canvas }
.deny { background: Canvas; color: CanvasText }
`

const styleHash = createHash("sha256").update(style).digest("base64")

/**
 * A browser applies `form-action` to the redirect of a form too. With the policy `no-referrer` it would send `Origin: null`
 * with the form, so the policy is `same-origin`.
 */
const respond = (status: number, main: string, formAction: string): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.text(
    `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in at the Nomba sandbox</title>
<style>${style}</style>
</head>
<body>
<main>
${main}
</main>
</body>
</html>
`,
    {
      status,
      contentType: "text/html; charset=utf-8",
      headers: {
        "cache-control": "no-store",
        "content-security-policy": `default-src 'none'; style-src 'sha256-${styleHash}'; form-action ${formAction}; base-uri 'none'; frame-ancestors 'none'`,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY"
      }
    }
  )

/** The origin of a redirect URI, or its scheme if it is a private-use one. */
const originOf = ({ origin, protocol }: URL): string => (origin === "null" ? protocol : origin)

/** The same as a CSP source, which cannot be an IPv6 address (CSP 3, section 2.3.1). */
const sourceOf = (url: URL): string => (url.hostname.startsWith("[") ? url.protocol : originOf(url))

export const question = (
  path: string,
  { clientId, redirectUri }: AuthorizationRequest,
  ticket: Redacted.Redacted
): HttpServerResponse.HttpServerResponse =>
  respond(
    200,
    `<h1>Allow this app to use your account?</h1>
<p>Client <code>${escape(clientId)}</code> asks for a session at this sandbox. Your decision is sent to
<code>${escape(originOf(new URL(redirectUri)))}</code>.</p>
<form method="post" action="${path}">
<input type="hidden" name="ticket" value="${escape(Redacted.value(ticket))}">
<button class="approve" name="decision" value="approve">Approve</button>
<button class="deny" name="decision" value="deny">Deny</button>
</form>`,
    `'self' ${sourceOf(new URL(redirectUri))}`
  )

/** For errors that must not be sent to the redirect URI. */
export const refusal = (status: number, problem: string): HttpServerResponse.HttpServerResponse =>
  respond(
    status,
    `<h1>This login cannot continue</h1>
<p>${escape(String.capitalize(problem))}.</p>
<p>Return to the app and log in again.</p>`,
    "'none'"
  )
