import { assert, describe, it } from "vitest"
import type { Finding } from "../../../src/cli/doctor/Finding.js"
import * as values from "../../../src/cli/doctor/values.js"

const id = "5e2c7ab5-dc95-431e-97bd-85319087245a"
const account = "aef105ad-f352-47a9-9531-d65072584430"
const secret = "qckdiIIlPkLtDNom9YyQKocd/zlFIL9A2ogzm0i912M="
const longSecret = `${secret.slice(0, 43)}${secret.slice(0, 43)}==`

const given = (origin: string, text: string): values.Given => ({ origin, text })

const right: values.Values = {
  clientId: given("NOMBA_CLIENT_ID", id),
  clientSecret: given("NOMBA_CLIENT_SECRET", secret),
  otherSecret: undefined,
  accountId: given("NOMBA_ACCOUNT_ID", account),
  refused: new Map(),
  unread: [],
  isNomba: true
}

type Row = readonly [what: string, change: Partial<values.Values>, expected: Finding]

const ok = (says: string): Finding => ({ level: "ok", says })
const warning = (says: string, change: string): Finding => ({ level: "warning", says, change })
const problem = (says: string, change: string): Finding => ({ level: "problem", says, change, exitCode: 2 })

const table = (judge: (values: values.Values) => Finding, rows: ReadonlyArray<Row>): void => {
  it.each(rows)("%s", (_, change, expected) => {
    assert.deepStrictEqual(judge({ ...right, ...change }), expected)
  })
}

describe("client id", () => {
  table(values.clientId, [
    ["says where it comes from and its shape", {}, ok("from NOMBA_CLIENT_ID: 36 characters, a UUID")],
    [
      "swapped with the secret",
      {
        clientId: given("NOMBA_CLIENT_ID", secret),
        clientSecret: given("NOMBA_CLIENT_SECRET", id)
      },
      problem(
        "from NOMBA_CLIENT_ID: 44 characters, base64: the client id looks like a secret, and the client secret like an id",
        "swap NOMBA_CLIENT_ID and NOMBA_CLIENT_SECRET"
      )
    ],
    [
      "the secret given twice",
      { clientId: given("NOMBA_CLIENT_ID", secret) },
      problem("NOMBA_CLIENT_ID is the same as the client secret", "copy both from the Nomba dashboard again")
    ],
    [
      "a secret, and another secret",
      { clientId: given("NOMBA_CLIENT_ID", longSecret) },
      warning(
        "from NOMBA_CLIENT_ID: 88 characters, base64: it looks like a client secret",
        "put the client id into NOMBA_CLIENT_ID, which is a UUID at Nomba"
      )
    ],
    [
      "the account id",
      { clientId: given("NOMBA_CLIENT_ID", account) },
      warning(
        "NOMBA_CLIENT_ID is the same as the account id",
        "copy both from the Nomba dashboard: they are different ids"
      )
    ],
    [
      "white space and a line end around it",
      { clientId: given("NOMBA_CLIENT_ID", ` ${id}\r\n`) },
      warning(
        "from NOMBA_CLIENT_ID: 36 characters, a UUID, with white space or a line end around it",
        "nomba-auth leaves it out, other programs may send it: remove it from NOMBA_CLIENT_ID"
      )
    ],
    [
      "what the library refuses",
      {
        clientId: given("NOMBA_CLIENT_ID", "your-client-id"),
        refused: new Map([["NOMBA_CLIENT_ID", "NOMBA_CLIENT_ID is a placeholder: put the real value there"]])
      },
      problem("NOMBA_CLIENT_ID is a placeholder", "put the real value there")
    ],
    [
      "another shape than Nomba's",
      { clientId: given("NOMBA_CLIENT_ID", "shop@example.com") },
      warning(
        "from NOMBA_CLIENT_ID: 16 characters, an e-mail address: Nomba's client ids are UUIDs",
        "copy it from the Nomba dashboard again"
      )
    ],
    [
      "any shape on another host",
      { clientId: given("NOMBA_CLIENT_ID", "shop"), isNomba: false },
      ok("from NOMBA_CLIENT_ID: 4 characters")
    ],
    [
      "not set, while another variable looks like it",
      {
        clientId: undefined,
        refused: new Map([["NOMBA_CLIENT_ID", "NOMBA_CLIENT_ID is not set: copy it from the Nomba dashboard"]]),
        unread: ["NOMBA_CLIENTID", "NOMBA_SECRET"]
      },
      problem(
        "NOMBA_CLIENT_ID is not set",
        "copy it from the Nomba dashboard. NOMBA_CLIENTID, NOMBA_SECRET are set and are not read"
      )
    ]
  ])
})

