/** The files of the page. They lie beside this module in the sources and in the package. */
import { readFile } from "node:fs/promises"
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as Effect from "effect/Effect"

const types: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8"
}

export const typeOf = (name: string): string =>
  types[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream"

export const headers: Readonly<Record<string, string>> = {
  "cache-control": "no-store",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff"
}

/** Only the sandbox's own scripts and styles, only connections to it, and no frame around it. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'none'"
].join("; ")

/** A missing file is a broken installation, and so a defect. */
export const respond = (name: string): Effect.Effect<HttpServerResponse.HttpServerResponse> =>
  Effect.map(
    Effect.promise(() => readFile(new URL(`./assets/${name}`, import.meta.url))),
    (bytes) =>
      HttpServerResponse.uint8Array(bytes, {
        contentType: typeOf(name),
        headers: { ...headers, "content-security-policy": policy }
      })
  )
