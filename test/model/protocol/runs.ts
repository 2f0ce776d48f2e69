/** The runs of the protocol's model: within these bounds no invariant may fail, and each switch has to break one. */

/** Defined for the model; docs/protocol.md says what each bounds. */
export interface Bounds {
  readonly PROCESSES: number
  readonly FLIGHTS: number
  readonly SESSIONS: number
  readonly ROLLBACKS: number
  readonly CRASHES: number
  readonly LOGOUTS: number
  readonly LOSSES: number
  readonly FAILURES: number
  readonly CALM?: number
}

export interface Run {
  readonly name: string
  readonly bounds: Bounds
  readonly fault?: string
  /** The invariant that has to fail, or none. */
  readonly expected: string
}

const small: Bounds = {
  PROCESSES: 2,
  FLIGHTS: 1,
  SESSIONS: 2,
  ROLLBACKS: 0,
  CRASHES: 0,
  LOGOUTS: 0,
  LOSSES: 1,
  FAILURES: 0
}

const passes = (name: string, bounds: Partial<Bounds>): Run => ({
  name,
  bounds: { ...small, ...bounds },
  expected: "none"
})

const breaks = (fault: string, expected: string, bounds: Partial<Bounds> = {}): Run => ({
  name: fault,
  fault: `FAULT_${fault}`,
  bounds: { ...small, ...bounds },
  expected
})

export const passing: ReadonlyArray<Run> = [
  passes("two processes: crash, logout, a failing Nomba", { CRASHES: 1, LOGOUTS: 1, FAILURES: 1 }),
  passes("two processes, three sessions: crash", { SESSIONS: 3, CRASHES: 1 }),
  passes("two processes: the store goes back", { ROLLBACKS: 1 }),
  passes("two processes: logout, the store goes back, no message is lost", { ROLLBACKS: 1, LOGOUTS: 1, LOSSES: 0 }),
  passes("one process with two flights: crash, logout", { PROCESSES: 1, FLIGHTS: 2, CRASHES: 1, LOGOUTS: 1 }),
  passes("one process with two flights: the store goes back", { PROCESSES: 1, FLIGHTS: 2, ROLLBACKS: 1 }),
  passes("two processes, one with two flights: no message is lost", { FLIGHTS: 2, LOSSES: 0 }),
  passes("three processes: crash, no message is lost", { PROCESSES: 3, SESSIONS: 2, CRASHES: 1, LOSSES: 0 }),
  passes("two processes: crash, then calm", { CRASHES: 1, CALM: 1 }),
  passes("two processes: logout, then calm", { LOGOUTS: 1, CALM: 1 }),
  passes("two processes: the store goes back, no message is lost, then calm", { ROLLBACKS: 1, LOSSES: 0, CALM: 1 }),
  passes("three processes: no message is lost, then calm", { PROCESSES: 3, LOSSES: 0, CALM: 1 })
]

export const switches: ReadonlyArray<Run> = [
  breaks("LATE_ACQUIRE", "NO_LEASE_FOR_NOBODY"),
  breaks("OWNER_BY_PROCESS", "ONE_REQUEST_AT_A_TIME", { PROCESSES: 1, FLIGHTS: 2 }),
  breaks("RELEASE_UNCHECKED", "ONE_REQUEST_AT_A_TIME"),
  breaks("WAITER_WITHOUT_LEASE", "ONE_REQUEST_AT_A_TIME"),
  breaks("SEND_AFTER_STALL", "ONE_REQUEST_AT_A_TIME"),
  breaks("DEAD_FLIGHT_SENDS", "ONE_REQUEST_AT_A_TIME", { PROCESSES: 1, FLIGHTS: 2 }),
  breaks("DEAD_FLIGHT_UNFENCED", "LIVE_SESSION_KEPT", { PROCESSES: 1, FLIGHTS: 2 }),
  breaks("NO_FLAG", "NO_SPENT_REFRESH_TOKEN_SENT"),
  breaks("FLAG_IGNORED", "NO_SPENT_REFRESH_TOKEN_SENT"),
  breaks("FLAG_TAKEN_BACK", "NO_SPENT_REFRESH_TOKEN_SENT"),
  breaks("REFRESH_RETRIED", "NO_SPENT_REFRESH_TOKEN_SENT"),
  breaks("ROLLBACK_IGNORED", "NO_SPENT_REFRESH_TOKEN_SENT", { SESSIONS: 3, ROLLBACKS: 1, LOSSES: 0 }),
  breaks("FORGETS_WHAT_IT_SENT", "NO_SPENT_REFRESH_TOKEN_SENT", { ROLLBACKS: 1 }),
  breaks("FLAG_LEFT", "FLAG_MEANS_SENT"),
  breaks("FLAG_BLOCKS", "SOMEBODY_CAN_RENEW", { CALM: 1 }),
  breaks("COMMIT_UNCHECKED", "LIVE_SESSION_KEPT"),
  breaks("UNSAVED_DROPPED", "LIVE_SESSION_KEPT"),
  breaks("ADOPT_EARLIER", "LIVE_SESSION_KEPT", { ROLLBACKS: 1, LOSSES: 0 }),
  breaks("ADOPT_REJECTED", "SOMEBODY_CAN_RENEW", { CALM: 1 }),
  breaks("TOMBSTONE_OVERLOOKED", "TOMBSTONE_STANDS", { LOGOUTS: 1 }),
  breaks("KEEP_AFTER_LOGOUT", "TOMBSTONE_STANDS", { PROCESSES: 1, FLIGHTS: 2, LOGOUTS: 1 }),
  breaks("ROLLBACK_ENDS_TOMBSTONE", "TOMBSTONE_STANDS", { ROLLBACKS: 1, LOGOUTS: 1, LOSSES: 0 }),
  breaks("ADOPT_ENDED", "TOMBSTONE_STANDS", { ROLLBACKS: 1, LOGOUTS: 1, LOSSES: 0 }),
  breaks("VERSION_WITHOUT_CLOCK", "LIVE_SESSION_KEPT", { ROLLBACKS: 1, LOGOUTS: 1, LOSSES: 0 }),
  breaks("FAILURE_UNOWNED", "FAILURE_LEFT_BY_HOLDER", { FAILURES: 1 }),
  breaks("FAILURE_BLOCKS_ADOPTION", "FAILURE_NEVER_BLOCKS_ADOPTION", { FAILURES: 1 }),
  breaks("LEASE_NEVER_ENDS", "SOMEBODY_CAN_RENEW", { CRASHES: 1, CALM: 1 })
]