describe("client secret", () => {
  table(values.clientSecret, [
    ["says its shape", {}, ok("from NOMBA_CLIENT_SECRET: 44 characters, base64")],
    [
      "of 64 bytes",
      { clientSecret: given("--client-secret-file", longSecret) },
      ok("from --client-secret-file: 88 characters, base64")
    ],
    ["of a public client", { clientSecret: "not needed" }, { level: "skipped", says: "a public client has none" }],
    [
      "the account id",
      { clientSecret: given("NOMBA_CLIENT_SECRET", account) },
      problem(
        "NOMBA_CLIENT_SECRET is the same as the account id",
        'put the value there that the dashboard calls "Private Key"'
      )
    ],
    [
      "an id",
      { clientSecret: given("NOMBA_CLIENT_SECRET", "2b0c8a52-7b1f-4f0e-9a62-0d2a3ab0f0aa"), isNomba: false },
      warning(
        "from NOMBA_CLIENT_SECRET: 36 characters, a UUID: it looks like an id",
        'put the value into NOMBA_CLIENT_SECRET that the dashboard calls "Private Key"'
      )
    ],
    [
      "an access token",
      { clientSecret: given("NOMBA_CLIENT_SECRET", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln") },
      warning(
        "from NOMBA_CLIENT_SECRET: 41 characters, a JWT: it looks like an access token",
        "put the client secret into NOMBA_CLIENT_SECRET"
      )
    ],
    [
      "cut off",
      { clientSecret: given("NOMBA_CLIENT_SECRET", secret.slice(0, -1)) },
      warning(
        "from NOMBA_CLIENT_SECRET: 43 characters: Nomba's secrets have 44 or 88 characters of base64",
        "copy it again: a part may be missing"
      )
    ],
    [
      "set twice, differently",
      { otherSecret: "NOMBA_PRIVATE_KEY" },
      warning(
        "from NOMBA_CLIENT_SECRET: 44 characters, base64; NOMBA_PRIVATE_KEY has another value, which does not count",
        "remove NOMBA_PRIVATE_KEY"
      )
    ]
  ])
})

describe("account id", () => {
  table(values.accountId, [
    ["says its shape", {}, ok("from NOMBA_ACCOUNT_ID: 36 characters, a UUID")],
    [
      "not set, at Nomba",
      { accountId: undefined },
      problem("not set: Nomba answers 401 to requests without it", "set NOMBA_ACCOUNT_ID to the parent account's id")
    ],
    ["not set, on another host", { accountId: undefined, isNomba: false }, ok("not set; Nomba's own hosts require it")],
    [
      "a secret, which a header would carry",
      { accountId: given("NOMBA_ACCOUNT_ID", longSecret) },
      warning(
        "from NOMBA_ACCOUNT_ID: 88 characters, base64: it looks like a client secret, and is sent with every request",
        "put the parent account's id into NOMBA_ACCOUNT_ID"
      )
    ],
    [
      "another shape than Nomba's",
      { accountId: given("NOMBA_ACCOUNT_ID", "12345678") },
      warning(
        "from NOMBA_ACCOUNT_ID: 8 characters: Nomba's account ids are UUIDs",
        "copy the parent account's id from the dashboard"
      )
    ]
  ])
})

describe("environment", () => {
  const environment = (
    variables: { readonly baseUrl?: string; readonly environment?: string },
    baseUrl: values.Environment["baseUrl"],
    refused: ReadonlyMap<string, string> = new Map()
  ): Finding =>
    values.environment({
      baseUrl,
      refused,
      variables: { baseUrl: variables.baseUrl, environment: variables.environment }
    })
  const production = "https://api.nomba.com"
  const sandbox = "https://sandbox.nomba.com"
  const fromUrl = "from NOMBA_BASE_URL"

  it.each<readonly [string, Finding, Finding]>([
    [
      "by default",
      environment({}, { url: sandbox, origin: "by default" }),
      ok("https://sandbox.nomba.com by default, Nomba's sandbox")
    ],
    [
      "named",
      environment({ environment: "production" }, { url: production, origin: "from NOMBA_ENVIRONMENT" }),
      ok("https://api.nomba.com from NOMBA_ENVIRONMENT, Nomba's production")
    ],
    [
      "a base URL with /v1",
      environment({ baseUrl: "https://api.nomba.com/v1/" }, { url: production, origin: fromUrl }),
      warning(
        "https://api.nomba.com from NOMBA_BASE_URL, Nomba's production: nomba-auth leaves out the /v1 at its end",
        "remove /v1 from NOMBA_BASE_URL: other programs would call /v1/v1/…, which is a 404"
      )
    ],
    [
      "a base URL beside the same environment",
      environment({ baseUrl: production, environment: "production" }, { url: production, origin: fromUrl }),
      ok("https://api.nomba.com from NOMBA_BASE_URL, Nomba's production")
    ],
    [
      "a base URL beside another environment",
      environment({ baseUrl: production, environment: "sandbox" }, { url: production, origin: fromUrl }),
      warning(
        "https://api.nomba.com from NOMBA_BASE_URL, Nomba's production: NOMBA_ENVIRONMENT does not count beside NOMBA_BASE_URL, and names another host",
        "remove one of the two"
      )
    ],
    [
      "another host of Nomba",
      environment({ baseUrl: "https://dashboard.nomba.com" }, { url: "https://dashboard.nomba.com", origin: fromUrl }),
      warning(
        "https://dashboard.nomba.com from NOMBA_BASE_URL: not a host of Nomba's API",
        "set NOMBA_BASE_URL to https://api.nomba.com or https://sandbox.nomba.com"
      )
    ],
    [
      "a port that fetch refuses",
      environment(
        { baseUrl: "https://127.0.0.1:6000" },
        undefined,
        new Map([["NOMBA_BASE_URL", "NOMBA_BASE_URL uses port 6000, which fetch refuses: use another port"]])
      ),
      problem("NOMBA_BASE_URL uses port 6000, which fetch refuses", "use another port")
    ]
  ])("%s", (_, found, expected) => {
    assert.deepStrictEqual(found, expected)
  })
})

it("no finding shows more of a value than its length and shape", () => {
  const texts = [id, account, secret, longSecret, "q7x.v9@zk3.example", "zq9-Xw7,vK3 jq", "https://zq:w9x8@kq7"]
  for (const one of texts) {
    for (const other of texts) {
      const changed: values.Values = {
        ...right,
        clientId: given("A", ` ${one}\n`),
        clientSecret: given("B", other),
        accountId: given("C", one)
      }
      for (const finding of [values.clientId(changed), values.clientSecret(changed), values.accountId(changed)]) {
        const shown = JSON.stringify(finding)
        for (const text of texts) {
          for (let at = 0; at + 5 <= text.length; at++) assert.notInclude(shown, text.slice(at, at + 5))
        }
      }
    }
  }
})
