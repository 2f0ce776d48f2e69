/** The messages between a test and the processes of its fleet. */

/** Where a process can be made to wait during a renewal. The final check is its last look at the lease. */
export type Point = "before the token request" | "after its final check" | "after the response" | "before the commit"

export interface ProcessOptions {
  /** In milliseconds. */
  readonly requestTimeout: number
  /** How far this process's clock is off, in milliseconds. */
  readonly clockOffset: number
  /** Where it waits, the first time that it gets there. */
  readonly waitAt: Point | undefined
}

export const usualOptions: ProcessOptions = { requestTimeout: 5_000, clockOffset: 0, waitAt: undefined }

export interface WorkerOptions extends ProcessOptions {
  readonly baseUrl: string
  /** The port of Redis. Without it, and without a directory, the session is private. */
  readonly redis: number | undefined
  /** The directory of a file store, in place of Redis. */
  readonly directory: string | undefined
  /** Encryption keys by id, in base64, the one that encrypts first. Default: plaintext. */
  readonly keys: ReadonlyArray<readonly [id: string, key: string]> | undefined
}

export type Command =
  | { readonly do: "get" }
  /** Reports the current token as rejected and gets another. */
  | { readonly do: "renew" }
  /** Moves its clock past the expiry of the current token and gets another. */
  | { readonly do: "outlive" }
  /** Sends one request and answers with its status. */
  | { readonly do: "call" }
  /** Gets a token, and answers how that went and how long it took. */
  | { readonly do: "try" }
  /** The token in memory; empty if there is none. */
  | { readonly do: "peek" }
  /** Closes the client layer and builds it again at once, over the same store layer. */
  | { readonly do: "rebuild" }
  /** The warnings and errors that it has logged. */
  | { readonly do: "logged" }
  | { readonly do: "logout" }
  /** Starts to send requests, one in this many milliseconds. */
  | { readonly do: "load"; readonly every: number }
  /** Ends the load, waits for the requests under way, and answers with their outcomes. */
  | { readonly do: "report" }
  | { readonly do: "go on" }

export type Result = string | Report | Try | ReadonlyArray<string> | null

/** How a command ended: a result, or the tag and message of an error. */
export type Answer = { readonly id: number; readonly ok: Result } | { readonly id: number; readonly failed: string }

export type Event = { readonly event: "ready" } | { readonly event: "at"; readonly point: Point }

/** How a `get` went. */
export interface Try {
  readonly token: string | undefined
  /** `Unavailable/RateLimited`, or the tag alone if the error has no reason. */
  readonly failure: string | undefined
  readonly message: string | undefined
  /** In milliseconds. */
  readonly took: number
}

/** The outcomes of a process's requests. */
export interface Report {
  readonly ok: number
  /** The ids of the requests that ended with a 401. */
  readonly unauthorized: ReadonlyArray<string>
  /** The status of the one request whose body cannot be replayed; 0 if it failed. */
  readonly streamed: number | undefined
  /** What the others failed with. */
  readonly failed: Readonly<Record<string, number>>
  /** When the first of them failed, in milliseconds since 1970 by the machine's clock. */
  readonly firstFailure: number | undefined
  readonly lastFailure: number | undefined
}
