/** What the tests and the processes of a fleet say to each other. */

/**
 * Where a process can be made to wait, until it is told to go on: before it looks the last time whether its permission
 * to call Nomba is good still, or after that.
 */
export type Point = "before the token call" | "after the last look" | "after the answer" | "before the write"

export interface ProcessOptions {
  readonly requestTimeout: number
  /** How far this process's clock is off, in milliseconds. */
  readonly clockOffset: number
  /** Where it waits the first time that it gets there. */
  readonly waitAt: Point | undefined
}

export const usualOptions: ProcessOptions = { requestTimeout: 5_000, clockOffset: 0, waitAt: undefined }

export interface WorkerOptions extends ProcessOptions {
  readonly baseUrl: string
  /** The port of Redis; without it the session is private. */
  readonly redis: number | undefined
}

export type Command =
  | { readonly do: "get" }
  /** Takes the token in hand for rejected, and asks for another. */
  | { readonly do: "renew" }
  /** Moves its clock past the end of the token in hand, and asks for another. */
  | { readonly do: "outlive" }
  /** Sends one request, and answers with its status. */
  | { readonly do: "call" }
  | { readonly do: "logout" }
  /** Begins to send requests, one each so many milliseconds. */
  | { readonly do: "load"; readonly every: number }
  /** Ends the load, waits for what is under way, and answers with what came of it. */
  | { readonly do: "report" }
  | { readonly do: "go on" }

/** How a command ended: a text, a report, or the tag of an error. */
export type Answer =
  | { readonly id: number; readonly ok: string | Report | null }
  | { readonly id: number; readonly failed: string }

export type Event = { readonly event: "ready" } | { readonly event: "at"; readonly point: Point }

/** What came of a process's requests. */
export interface Report {
  readonly ok: number
  /** The ids of the requests that ended with a 401. */
  readonly unauthorized: ReadonlyArray<string>
  /** The status of the one request whose body cannot be sent again; 0 where it failed. */
  readonly streamed: number | undefined
  /** What the others failed with. */
  readonly failed: Readonly<Record<string, number>>
  /** When the first of them failed, in milliseconds since 1970 by the machine's clock. */
  readonly firstFailure: number | undefined
  readonly lastFailure: number | undefined
}
