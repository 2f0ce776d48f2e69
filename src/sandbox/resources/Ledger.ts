/**
 * What the built-in resources keep for each client, and the interpreter that answers from their definitions. Bounded: 1,000
 * records for each client.
 */
import * as DateTime from "effect/DateTime"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { BuiltIn, Ids, Kind, Rule, Save } from "./builtIn.js"
import { fill, member, type Scope } from "./template.js"

interface Record {
  readonly kind: Kind
  readonly ids: Ids
  readonly at: number
  readonly data: Readonly<globalThis.Record<string, unknown>>
}

interface Ledger {
  /** In kobo. */
  readonly balance: number
  /** The newest first. */
  readonly records: ReadonlyArray<Record>
}

/** The ledger of each client that has made a call. */
export type Ledgers = HashMap.HashMap<string, Ledger>

export const empty: Ledgers = HashMap.empty()

const mostRecords = 1000
const initial: Ledger = { balance: 250_000_00, records: [] }

/** How long a pending transfer takes, in milliseconds. */
const settlement = 60_000

/** A call of a resource by a client whose token was accepted. */
export interface Call {
  readonly clientId: string
  readonly accountId: string
  readonly path: Readonly<globalThis.Record<string, string>>
  readonly query: Readonly<globalThis.Record<string, string>>
  readonly body: unknown
  readonly now: number
  readonly uuid: () => string
  readonly transferOutcome: "success" | "pending" | "failed"
}

export interface Answer {
  readonly status: number
  readonly body: unknown
}

/** The values that placeholders name. */
export const scopeOf = ({ accountId, body, now, path, query, uuid }: Call): Scope => ({
  path,
  query,
  body,
  uuid,
  accountId,
  now: DateTime.formatIso(DateTime.unsafeMake(now))
})

const failure = (status: number, description: string, ...errors: ReadonlyArray<string>): Answer => ({
  status,
  body: { code: String(status), description, errors }
})

const ruleIssue = (rule: Rule, value: unknown): string | undefined => {
  if (value === undefined || value === null) return "is missing"
  if (rule === "text") return typeof value === "string" && value !== "" ? undefined : "must be text"
  if (rule === "number") {
    return typeof value === "number" && value > 0 && value <= 1e12 ? undefined : "must be a number above zero"
  }
  return rule.includes(String(value)) ? undefined : `must be one of ${rule.join(", ")}`
}

const issuesOf = ({ query = [], requires = {} }: BuiltIn, call: Call): ReadonlyArray<string> => [
  ...Object.entries(requires).flatMap(([name, rule]) => {
    const issue = ruleIssue(rule, member(call.body, name))
    return issue === undefined ? [] : [`${name}: ${issue}`]
  }),
  ...query.flatMap((name) => (call.query[name] ? [] : [`${name}: is missing in the query`]))
]

const kobo = (amount: unknown): number => Math.round(Number(amount) * 100)

/** A pending transfer settles by itself. */
const settled = ({ at, data, ...record }: Record, now: number): Record => ({
  ...record,
  at,
  data:
    data["status"] === "PENDING_BILLING" && now >= at + settlement
      ? { ...data, status: "SUCCESS", gatewayMessage: "SUCCESS" }
      : data
})

const find = (ledger: Ledger, kind: Kind, ids: Ids, now: number): Record | undefined => {
  const found = ledger.records.find(
    (record) => record.kind === kind && Object.entries(ids).some(([name, id]) => id !== "" && record.ids[name] === id)
  )
  return found === undefined ? undefined : settled(found, now)
}

const idsOf = (templates: Ids, scope: Scope): Ids =>
  Object.fromEntries(Object.entries(templates).map(([name, id]) => [name, String(fill(id, scope) ?? "")]))

const transferStatus = { success: "SUCCESS", pending: "PENDING_BILLING", failed: "PAYMENT_FAILED" } as const

const save = (ledger: Ledger, saved: Save, scope: Scope, call: Call): readonly [Record, Ledger] => {
  const ids = idsOf(saved.ids, scope)
  const status = transferStatus[call.transferOutcome]
  const data = {
    ...(fill(saved.data, { ...scope, ids }) as object),
    ...(saved.debit === undefined ? {} : { status, gatewayMessage: status })
  }
  const record = { kind: saved.kind, ids, at: call.now, data }
  const moved =
    saved.debit === undefined
      ? kobo(saved.credit === undefined ? 0 : fill(saved.credit, scope))
      : call.transferOutcome === "failed"
        ? 0
        : -kobo(fill(saved.debit, scope))
  return [record, { balance: ledger.balance + moved, records: [record, ...ledger.records].slice(0, mostRecords) }]
}

