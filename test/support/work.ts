/** How long a computation holds up the process, whatever else the machine does. */

/** The processor time that a synchronous call takes, in milliseconds. */
export const cpuMillis = (call: () => unknown): number => {
  const before = process.cpuUsage()
  call()
  const { system, user } = process.cpuUsage(before)
  return (system + user) / 1000
}
