import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, TestClock } from "effect"
import { type Resource, Sandbox, SandboxError } from "nomba-auth/sandbox"
import { builtIn } from "../../src/sandbox/resources/builtIn.js"
import { assertRefused, bearer, login, send } from "./support.js"

const sandbox = Effect.provide(Sandbox.layer())

/** Calls of a client that has logged in. */
const client = Effect.gen(function* () {
  const { client, url } = yield* Sandbox
  const { access } = yield* login
  const call =
    (method: "GET" | "POST" | "PUT" | "DELETE") =>
    (path: string, body?: unknown, headers: Record<string, string> = {}) =>
      send(client, `${url}${path}`, method, {
        headers: { ...bearer(access), ...headers },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
      })
  return { get: call("GET"), post: call("POST"), put: call("PUT"), del: call("DELETE") }
})

const transfer = {
  amount: 100,
  accountNumber: "0123456789",
  accountName: "Ada",
  bankCode: "990001",
  merchantTxRef: "t-1"
}

const order = { callbackUrl: "https://shop.example/", customerEmail: "a@b.example", amount: 50.25, currency: "NGN" }

describe("built-in resources", () => {
  it.effect("need a valid bearer token on every route", () =>
    Effect.gen(function* () {
      const { client, url } = yield* Sandbox
      for (const { method, paths } of builtIn) {
        for (const path of paths) {
          const options = method === "GET" ? {} : { body: "{}" }
          const answer = yield* send(client, `${url}${path}`, method as "GET" | "POST", options)
          assertRefused(answer, 401, "Authorization: is missing")
        }
      }
    }).pipe(sandbox)
  )

  it.effect("name each member that is missing or invalid", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      for (const { method, paths, query = {}, requires = {} } of builtIn) {
        const names = Object.keys(requires)
        if (method === "POST" && names.length > 0) {
          assertRefused(yield* post(paths[0] ?? "", {}), 400, ...names.map((name) => `${name}: is missing`))
          assertRefused(yield* post(paths[0] ?? "", "{"), 400, "body: is not JSON")
        }
        const parameters = Object.keys(query)
        if (parameters.length > 0) {
          assertRefused(
            yield* get(paths[0] ?? ""),
            400,
            ...parameters.map((name) => `${name}: is missing in the query`)
          )
        }
      }
      assertRefused(
        yield* post("/v1/checkout/order", { order: { ...order, amount: "7", currency: "EUR" } }),
        400,
        "order.amount: must be a number above zero with at most two decimals",
        "order.currency: must be one of NGN, CDF, USD"
      )
    }).pipe(sandbox)
  )

  it.effect("answer what the API description requires of each call", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      const balance = (yield* get("/v1/accounts/balance")).json
      assert.deepStrictEqual(balance, {
        code: "00",
        description: "Success",
        data: { amount: "250000.00", currency: "NGN", timeCreated: "1970-01-01T00:00:00.000Z" }
      })
      for (const path of ["/v1/accounts/parent/balance", "/v1/accounts/a-sub-account/balance"]) {
        assert.deepStrictEqual((yield* get(path)).json, balance)
      }
      assert.containsAllKeys((yield* get("/v1/accounts/parent")).json.data, [
        "accountId",
        "accountHolderId",
        "accountRef",
        "accountName",
        "status",
        "type",
        "currency",
        "createdAt",
        "banks"
      ])
      const virtual = yield* post("/v1/accounts/virtual", { accountRef: "ref-1", accountName: "Ada" })
      assert.deepInclude(virtual.json.data, {
        accountRef: "ref-1",
        accountName: "Ada",
        currency: "NGN",
        expired: false
      })
      for (const id of ["ref-1", virtual.json.data.bankAccountNumber]) {
        assert.deepStrictEqual((yield* get(`/v1/accounts/virtual/${id}`)).json.data, virtual.json.data)
      }
      assert.lengthOf((yield* get("/v1/accounts/virtual")).json.data.results, 1)
      const card = yield* post("/v1/checkout/tokenized-card-payment", { order, tokenKey: "key" })
      assert.deepStrictEqual(card.json.data, { status: true, message: "Payment approved" })
      assert.containsAllKeys((yield* get("/v1/transfers/banks")).json.data[0], ["code", "name", "nipCode", "logo"])
      const lookup = yield* post("/v1/transfers/bank/lookup", { accountNumber: "1", bankCode: "2" })
      assert.deepInclude(lookup.json.data, { accountNumber: "1" })
    }).pipe(sandbox)
  )

  it.effect("pay a transfer once, on every path and for every sub-account", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      const paths = ["/v1/transfers/bank", "/v2/transfers/bank", "/v1/transfers/bank/sub", "/v2/transfers/bank/sub"]
      const answers = yield* Effect.forEach(paths, (path) => post(path, transfer))
      for (const { json, status } of answers) {
        assert.strictEqual(status, 200)
        assert.deepStrictEqual(json, answers[0]?.json)
      }
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "249900.00")
      assert.lengthOf((yield* get("/v1/transactions/accounts")).json.data.results, 1)
    }).pipe(sandbox)
  )

  it.effect("refuse a transfer beyond the balance, and let the reference be used again", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      const refused = yield* post("/v2/transfers/bank", { ...transfer, amount: 250_000.01 })
      assert.deepInclude(refused.json, { code: "200", description: "INSUFFICIENT_BALANCE", status: false })
      assert.strictEqual((yield* post("/v2/transfers/bank", transfer)).json.description, "SUCCESS")
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "249900.00")
    }).pipe(sandbox)
  )

  it.effect("fail or leave a transfer pending under transferOutcome", () =>
    Effect.gen(function* () {
      const { configure } = yield* Sandbox
      const { get, post } = yield* client
      yield* configure({ transferOutcome: "failed" })
      const failed = yield* post("/v2/transfers/bank", transfer)
      assert.deepInclude(failed.json, { code: "200", description: "FAILED", status: false })
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "250000.00")
      yield* configure({ transferOutcome: "pending" })
      const pending = yield* post("/v2/transfers/bank", { ...transfer, merchantTxRef: "t-2" })
      assert.strictEqual(pending.status, 201)
      assert.deepInclude(pending.json, { code: "201", status: false })
      assert.strictEqual(pending.json.data.status, "PENDING_BILLING")
      yield* TestClock.adjust("59999 millis")
      const status = Effect.map(
        get("/v1/transactions/accounts/single?merchantTxRef=t-2"),
        ({ json }) => json.data.status
      )
      assert.strictEqual(yield* status, "PENDING_BILLING")
      yield* TestClock.adjust("1 millis")
      assert.strictEqual(yield* status, "SUCCESS")
    }).pipe(sandbox)
  )

  it.effect("credit an order, find it by its reference or id, and refund it once", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      const made = yield* post("/v1/checkout/order", { order })
      const { orderReference } = made.json.data
      assert.match(orderReference, /^[0-9a-f-]{36}$/)
      yield* post("/v1/checkout/order", { order: { ...order, orderReference } })
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "250050.25")
      const find = (type: string, id: string) => get(`/v1/checkout/transaction?idType=${type}&id=${id}`)
      const found = yield* find("ORDER_REFERENCE", orderReference)
      assert.deepInclude(found.json.data.order, { ...order, orderReference })
      assert.strictEqual((yield* find("ORDER_ID", found.json.data.order.orderId)).text, found.text)
      assertRefused(yield* find("ORDER_REFERENCE", "nothing"), 404, "no order with this reference")
      const { id } = (yield* get(`/v1/transactions/accounts/single?orderReference=${orderReference}`)).json.data
      assert.strictEqual((yield* post("/v1/checkout/refund", { transactionId: id })).json.data.success, true)
      assertRefused(
        yield* post("/v1/checkout/refund", { transactionId: id }),
        400,
        "transactionId: was refunded before"
      )
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "250000.00")
    }).pipe(sandbox)
  )

  it.effect("refuse an amount that is not in whole kobo", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      for (const amount of [0.001, 0.005, 10.005, 0, -1, 1e13, "10"]) {
        const refused = yield* post("/v2/transfers/bank", { ...transfer, amount })
        assertRefused(refused, 400, "amount: must be a number above zero with at most two decimals")
      }
      for (const amount of [0.01, 0.29, 1.1, 4.35, 1000.1]) {
        const paid = yield* post("/v2/transfers/bank", { ...transfer, amount, merchantTxRef: String(amount) })
        assert.strictEqual(paid.json.description, "SUCCESS", String(amount))
      }
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "248994.15")
    }).pipe(sandbox)
  )

  it.effect("find an order by the kind of id that is asked for, and by no other", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      yield* post("/v1/checkout/order", { order: { ...order, orderReference: "o-1" } })
      const find = (type: string) => get(`/v1/checkout/transaction?idType=${type}&id=o-1`)
      assert.strictEqual((yield* find("ORDER_REFERENCE")).status, 200)
      assertRefused(yield* find("ORDER_ID"), 404)
      assertRefused(yield* find("BOGUS"), 400, "idType: must be one of ORDER_REFERENCE, ORDER_ID in the query")
    }).pipe(sandbox)
  )

  it.effect("leave the balance in naira alone when an order in another currency is paid or refunded", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      yield* post("/v1/checkout/order", { order: { ...order, currency: "USD", orderReference: "o-1" } })
      const { id } = (yield* get("/v1/transactions/accounts/single?orderReference=o-1")).json.data
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "250000.00")
      assert.strictEqual((yield* post("/v1/checkout/refund", { transactionId: id })).status, 200)
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "250000.00")
    }).pipe(sandbox)
  )

  it.effect("refuse a refund beyond the balance", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      yield* post("/v1/checkout/order", { order: { ...order, orderReference: "o-1" } })
      const { id } = (yield* get("/v1/transactions/accounts/single?orderReference=o-1")).json.data
      yield* post("/v2/transfers/bank", { ...transfer, amount: 250_050 })
      assertRefused(yield* post("/v1/checkout/refund", { transactionId: id }), 400, "amount: is more than the balance")
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "0.25")
    }).pipe(sandbox)
  )

  it.effect("know the sub-accounts of a client that names them", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      for (const account of ["sub-1", "parent", Sandbox.defaultClient.accountId]) {
        assert.strictEqual((yield* get(`/v1/accounts/${account}/balance`)).status, 200, account)
      }
      for (const refused of [
        yield* get("/v1/accounts/sub-2/balance"),
        yield* get("/v1/transactions/accounts/sub-2"),
        yield* post("/v2/transfers/bank/sub-2", transfer)
      ]) {
        assertRefused(refused, 404, "no account of this client with this id")
      }
    }).pipe(Effect.provide(Sandbox.layer({ clients: [{ ...Sandbox.defaultClient, subAccountIds: ["sub-1"] }] })))
  )

  it.effect("list the transactions between two dates in UTC, the last day included", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("20 hours")
      const { get, post } = yield* client
      yield* post("/v2/transfers/bank", transfer)
      const found = (query: string) =>
        Effect.map(get(`/v1/transactions/accounts?${query}`), ({ json }) => json.data.results.length)
      for (const [query, count] of [
        ["dateFrom=1970-01-01&dateTo=1970-01-01", 1],
        ["dateFrom=1970-01-02", 0],
        ["dateTo=1969-12-31", 0],
        ["dateFrom=1970-01-01T20:00:00&dateTo=1970-01-01%2020:00:00", 1],
        ["dateFrom=1970-01-01T20:00:00-01:00", 0]
      ] as const) {
        assert.strictEqual(yield* found(query), count, query)
      }
      assertRefused(
        yield* get("/v1/transactions/accounts?dateFrom=soon"),
        400,
        "dateFrom: must be a date or a time in the query"
      )
    }).pipe(sandbox)
  )

  it.effect("list transactions in pages", () =>
    Effect.gen(function* () {
      const { get, post } = yield* client
      for (let n = 1; n <= 5; n++) yield* post("/v2/transfers/bank", { ...transfer, merchantTxRef: `t-${n}` })
      const page = (query: string) =>
        Effect.map(get(`/v1/transactions/accounts?${query}`), ({ json }) => [
          json.data.results.map(({ merchantTxRef }: { merchantTxRef: string }) => merchantTxRef),
          json.data.cursor
        ])
      assert.deepStrictEqual(yield* page("limit=2"), [["t-5", "t-4"], "2"])
      assert.deepStrictEqual(yield* page("limit=2&cursor=2"), [["t-3", "t-2"], "4"])
      assert.deepStrictEqual(yield* page("limit=2&cursor=4"), [["t-1"], ""])
      assert.deepStrictEqual(yield* page("dateFrom=2000-01-01"), [[], ""])
    }).pipe(sandbox)
  )

  it.effect("are kept for each client, and forgotten by a reset", () => {
    const other = { clientId: "other", clientSecret: Redacted.make("another secret") }
    return Effect.gen(function* () {
      const { client: http, reset, url } = yield* Sandbox
      const { get, post } = yield* client
      yield* post("/v2/transfers/bank", transfer)
      const issued = yield* send(http, `${url}/v1/auth/token/issue`, "POST", {
        body: JSON.stringify({
          grant_type: "client_credentials",
          client_id: other.clientId,
          client_secret: "another secret"
        })
      })
      const theirs = bearer(issued.json.data.access_token)
      assert.lengthOf((yield* get("/v1/transactions/accounts", undefined, theirs)).json.data.results, 0)
      yield* reset
      const again = yield* client
      assert.lengthOf((yield* again.get("/v1/transactions/accounts")).json.data.results, 0)
    }).pipe(Effect.provide(Sandbox.layer({ clients: [Sandbox.defaultClient, other] })))
  })

  it.effect("can be left out", () =>
    Effect.gen(function* () {
      const { get } = yield* client
      assertRefused(yield* get("/v1/accounts/balance"), 404)
    }).pipe(Effect.provide(Sandbox.layer({ builtInResources: false })))
  )
})

