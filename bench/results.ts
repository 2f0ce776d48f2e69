/** What a run of the bench found. */

export interface Spread {
  readonly median: number
  readonly low: number
  readonly high: number
}

export interface Counts {
  readonly cold: { readonly tokenRequests: number }
  readonly short?: { readonly tokenRequests: number }
  readonly rejected?: { readonly tokenRequests: number; readonly answered: number }
  readonly due?: { readonly blocked: number; readonly tokenRequests: number }
  readonly expiry?: { readonly tokenRequests: number; readonly stale: number }
  readonly failure: {
    readonly tokenRequests: number
    readonly failed?: number
    readonly ms?: number
    readonly again: number
    readonly leaks: boolean
  }
}

/** One load of a program. */
export interface Mock {
  readonly readyMs: number
  readonly rate: number
  readonly medianMs: number
  readonly failed: number
  readonly cpuUs?: number
  readonly residentMiB?: number
}

interface Proxy {
  readonly cpuUs: Spread
  readonly medianMs: Spread
  readonly residentMiB: number
  readonly failed: number
}

/** The bundle of one subpath, in bytes. */
export interface Bundle {
  readonly minified: number
  readonly gzip: number
  readonly limit: number
}

export interface Results {
  readonly environment: {
    readonly node: string
    readonly cpu: string
    readonly cores: number
    readonly system: string
    readonly loadBefore: number
    readonly loadAfter: number
    readonly seconds: number
    readonly versions: Record<string, string>
  }
  readonly counts: Record<string, Counts>
  /** Nanoseconds. */
  readonly hits: Record<string, { readonly hit: Spread; readonly floor: Spread }>
  readonly fiber: Record<string, Spread>
  readonly client: Record<string, Record<string, Spread>>
  readonly herds: Record<string, { readonly ms: Spread; readonly tokenRequests: number }>
  /** Milliseconds by the number of callers. */
  readonly scale: Record<string, Record<number, number>>
  /** Bytes. */
  readonly memory: Record<string, { readonly perCache: number; readonly perWaiter?: number }>
  /** Requests a second. */
  readonly throughput: Record<string, Spread>
  readonly fleet?: {
    readonly tokenRequests: number
    readonly slowest: number
    readonly hits: number
    readonly redisCommands: number
  }
  readonly mocks: Record<
    string,
    { readonly readyMs: Spread; readonly rate: Spread; readonly residentMiB: number; readonly failed: number }
  >
  readonly commandLine?: { readonly hit: Spread; readonly bare: Spread }
  readonly proxy?: { readonly readyMs: number; readonly serve: Proxy; readonly bare: Proxy }
  readonly bundles: Record<string, Bundle>
  readonly skipped: ReadonlyArray<string>
}
