/** The calls that most integrations make after the token, as data. `Ledger.ts` interprets them. */
import type { Resource } from "../config/Resource.js"

/** What a member of a request must be: text, an amount of money above zero in whole kobo, or one of some words. */
export type Rule = "text" | "amount" | ReadonlyArray<string>

export type Kind = "virtual account" | "order" | "transaction"

/** Names that a record is found by. Both the names and the values are filled in. */
export type Ids = Readonly<Record<string, string>>

/** What is kept. A request whose first record shares an id with a kept one is a repeat, and creates nothing. */
export interface Save {
  readonly kind: Kind
  /** Filled in first, so that `data` can use them as `{{ids.name}}`. */
  readonly ids: Ids
  readonly data: object
  /** Money that moves into the balance, or with `debit` out of it. */
  readonly credit?: string
  readonly debit?: string
  /** The currency of the money. Only naira change the balance. Default: naira. */
  readonly currency?: string
}

export interface BuiltIn {
  readonly method: Resource["method"]
  readonly paths: ReadonlyArray<string>
  /** Required members of the body, by dotted path. */
  readonly requires?: Readonly<Record<string, Rule>>
  /** Required parameters of the query. */
  readonly query?: Readonly<Record<string, Rule>>
  /** The first record answers the request, as `record`. */
  readonly saves?: readonly [Save, ...ReadonlyArray<Save>]
  /** A kept record with one of these ids is `record`; without one the response is a 404. */
  readonly finds?: { readonly kind: Kind; readonly ids: Ids }
  /** A page of the kept records is `records`, the newest first. */
  readonly lists?: Kind
  /** The found transaction is paid back. */
  readonly refunds?: boolean
  /** Answers in the way of transfers: the status of the record decides about code, description and HTTP status. */
  readonly transfers?: boolean
  readonly data: unknown
}

const order = {
  "order.callbackUrl": "text",
  "order.customerEmail": "text",
  "order.amount": "amount",
  "order.currency": ["NGN", "CDF", "USD"]
} as const

const payment = (gatewayMessage: string): Save => ({
  kind: "transaction",
  ids: { id: "{{uuid}}", orderReference: "{{record.orderReference}}", orderId: "{{record.orderId}}" },
  credit: "{{body.order.amount}}",
  currency: "{{body.order.currency}}",
  data: {
    id: "{{ids.id}}",
    status: "SUCCESS",
    amount: "{{money body.order.amount}}",
    currency: "{{body.order.currency}}",
    source: "web",
    type: "online_checkout",
    gatewayMessage,
    timeCreated: "{{now}}",
    orderReference: "{{record.orderReference}}",
    orderId: "{{record.orderId}}"
  }
})

const savedOrder: Save = {
  kind: "order",
  ids: { ORDER_REFERENCE: "{{body.order.orderReference ?? uuid}}", ORDER_ID: "{{uuid}}" },
  data: {
    orderReference: "{{ids.ORDER_REFERENCE}}",
    orderId: "{{ids.ORDER_ID}}",
    customerId: "{{body.order.customerId}}",
    accountId: "{{body.order.accountId ?? accountId}}",
    callbackUrl: "{{body.order.callbackUrl}}",
    customerEmail: "{{body.order.customerEmail}}",
    amount: "{{body.order.amount}}",
    currency: "{{body.order.currency}}",
    timeCreated: "{{now}}"
  }
}