const saveAll = (
  ledger: Ledger,
  [first, ...others]: NonNullable<BuiltIn["saves"]>,
  scope: Scope,
  call: Call
): readonly [Record, Ledger] => {
  const [record, after] = save(ledger, first, scope, call)
  const inner = { ...scope, record: record.data }
  return [record, others.reduce((left, other) => save(left, other, inner, call)[1], after)]
}

const page = (ledger: Ledger, kind: Kind, { now, query }: Call): object => {
  const limit = Math.min(50, Math.max(1, Math.trunc(Number(query["limit"])) || 20))
  const start = Math.max(0, Math.trunc(Number(query["cursor"])) || 0)
  const from = Date.parse(query["dateFrom"] ?? "") || Number.NEGATIVE_INFINITY
  const to = Date.parse(query["dateTo"] ?? "") || Number.POSITIVE_INFINITY
  const records = ledger.records.filter((record) => record.kind === kind && record.at >= from && record.at <= to)
  const end = start + limit
  return {
    results: records.slice(start, end).map((record) => settled(record, now).data),
    cursor: end < records.length ? String(end) : ""
  }
}

const refund = (ledger: Ledger, record: Record, call: Call): Answer | Ledger => {
  const paid = kobo(record.data["amount"])
  const amount = member(call.body, "amount") === undefined ? paid : kobo(member(call.body, "amount"))
  if (record.data["type"] !== "online_checkout") return failure(400, "BAD_REQUEST", "transactionId: is not a payment")
  if (record.data["status"] !== "SUCCESS") return failure(400, "BAD_REQUEST", "transactionId: was refunded before")
  if (!(amount > 0 && amount <= paid)) return failure(400, "BAD_REQUEST", "amount: must be at most what was paid")
  const changed = { ...record, data: { ...record.data, status: "REFUND" } }
  return {
    balance: ledger.balance - amount,
    records: ledger.records.map((one) => (one.ids === record.ids ? changed : one))
  }
}

/** Transfers answer with codes and descriptions of their own (spec/resources: `200`, and `201` if the outcome is unknown). */
const transferAnswer = (data: unknown, status: unknown): Answer => {
  if (status === "PENDING_BILLING") {
    return { status: 201, body: { code: "201", description: "PROCESSING", status: false, data } }
  }
  const succeeded = status === "SUCCESS"
  return {
    status: 200,
    body: { code: "200", description: succeeded ? "SUCCESS" : "FAILED", status: succeeded, data }
  }
}

const success = (data: unknown): Answer => ({ status: 200, body: { code: "00", description: "Success", data } })

const insufficient: Answer = {
  status: 200,
  body: { code: "200", description: "INSUFFICIENT_BALANCE", status: false, data: {} }
}

const run = (resource: BuiltIn, call: Call, ledger: Ledger): readonly [Answer, Ledger] => {
  const issues = issuesOf(resource, call)
  if (issues.length > 0) return [failure(400, "BAD_REQUEST", ...issues), ledger]
  const scope: Scope = {
    ...scopeOf(call),
    balance: (ledger.balance / 100).toFixed(2),
    accountNumber: () => `99${call.uuid().replace(/\D/g, "").padEnd(8, "0").slice(0, 8)}`
  }
  const respond = (record: Record): Answer => {
    const data = fill(resource.data, { ...scope, record: record.data })
    return resource.transfers === true ? transferAnswer(data, record.data["status"]) : success(data)
  }
  if (resource.saves !== undefined) {
    const [{ debit, ids, kind }] = resource.saves
    const repeated = find(ledger, kind, idsOf(ids, scope), call.now)
    if (repeated !== undefined) return [respond(repeated), ledger]
    if (debit !== undefined && kobo(fill(debit, scope)) > ledger.balance) return [insufficient, ledger]
    const [record, after] = saveAll(ledger, resource.saves, scope, call)
    return [respond(record), after]
  }
  if (resource.finds !== undefined) {
    const { ids, kind } = resource.finds
    const record = find(ledger, kind, idsOf(ids, scope), call.now)
    if (record === undefined) return [failure(404, "Not found", `no ${kind} with this reference`), ledger]
    const after = resource.refunds === true ? refund(ledger, record, call) : ledger
    return "records" in after ? [respond(record), after] : [after, ledger]
  }
  const records = resource.lists === undefined ? undefined : page(ledger, resource.lists, call)
  return [success(fill(resource.data, { ...scope, records })), ledger]
}

/** Answers a call, and keeps what it creates. */
export const answer =
  (resource: BuiltIn, call: Call) =>
  (ledgers: Ledgers): readonly [Answer, Ledgers] => {
    const before = Option.getOrElse(HashMap.get(ledgers, call.clientId), () => initial)
    const [response, after] = run(resource, call, before)
    return [response, after === before ? ledgers : HashMap.set(ledgers, call.clientId, after)]
  }
