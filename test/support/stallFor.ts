/** A process that is stopped, or busy with something else. */

/** Nothing else runs for this many milliseconds: timers fall due, and sockets fill. */
export const stallFor = (millis: number): void => {
  const end = performance.now() + millis
  while (performance.now() < end) {}
}
