/** What a fleet may cost, whether it is simulated or of real processes. */

/** Issues for everybody who begins at once, with nothing in the store. */
export const CALLS_PER_COLD_START = 1

/** Issues and refreshes for one renewal where nothing is in its way. */
export const CALLS_PER_RENEWAL = 1

/**
 * For one renewal whose holder dies, or stands still and loses the right: its own call, which Nomba may have processed,
 * and that of the process which takes over.
 */
export const CALLS_PER_LOST_HOLDER = 2

/** For one login by somebody outside: a refresh would be refused, and is not tried. */
export const CALLS_PER_THEFT = 1

/**
 * For one renewal whose holder stands still with the last look behind it, when nobody can hold its request back: it ends
 * the others' session as somebody outside would.
 */
export const CALLS_PER_LATE_HOLDER = CALLS_PER_LOST_HOLDER + CALLS_PER_THEFT

/**
 * The most renewals that are due within a time, where each is begun at the soonest: a fifth of the lifetime ahead of
 * expiry, or 5 minutes, and up to a tenth of that sooner.
 */
export const renewalsWithin = (millis: number, lifetime: number): number =>
  Math.ceil(millis / (lifetime - Math.min(lifetime / 5, 5 * 60_000) * 1.1)) + 1
