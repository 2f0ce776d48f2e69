/** A process that is stopped, or busy with something else. */

const never = new Int32Array(new SharedArrayBuffer(4))

/** Blocks this thread for so many milliseconds without using the processor: timers fall due, and sockets fill. */
export const stallFor = (millis: number): void => {
  Atomics.wait(never, 0, 0, millis)
}
