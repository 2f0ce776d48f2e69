/** A caller's request while it is handled. */
import type * as Http from "node:http"
import type { Upload } from "./Upload.js"

/** Whether the caller has gone, and what ends then. An `AbortSignal` would cost more than all else that is done for a request. */
export class Gone {
  #isGone = false
  #ends: Array<() => void> = []

  get isGone(): boolean {
    return this.#isGone
  }

  /** Calls back when the caller goes. */
  onGone(end: () => void): void {
    this.#ends.push(end)
  }

  /** The caller has gone. */
  go(): void {
    this.#isGone = true
    for (const end of this.#ends) end()
    this.#ends = []
  }
}

export interface Exchange {
  readonly caller: Http.IncomingMessage
  readonly response: Http.ServerResponse
  readonly upload: Upload
  readonly gone: Gone
  /** As `performance.now()` tells it. */
  readonly startedAt: number
  /** The name of the key; `-` before it is known. */
  key: string
  /** Normalised and without a query; `-` before it is known. */
  path: string
  isReplayed: boolean
  /** What the log says in place of the status if the response does not reach its end. */
  statusIfCut: number
}