describe("responses of the user", () => {
  const terminal: Resource = {
    method: "POST",
    path: "/v1/terminals/{id}",
    status: 201,
    headers: { "x-terminal": "yes" },
    body: {
      code: "00",
      data: {
        id: "{{path.id}}",
        label: "Terminal {{path.id}} of {{query.shop}}",
        amount: "{{body.payment.amount}}",
        reference: "{{body.reference ?? uuid}}",
        at: "{{now}}",
        account: "{{accountId}}",
        nothing: "{{body.__proto__}}",
        list: ["{{body.missing}}", 1]
      }
    }
  }

  it.effect("fill placeholders with the type of the value", () =>
    Effect.gen(function* () {
      const { post } = yield* client
      const answer = yield* post("/v1/terminals/7%2F8?shop=Lagos", { payment: { amount: 12.5 } })
      assert.strictEqual(answer.status, 201)
      assert.strictEqual(answer.headers["x-terminal"], "yes")
      const { reference, ...data } = answer.json.data
      assert.match(reference, /^[0-9a-f-]{36}$/)
      assert.deepStrictEqual(data, {
        id: "7/8",
        label: "Terminal 7/8 of Lagos",
        amount: 12.5,
        at: "1970-01-01T00:00:00.000Z",
        account: Sandbox.defaultClient.accountId,
        list: [null, 1]
      })
      assert.strictEqual((yield* post("/v1/terminals/1", { reference: "mine" })).json.data.reference, "mine")
    }).pipe(Effect.provide(Sandbox.layer({ resources: [terminal] })))
  )

  it.effect("are sent as JSON has them, a Date for one", () =>
    Effect.gen(function* () {
      const { respond } = yield* Sandbox
      const { get } = yield* client
      yield* respond({ method: "GET", path: "/v1/x", body: { at: new Date(0), list: [new Date(1)] } })
      assert.deepStrictEqual((yield* get("/v1/x")).json, {
        at: "1970-01-01T00:00:00.000Z",
        list: ["1970-01-01T00:00:00.001Z"]
      })
    }).pipe(sandbox)
  )

  it.effect("are listed by a 404 under /v1/ and /v2/ for a client, and by no other", () =>
    Effect.gen(function* () {
      const { client: http, respond, url } = yield* Sandbox
      const { get } = yield* client
      yield* respond({ method: "GET", path: "/v1/my-secret-plan" })
      assert.include((yield* get("/v1/nowhere")).text, "/v1/my-secret-plan")
      for (const path of ["//x", "/nowhere", "/v3/x", "/v1"]) {
        const answer = yield* send(http, `${url}${path}`, "GET")
        assertRefused(answer, 404)
        assert.notInclude(answer.text, "plan", path)
      }
    }).pipe(sandbox)
  )

  it.effect("answer HEAD where there is GET, without the body", () =>
    Effect.gen(function* () {
      const { client: http, url } = yield* Sandbox
      const { access } = yield* login
      const head = yield* send(http, `${url}/v1/accounts/balance`, "HEAD", { headers: bearer(access) })
      assert.deepInclude(head, { status: 200, text: "" })
      const refused = yield* send(http, `${url}/v1/checkout/order`, "HEAD", { headers: bearer(access) })
      assert.deepInclude(refused, { status: 405 })
      assert.strictEqual(refused.headers["allow"], "POST")
    }).pipe(sandbox)
  )

  it.effect("match a path as it is written, encoded or with a name that has a hyphen", () =>
    Effect.gen(function* () {
      const { respond } = yield* Sandbox
      const { get } = yield* client
      yield* respond({ method: "GET", path: "/v1/terminals/{terminal-id}", body: "{{path.terminal-id}}" })
      yield* respond({ method: "GET", path: "/v1/café/{id}", body: "{{path.id}}" })
      assert.strictEqual((yield* get("/v1/terminals/7")).text, "7")
      assert.strictEqual((yield* get("/v1/caf%C3%A9/8")).text, "8")
    }).pipe(sandbox)
  )

  it.effect("take precedence over built-in ones, exact paths over patterns, and can be removed", () =>
    Effect.gen(function* () {
      const { clearResponses, respond } = yield* Sandbox
      const { get } = yield* client
      yield* respond({ method: "GET", path: "/v1/accounts/*", body: "any" })
      yield* respond({ method: "GET", path: "/v1/accounts/{id}/balance", body: "some" })
      yield* respond({ method: "GET", path: "/v1/accounts/mine/balance", status: 418 })
      assert.strictEqual((yield* get("/v1/accounts/balance")).text, "any")
      assert.strictEqual((yield* get("/v1/accounts/1/balance")).text, "some")
      assertRefused(yield* get("/v1/accounts/mine/balance"), 418)
      yield* respond({ method: "GET", path: "/v1/accounts/mine/balance", status: 204 })
      assert.strictEqual((yield* get("/v1/accounts/mine/balance")).status, 204)
      yield* clearResponses
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "250000.00")
    }).pipe(sandbox)
  )

  it.effect("are logged without what they repeat of the request", () =>
    Effect.gen(function* () {
      const { respond, view } = yield* Sandbox
      const { post } = yield* client
      yield* respond({ method: "POST", path: "/v1/x", status: 422, body: { errors: ["bad {{body.x}}"] } })
      assert.include((yield* post("/v1/x", { x: "\u001b[31mSENTINEL\n" })).json.errors[0], "SENTINEL")
      const { requests: log } = yield* view
      assert.deepInclude(log[0], { status: 422, why: "a response of your own" })
      assert.notInclude(JSON.stringify(log), "SENTINEL")
    }).pipe(sandbox)
  )

  it.effect("come back to those of the start with a reset", () =>
    Effect.gen(function* () {
      const { clearResponses, reset, view } = yield* Sandbox
      yield* clearResponses
      yield* reset
      assert.deepStrictEqual((yield* view).resources, [terminal])
    }).pipe(Effect.provide(Sandbox.layer({ resources: [terminal] })))
  )

  it.effect("are added, listed and removed over HTTP", () =>
    Effect.gen(function* () {
      const { client: http, url } = yield* Sandbox
      const control = (method: "GET" | "POST" | "DELETE", body?: unknown) =>
        send(http, `${url}/_sandbox/resources`, method, body === undefined ? {} : { body: JSON.stringify(body) })
      const added = yield* control("POST", { method: "GET", path: "/v1/x", body: { a: 1 } })
      assert.deepStrictEqual(added.json.own, [{ method: "GET", path: "/v1/x", body: { a: 1 } }])
      assert.deepInclude(added.json.builtIn, { method: "GET", path: "/v1/accounts/balance" })
      const { get } = yield* client
      assert.deepStrictEqual((yield* get("/v1/x")).json, { a: 1 })
      assert.deepStrictEqual((yield* control("DELETE")).json.own, [])
      assertRefused(yield* get("/v1/x"), 404)
      assertRefused(
        yield* control("POST", { method: "GET", path: "/elsewhere" }),
        400,
        "path: must be a path under /v1/ or /v2/ without a query, and not under /v1/auth/; {name} stands for a whole segment, and * only at the end"
      )
    }).pipe(sandbox)
  )

  it.effect("are refused with reason Resource, or Options at the start, if they cannot be sent", () =>
    Effect.gen(function* () {
      const { respond } = yield* Sandbox
      for (const impossible of [
        { method: "FETCH", path: "/v1/x" },
        { method: "GET", path: "/v3/x" },
        { method: "GET", path: "/v1/auth/token/issue" },
        { method: "GET", path: "/v1/foo*" },
        { method: "GET", path: "/v1/*/x" },
        { method: "GET", path: "/v1/x-{id}" },
        { method: "GET", path: "/v1/{}" },
        { method: "GET", path: "/v1/{a.b}" },
        { method: "GET", path: "/v1/x", status: 99 },
        { method: "GET", path: "/v1/x", headers: { "content-length": "1" } },
        { method: "GET", path: "/v1/x", body: 1n },
        { method: "GET", path: "/v1/x", more: true }
      ]) {
        const error = yield* Effect.flip(respond(impossible as Resource))
        assert.instanceOf(error, SandboxError)
        assert.strictEqual(error.reason, "Resource")
        const atStart = yield* Effect.flip(Effect.scoped(Sandbox.make({ resources: [impossible as Resource] })))
        assert.strictEqual(atStart.reason, "Options")
        assert.match(atStart.message, /^resources\.0/)
      }
    }).pipe(sandbox)
  )

  it.effect("are bounded", () =>
    Effect.gen(function* () {
      const { respond } = yield* Sandbox
      for (let n = 0; n < 200; n++) yield* respond({ method: "GET", path: `/v1/x/${n}` })
      assert.strictEqual((yield* Effect.flip(respond({ method: "GET", path: "/v1/y" }))).reason, "Resource")
      yield* respond({ method: "GET", path: "/v1/x/0", status: 201 })
    }).pipe(sandbox)
  )
})

