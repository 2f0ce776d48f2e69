/**
 * What the built-in resources keep for each client, and the interpreter that answers from their definitions. Bounded: 1,000
 * records for each client.
 */
import * as DateTime from "effect/DateTime"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import type { BuiltIn, Ids, Kind, Rule, Save } from "./builtIn.js"
import { fill, member, type Scope } from "./template.js"

interface Entry {
  readonly kind: Kind
  readonly ids: Ids
  readonly at: number
  readonly data: Readonly<Record<string, unknown>>
}

interface Ledger {
  /** In kobo. */
  readonly balance: number
  /** The newest first. */
  readonly records: ReadonlyArray<Entry>
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
  /** None if they are not known. */
  readonly subAccountIds: ReadonlyArray<string>
  readonly path: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
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

const isWholeKobo = (amount: unknown): boolean =>
  typeof amount === "number" && amount <= 1e12 && kobo(amount) >= 1 && Math.abs(amount * 100 - kobo(amount)) < 1e-3

const ruleIssue = (rule: Rule, value: unknown): string | undefined => {
  if (value === undefined || value === null) return "is missing"
  if (rule === "text") return typeof value === "string" && value !== "" ? undefined : "must be text"
  if (rule === "amount") return isWholeKobo(value) ? undefined : "must be a number above zero with at most two decimals"
  return rule.includes(String(value)) ? undefined : `must be one of ${rule.join(", ")}`
}

const issuesOf = ({ query = {}, requires = {} }: BuiltIn, call: Call): ReadonlyArray<string> => [
  ...Object.entries(requires).flatMap(([name, rule]) => {
    const issue = ruleIssue(rule, member(call.body, name))
    return issue === undefined ? [] : [`${name}: ${issue}`]
  }),
  ...Object.entries(query).flatMap(([name, rule]) => {
    const issue = ruleIssue(rule, call.query[name] || undefined)
    return issue === undefined ? [] : [`${name}: ${issue} in the query`]
  })
]

/** The sub-account of a path must be one of the client's, if these are known. */
const isForeignAccount = ({ accountId, path, subAccountIds }: Call): boolean => {
  const named = path["subAccountId"]
  return named !== undefined && subAccountIds.length > 0 && ![...subAccountIds, accountId, "parent"].includes(named)
}

const kobo = (amount: unknown): number => Math.round(Number(amount) * 100)

/** A pending transfer settles by itself. */
const settled = ({ at, data, ...record }: Entry, now: number): Entry => ({
  ...record,
  at,
  data:
    data["status"] === "PENDING_BILLING" && now >= at + settlement
      ? { ...data, status: "SUCCESS", gatewayMessage: "SUCCESS" }
      : data
})

const find = (ledger: Ledger, kind: Kind, ids: Ids, now: number): Entry | undefined => {
  const found = ledger.records.find(
    (record) => record.kind === kind && Object.entries(ids).some(([name, id]) => id !== "" && record.ids[name] === id)
  )
  return found === undefined ? undefined : settled(found, now)
}

const idsOf = (templates: Ids, scope: Scope): Ids =>
  Object.fromEntries(
    Object.entries(templates).map(([name, id]) => [String(fill(name, scope)), String(fill(id, scope) ?? "")])
  )

const transferStatus = { success: "SUCCESS", pending: "PENDING_BILLING", failed: "PAYMENT_FAILED" } as const

const isNaira = (currency: unknown): boolean => currency === undefined || currency === "NGN"

const movement = ({ credit, debit }: Save, scope: Scope, { transferOutcome }: Call): number => {
  if (debit !== undefined) return transferOutcome === "failed" ? 0 : -kobo(fill(debit, scope))
  return credit === undefined ? 0 : kobo(fill(credit, scope))
}

const save = (ledger: Ledger, saved: Save, scope: Scope, call: Call): readonly [Entry, Ledger] => {
  const ids = idsOf(saved.ids, scope)
  const status = transferStatus[call.transferOutcome]
  const data = {
    ...(fill(saved.data, { ...scope, ids }) as object),
    ...(saved.debit === undefined ? {} : { status, gatewayMessage: status })
  }
  const record = { kind: saved.kind, ids, at: call.now, data }
  const moved = isNaira(fill(saved.currency, scope)) ? movement(saved, scope, call) : 0
  return [record, { balance: ledger.balance + moved, records: [record, ...ledger.records].slice(0, mostRecords) }]
}

const saveAll = (
  ledger: Ledger,
  [first, ...others]: NonNullable<BuiltIn["saves"]>,
  scope: Scope,
  call: Call
): readonly [Entry, Ledger] => {
  const [record, after] = save(ledger, first, scope, call)
  const inner = { ...scope, record: record.data }
  return [record, others.reduce((left, other) => save(left, other, inner, call)[1], after)]
}

const DAY = 86_400_000

/** A time of the query, in UTC unless it says otherwise; a date alone is all of the day. `undefined` if it is none. */
const timeOf = (text: string, part: "start" | "end"): number | undefined => {
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text)
  const hasZone = isDay || /(?:Z|[+-]\d\d:?\d\d)$/i.test(text)
  const time = Date.parse(hasZone ? text : `${text.replace(" ", "T")}Z`)
  if (Number.isNaN(time)) return undefined
  return isDay && part === "end" ? time + DAY - 1 : time
}

