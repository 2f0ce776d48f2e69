/** What a client of a recipe's server does and sees. */
import type { SandboxHandle } from "nomba-auth/sandbox"

/** The answer of the sandbox without its time. */
export const BALANCE = '{"amount":"250000.00","currency":"NGN"}'

export const withoutTime = (json: string): string => {
  const { amount, currency } = JSON.parse(json)
  return JSON.stringify({ amount, currency })
}

/** The balance as the recipe's server tells it, or the status and text of its failure. */
export const balance = async (url: string): Promise<string> => {
  const response = await fetch(`${url}/balance`)
  const text = await response.text()
  return response.status === 200 ? withoutTime(text) : `${response.status} ${text.slice(0, 500)}`
}

export const balances = (url: string, count: number): Promise<ReadonlyArray<string>> =>
  Promise.all(Array.from({ length: count }, () => balance(url)))

export const tokenRequests = async (sandbox: SandboxHandle): Promise<number> => {
  const { issue, refresh } = await sandbox.counts()
  return issue.requests + refresh.requests
}
