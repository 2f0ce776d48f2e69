/** How `token` prints an access token. Plain Node.js: a hit is printed before Effect is loaded. */

export const formats = ["raw", "json", "header", "env"] as const

export type Format = (typeof formats)[number]

export interface PrintedToken {
  readonly accessToken: string
  /** Milliseconds that are left of its lifetime. */
  readonly remaining: number
}

/** What a token has left at least if `--min-ttl` does not say: a minute, or a fifth of a shorter lifetime. All in milliseconds. */
export const minTtlOf = (lifetime: number): number => Math.min(60_000, lifetime / 5)

/** An access token is visible ASCII; only a single quote means something within the quotes of a shell. */
const quoted = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`

/** The names of RFC 6749 section 5.1, and when the token expires by this machine's clock. */
const json = ({ accessToken, remaining }: PrintedToken): string =>
  JSON.stringify({
    access_token: accessToken,
    token_type: "Bearer",
    expires_in: Math.floor(remaining / 1000),
    expires_at: new Date(Date.now() + remaining).toISOString()
  })

export const print = (format: Format, token: PrintedToken): string => {
  switch (format) {
    case "raw":
      return token.accessToken
    case "json":
      return json(token)
    case "header":
      return `Authorization: Bearer ${token.accessToken}`
    case "env":
      return `export NOMBA_ACCESS_TOKEN=${quoted(token.accessToken)}`
  }
}
