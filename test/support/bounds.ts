/** The most token requests (issues and refreshes) that a fleet may send, whether it is simulated or of real processes. */

/** For any number of processes that start at once with an empty store. */
export const CALLS_PER_COLD_START = 1

/** For one undisturbed renewal. */
export const CALLS_PER_RENEWAL = 1

/**
 * For one renewal whose lease holder crashes, or is paused until its lease expires: its own request, which Nomba may have
 * processed, and that of the process that takes over.
 */
export const CALLS_PER_LOST_HOLDER = 2

/** For one login by another program. A refresh would be rejected and is not tried. */
export const CALLS_PER_OTHER_LOGIN = 1

/**
 * For one renewal whose lease holder is paused after its final check, so that its request goes out late: it ends the
 * session of the other processes as another program's login would.
 */
export const CALLS_PER_LATE_HOLDER = CALLS_PER_LOST_HOLDER + CALLS_PER_OTHER_LOGIN

/**
 * The most renewals that are due within a time. The earliest begins a fifth of the lifetime before expiry, at most 5 minutes,
 * and up to a tenth of that sooner.
 */
export const renewalsWithin = (millis: number, lifetime: number): number =>
  Math.ceil(millis / (lifetime - Math.min(lifetime / 5, 5 * 60_000) * 1.1)) + 1
