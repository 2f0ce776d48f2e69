/** What the settings look like. Says their length and shape, and nothing else of them. */
import type * as ConfigError from "effect/ConfigError"
import * as BaseUrl from "../../layers/config/BaseUrl.js"
import * as ExitCode from "../ExitCode.js"
import { type Finding, ok, problem, skipped, warning } from "./Finding.js"

/** A setting as it was given, before white space around it is left out. */
export interface Given {
  /** `NOMBA_CLIENT_ID`, `--client-secret-file`. */
  readonly origin: string
  readonly text: string
}

export interface Values {
  readonly clientId: Given | undefined
  /** None in a public client. */
  readonly clientSecret: Given | "not needed" | undefined
  /** Another variable that is set to another secret, which does not count. */
  readonly otherSecret: string | undefined
  readonly accountId: Given | undefined
  /** What the library says of a setting, by its origin or the first variable that it was looked for in. */
  readonly refused: ReadonlyMap<string, string>
  /** Variables whose names begin with `NOMBA_` and that no command reads. */
  readonly unread: ReadonlyArray<string>
  /** Whether the base URL is one of Nomba's own hosts, whose credentials have known shapes. */
  readonly isNomba: boolean
}

type Shape = "UUID" | "secret" | "JWT" | "URL" | "e-mail address" | "other"