export const builtIn: ReadonlyArray<BuiltIn> = [
  {
    method: "GET",
    paths: ["/v1/accounts/balance", "/v1/accounts/{subAccountId}/balance"],
    data: { amount: "{{balance}}", currency: "NGN", timeCreated: "{{now}}" }
  },
  {
    method: "GET",
    paths: ["/v1/accounts/parent"],
    data: {
      accountId: "{{accountId}}",
      accountHolderId: "{{accountId}}",
      accountRef: "sandbox-parent",
      accountName: "Sandbox Merchant",
      status: "ACTIVE",
      type: "PARENT",
      currency: "NGN",
      createdAt: "2026-01-01T00:00:00.000Z",
      banks: [{ bankAccountNumber: "9900000001", bankName: "Sandbox Bank", bankAccountName: "Sandbox Merchant" }]
    }
  },
  {
    method: "POST",
    paths: ["/v1/accounts/virtual", "/v1/accounts/virtual/{subAccountId}"],
    requires: { accountRef: "text", accountName: "text" },
    saves: [
      {
        kind: "virtual account",
        ids: { accountRef: "{{body.accountRef}}", accountNumber: "{{accountNumber}}" },
        data: {
          createdAt: "{{now}}",
          accountHolderId: "{{path.subAccountId ?? accountId}}",
          accountRef: "{{ids.accountRef}}",
          accountName: "{{body.accountName}}",
          bvn: "{{body.bvn}}",
          expiryDate: "{{body.expiryDate}}",
          expectedAmount: "{{body.expectedAmount}}",
          bankName: "Sandbox Bank",
          bankAccountNumber: "{{ids.accountNumber}}",
          bankAccountName: "{{body.accountName}}",
          currency: "NGN",
          callbackUrl: "",
          expired: false
        }
      }
    ],
    data: "{{record}}"
  },
  { method: "GET", paths: ["/v1/accounts/virtual"], lists: "virtual account", data: "{{records}}" },
  {
    method: "GET",
    paths: ["/v1/accounts/virtual/{identifier}"],
    finds: {
      kind: "virtual account",
      ids: { accountRef: "{{path.identifier}}", accountNumber: "{{path.identifier}}" }
    },
    data: "{{record}}"
  },
  {
    method: "POST",
    paths: ["/v1/checkout/order"],
    requires: order,
    saves: [savedOrder, payment("Payment approved")],
    data: {
      checkoutLink: "https://checkout.nomba.example/{{record.orderId}}",
      orderReference: "{{record.orderReference}}"
    }
  },
  {
    method: "GET",
    paths: ["/v1/checkout/transaction"],
    query: { idType: ["ORDER_REFERENCE", "ORDER_ID"], id: "text" },
    finds: { kind: "order", ids: { "{{query.idType}}": "{{query.id}}" } },
    data: {
      success: true,
      message: "success",
      order: "{{record}}",
      transactionDetails: {
        transactionDate: "{{record.timeCreated}}",
        paymentReference: "{{record.orderId}}",
        statusCode: "Payment approved"
      },
      transferDetails: {},
      cardDetails: {}
    }
  },
  {
    method: "POST",
    paths: ["/v1/checkout/refund"],
    requires: { transactionId: "text" },
    finds: { kind: "transaction", ids: { id: "{{body.transactionId}}" } },
    refunds: true,
    data: { success: true, message: "Refund successful" }
  },
  {
    method: "POST",
    paths: ["/v1/checkout/tokenized-card-payment"],
    requires: { ...order, tokenKey: "text" },
    saves: [savedOrder, payment("Payment approved")],
    data: { status: true, message: "Payment approved" }
  },
  {
    method: "GET",
    paths: ["/v1/transfers/banks"],
    data: [
      { code: "990001", name: "Sandbox Bank", nipCode: "990001", logo: "" },
      { code: "990002", name: "Example Bank", nipCode: "990002", logo: "" },
      { code: "990003", name: "Test Microfinance Bank", nipCode: "990003", logo: "" }
    ]
  },
  {
    method: "POST",
    paths: ["/v1/transfers/bank/lookup"],
    requires: { accountNumber: "text", bankCode: "text" },
    data: { accountNumber: "{{body.accountNumber}}", accountName: "ADA TEST OKAFOR" }
  },
  {
    method: "POST",
    paths: [
      "/v1/transfers/bank",
      "/v2/transfers/bank",
      "/v1/transfers/bank/{subAccountId}",
      "/v2/transfers/bank/{subAccountId}"
    ],
    requires: {
      amount: "amount",
      accountNumber: "text",
      accountName: "text",
      bankCode: "text",
      merchantTxRef: "text"
    },
    transfers: true,
    saves: [
      {
        kind: "transaction",
        ids: { merchantTxRef: "{{body.merchantTxRef}}", id: "{{uuid}}" },
        debit: "{{body.amount}}",
        data: {
          id: "{{ids.id}}",
          type: "transfer",
          amount: "{{money body.amount}}",
          fee: "0.00",
          source: "api",
          gatewayMessage: "",
          timeCreated: "{{now}}",
          merchantTxRef: "{{ids.merchantTxRef}}",
          meta: {
            merchantTxRef: "{{ids.merchantTxRef}}",
            recipientName: "{{body.accountName}}",
            accountNumber: "{{body.accountNumber}}",
            bankCode: "{{body.bankCode}}",
            narration: "{{body.narration}}",
            senderName: "{{body.senderName}}",
            currency: "NGN"
          }
        }
      }
    ],
    data: "{{record}}"
  },
  {
    method: "GET",
    paths: ["/v1/transactions/accounts", "/v1/transactions/accounts/{subAccountId}"],
    lists: "transaction",
    data: "{{records}}"
  },
  {
    method: "GET",
    paths: ["/v1/transactions/accounts/single"],
    finds: {
      kind: "transaction",
      ids: {
        id: "{{query.transactionRef}}",
        merchantTxRef: "{{query.merchantTxRef}}",
        orderReference: "{{query.orderReference}}",
        orderId: "{{query.orderId}}"
      }
    },
    data: "{{record}}"
  }
]