interface Page {
  readonly results: ReadonlyArray<unknown>
  readonly cursor: string
}

const page = (ledger: Ledger, kind: Kind, { now, query }: Call): Answer | Page => {
  const limit = Math.min(50, Math.max(1, Math.trunc(Number(query["limit"])) || 20))
  const start = Math.max(0, Math.trunc(Number(query["cursor"])) || 0)
  const from = query["dateFrom"] ? timeOf(query["dateFrom"], "start") : Number.NEGATIVE_INFINITY
  const to = query["dateTo"] ? timeOf(query["dateTo"], "end") : Number.POSITIVE_INFINITY
  if (from === undefined) return failure(400, "BAD_REQUEST", "dateFrom: must be a date or a time in the query")
  if (to === undefined) return failure(400, "BAD_REQUEST", "dateTo: must be a date or a time in the query")
  const records = ledger.records.filter((record) => record.kind === kind && record.at >= from && record.at <= to)
  const end = start + limit
  return {
    results: records.slice(start, end).map((record) => settled(record, now).data),
    cursor: end < records.length ? String(end) : ""
  }
}

const refund = (ledger: Ledger, record: Entry, call: Call): Answer | Ledger => {
  const paid = kobo(record.data["amount"])
  const amount = member(call.body, "amount") === undefined ? paid : kobo(member(call.body, "amount"))
  if (record.data["type"] !== "online_checkout") return failure(400, "BAD_REQUEST", "transactionId: is not a payment")
  if (record.data["status"] !== "SUCCESS") return failure(400, "BAD_REQUEST", "transactionId: was refunded before")
  if (!(amount > 0 && amount <= paid)) return failure(400, "BAD_REQUEST", "amount: must be at most what was paid")
  const moved = isNaira(record.data["currency"]) ? amount : 0
  if (moved > ledger.balance) return failure(400, "INSUFFICIENT_BALANCE", "amount: is more than the balance")
  const changed = { ...record, data: { ...record.data, status: "REFUND" } }
  return {
    balance: ledger.balance - moved,
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
  if (isForeignAccount(call)) return [failure(404, "Not found", "no account of this client with this id"), ledger]
  const scope: Scope = {
    ...scopeOf(call),
    balance: (ledger.balance / 100).toFixed(2),
    accountNumber: () => `99${call.uuid().replace(/\D/g, "").padEnd(8, "0").slice(0, 8)}`
  }
  const respond = (record: Entry): Answer => {
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
  if (records !== undefined && "body" in records) return [records, ledger]
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