const shapes: ReadonlyArray<readonly [Shape, RegExp]> = [
  ["UUID", /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i],
  ["JWT", /^eyJ[\w-]+\.[\w-]+\.[\w-]*$/],
  ["URL", /^[a-z][a-z\d+.-]*:\/\//i],
  ["e-mail address", /^[^\s@]+@[^\s@]+\.[^\s@]+$/],
  // 32 or 64 bytes in base64.
  ["secret", /^(?:[A-Za-z\d+/]{43}=|[A-Za-z\d+/]{86}==)$/]
]

export const shapeOf = (text: string): Shape => shapes.find(([, shape]) => shape.test(text))?.[0] ?? "other"

const described: Record<Shape, string> = {
  UUID: ", a UUID",
  JWT: ", a JWT",
  URL: ", a URL",
  "e-mail address": ", an e-mail address",
  secret: ", base64",
  other: ""
}

const describe = ({ origin, text }: Given): string => {
  const value = text.trim()
  return `from ${origin}: ${value.length} characters${described[shapeOf(value)]}`
}

/** The messages of the library by the setting that each is about. */
export const refusals = (error: ConfigError.ConfigError): ReadonlyMap<string, string> =>
  error._op === "And" || error._op === "Or"
    ? new Map([...refusals(error.left), ...refusals(error.right)])
    : new Map([[error.path.join("."), error.message]])

/** `NOMBA_CLIENT_ID is a placeholder: put the real value there` in its two parts. */
export const refused = (message: string): Finding => {
  const [, says = message, change = "correct it"] = /^(.*): (.*)$/s.exec(message) ?? []
  return problem(ExitCode.USAGE, says, change)
}

const same = (one: Given | "not needed" | undefined, other: Given | undefined): boolean =>
  typeof one === "object" && other !== undefined && one.text.trim() === other.text.trim()

const shapeIs = (given: Given | "not needed" | undefined, shape: Shape): boolean =>
  typeof given === "object" && shapeOf(given.text.trim()) === shape

const wrong = (says: string, change: string): Finding => problem(ExitCode.USAGE, says, change)

/** What the library says of a value, otherwise what is odd about it, otherwise what it looks like. */
const judge = (
  given: Given,
  { refused: messages }: Values,
  oddities: ReadonlyArray<readonly [boolean, () => Finding]>
): Finding => {
  const message = messages.get(given.origin)
  if (message !== undefined) return refused(message)
  const odd = oddities.find(([holds]) => holds)
  if (odd !== undefined) return odd[1]()
  return given.text.trim() === given.text
    ? ok(describe(given))
    : warning(
        `${describe(given)}, with white space or a line end around it`,
        `nomba-auth leaves it out, other programs may send it: remove it from ${given.origin}`
      )
}

const notSet = ({ refused: messages, unread }: Values, first: string): Finding => {
  const finding = refused(messages.get(first) ?? `${first} is not set: set it`)
  return finding.level !== "problem" || unread.length === 0
    ? finding
    : {
        ...finding,
        change: `${finding.change}. ${unread.join(", ")} ${unread.length === 1 ? "is set and is" : "are set and are"} not read`
      }
}

export const clientId = (values: Values): Finding => {
  const { accountId, clientId: given, clientSecret, isNomba } = values
  if (given === undefined) return notSet(values, "NOMBA_CLIENT_ID")
  const { origin } = given
  return judge(given, values, [
    [
      same(clientSecret, given),
      () => wrong(`${origin} is the same as the client secret`, "copy both from the Nomba dashboard again")
    ],
    [
      shapeIs(given, "secret") && shapeIs(clientSecret, "UUID"),
      () =>
        wrong(
          `${describe(given)}: the client id looks like a secret, and the client secret like an id`,
          `swap ${origin} and ${typeof clientSecret === "object" ? clientSecret.origin : "the client secret"}`
        )
    ],
    [
      shapeIs(given, "secret"),
      () =>
        warning(
          `${describe(given)}: it looks like a client secret`,
          `put the client id into ${origin}, which is a UUID at Nomba`
        )
    ],
    [
      same(accountId, given),
      () =>
        warning(`${origin} is the same as the account id`, "copy both from the Nomba dashboard: they are different ids")
    ],
    [
      isNomba && !shapeIs(given, "UUID"),
      () => warning(`${describe(given)}: Nomba's client ids are UUIDs`, "copy it from the Nomba dashboard again")
    ]
  ])
}

export const clientSecret = (values: Values): Finding => {
  const { accountId, clientSecret: given, isNomba, otherSecret } = values
  if (given === "not needed") return skipped("a public client has none")
  if (given === undefined) return notSet(values, "NOMBA_CLIENT_SECRET")
  const { origin } = given
  return judge(given, values, [
    [
      same(given, accountId),
      () =>
        wrong(`${origin} is the same as the account id`, 'put the value there that the dashboard calls "Private Key"')
    ],
    [
      shapeIs(given, "UUID"),
      () =>
        warning(
          `${describe(given)}: it looks like an id`,
          `put the value into ${origin} that the dashboard calls "Private Key"`
        )
    ],
    [
      shapeIs(given, "JWT"),
      () => warning(`${describe(given)}: it looks like an access token`, `put the client secret into ${origin}`)
    ],
    [
      isNomba && !shapeIs(given, "secret"),
      () =>
        warning(
          `${describe(given)}: Nomba's secrets have 44 or 88 characters of base64`,
          "copy it again: a part may be missing"
        )
    ],
    [
      otherSecret !== undefined,
      () =>
        warning(`${describe(given)}; ${otherSecret} has another value, which does not count`, `remove ${otherSecret}`)
    ]
  ])
}

export const accountId = (values: Values): Finding => {
  const { accountId: given, isNomba } = values
  if (given === undefined) {
    return isNomba
      ? wrong("not set: Nomba answers 401 to requests without it", "set NOMBA_ACCOUNT_ID to the parent account's id")
      : ok("not set; Nomba's own hosts require it")
  }
  return judge(given, values, [
    [
      shapeIs(given, "secret"),
      () =>
        warning(
          `${describe(given)}: it looks like a client secret, and is sent with every request`,
          `put the parent account's id into ${given.origin}`
        )
    ],
    [
      isNomba && !shapeIs(given, "UUID"),
      () =>
        warning(`${describe(given)}: Nomba's account ids are UUIDs`, "copy the parent account's id from the dashboard")
    ]
  ])
}

/** What the base URL was made of. */
export interface Environment {
  /** Normalised, and where it came from; none if the library refuses it. */
  readonly baseUrl: { readonly url: string; readonly origin: string } | undefined
  readonly refused: ReadonlyMap<string, string>
  /** The variables as they are set. */
  readonly variables: { readonly baseUrl: string | undefined; readonly environment: string | undefined }
}

const ofNomba = Object.values(BaseUrl.hosts)

const environmentOf = (url: string): string | undefined =>
  Object.entries(BaseUrl.hosts).find(([, host]) => host === url)?.[0]

export const environment = ({ baseUrl, refused: messages, variables }: Environment): Finding => {
  const message = messages.get("NOMBA_BASE_URL") ?? messages.get("NOMBA_ENVIRONMENT")
  if (message !== undefined) return refused(message)
  if (baseUrl === undefined) return skipped("see the settings above")
  const { origin, url } = baseUrl
  const named = environmentOf(url)
  const described = `${url} ${origin}${named === undefined ? "" : `, Nomba's ${named}`}`
  if (variables.baseUrl === undefined) return ok(described)
  if (variables.environment !== undefined && variables.environment.trim() !== named) {
    return warning(
      `${described}: NOMBA_ENVIRONMENT does not count beside NOMBA_BASE_URL, and names another host`,
      "remove one of the two"
    )
  }
  if (/\/v1\/*$/.test(variables.baseUrl.trim())) {
    return warning(
      `${described}: nomba-auth leaves out the /v1 at its end`,
      "remove /v1 from NOMBA_BASE_URL: other programs would call /v1/v1/…, which is a 404"
    )
  }
  if (BaseUrl.isNombas(url) && named === undefined) {
    return warning(`${described}: not a host of Nomba's API`, `set NOMBA_BASE_URL to ${ofNomba.join(" or ")}`)
  }
  return ok(described)
}