describe("examples", () => {
  const examples: ReadonlyArray<Resource> = [
    ...Array.from({ length: 250 }, (_, n): Resource => ({ method: "GET", path: `/v1/things/${n}`, body: "thing" })),
    { method: "GET", path: "/v1/accounts/balance", body: "not the built-in one" },
    { method: "GET", path: "/v1/accounts/virtual/{other-name}", body: "not the built-in one" },
    { method: "GET", path: "/v1/accounts/virtual/limits", body: { text: "Dear {{customer}} {{uuid}}" } }
  ]

  it.effect("are sent as they are, after the user's own and the built-in responses, and stay when those go", () =>
    Effect.gen(function* () {
      const { clearResponses, respond } = yield* Sandbox
      const { get } = yield* client
      const limits = yield* get("/v1/accounts/virtual/limits")
      assert.deepStrictEqual(limits.json, { text: "Dear {{customer}} {{uuid}}" })
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "250000.00")
      assertRefused(yield* get("/v1/accounts/virtual/none"), 404, "no virtual account with this reference")
      yield* respond({ method: "GET", path: "/v1/things/*", body: "mine" })
      assert.strictEqual((yield* get("/v1/things/7")).text, "mine")
      yield* clearResponses
      assert.strictEqual((yield* get("/v1/things/7")).text, "thing")
    }).pipe(Effect.provide(Sandbox.layer({ examples })))
  )

  it.effect("answer for the built-in responses if these are left out", () =>
    Effect.gen(function* () {
      const { get } = yield* client
      assert.strictEqual((yield* get("/v1/accounts/balance")).text, "not the built-in one")
    }).pipe(Effect.provide(Sandbox.layer({ examples, builtInResources: false })))
  )
})

describe("faults for a method and path", () => {
  it.effect("apply to the requests that match, before those of the operation", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      const { get, post } = yield* client
      yield* fault("resource", { answer: { status: 500 } })
      yield* fault("POST /v2/transfers/*", { answer: { status: 502 }, processed: true })
      yield* fault("* /v1/accounts/{id}/balance", { answer: { status: 503 } })
      yield* fault("GET /elsewhere", { answer: { status: 504 } })
      assertRefused(yield* post("/v2/transfers/bank", transfer), 502)
      assertRefused(yield* get("/v1/accounts/1/balance"), 503)
      assertRefused(yield* get("/v1/accounts/balance"), 500)
      assertRefused(yield* get("/elsewhere"), 504)
      assert.strictEqual((yield* get("/v1/accounts/balance")).json.data.amount, "249900.00")
    }).pipe(sandbox)
  )

  it.effect("are refused for a target that is none, or beyond 64 targets", () =>
    Effect.gen(function* () {
      const { fault } = yield* Sandbox
      for (const target of [
        ...["balance", "GET", "GET v1", "get /v1/x", "GET /v1/x?y", "", "GET /v1/*/balance", "GET /v1/x-{id}"],
        ...["GET /health", "* /", "GET /docs/control", "GET /_sandbox/state", "OPTIONS /v1/accounts/balance"]
      ]) {
        assert.strictEqual((yield* Effect.flip(fault(target as "issue", {}))).reason, "Fault", target)
      }
      for (let n = 0; n < 64; n++) yield* fault(`GET /v1/${n}`, { latency: 1 })
      assert.strictEqual((yield* Effect.flip(fault("GET /v1/more", { latency: 1 }))).reason, "Fault")
    }).pipe(sandbox)
  )
})
