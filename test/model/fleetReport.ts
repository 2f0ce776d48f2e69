/** What happened to a fleet, for people to read. */

export interface Report {
  readonly instances: number
  readonly hours: number
  readonly seed: number
  readonly counts: Readonly<Record<string, number>>
  /** The largest measures, in milliseconds unless they say something else. */
  readonly longest: Readonly<Record<string, number>>
  /** For each fault how long it took to converge, each time that it befell the fleet, in milliseconds. */
  readonly convergences: Readonly<Record<string, ReadonlyArray<number>>>
  /** What must hold and did not. */
  readonly broken: ReadonlyArray<string>
  /** What happened last. */
  readonly notes: ReadonlyArray<string>
}

type Row = readonly [name: string, ...cells: ReadonlyArray<string>]

const table = (rows: ReadonlyArray<Row>): string => {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: Row): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
  return rows.map(line).join("\n")
}

const seconds = (millis: number): string => `${(millis / 1000).toFixed(1)} s`

const number = (count: number): string => count.toLocaleString("en-US")

const sum = (all: ReadonlyArray<ReadonlyArray<number>>): number => all.reduce((total, times) => total + times.length, 0)

export const describeFleet = ({
  broken,
  convergences,
  counts,
  hours,
  instances,
  longest,
  notes,
  seed
}: Report): string => {
  const faults = Object.entries(convergences)
    .map(([name, times]) => [name, [...times].sort((a, b) => a - b)] as const)
    .sort(([a], [b]) => a.localeCompare(b))
  return [
    `${instances} processes for ${hours} simulated hours, seed ${seed}, ${sum(Object.values(convergences))} faults`,
    "",
    table(
      Object.entries(counts)
        .sort(([a], [b]) => a.localeCompare(b))
        .map(([name, count]) => [name, number(count)])
    ),
    "",
    table(Object.entries(longest).map(([name, most]) => [`longest: ${name}`, number(Math.round(most))])),
    "",
    table([
      ["fault", "times", "converged after: median", "longest"],
      ...faults.map(
        ([name, times]): Row => [
          name,
          number(times.length),
          seconds(times[Math.floor(times.length / 2)] ?? 0),
          seconds(times.at(-1) ?? 0)
        ]
      )
    ]),
    ...(broken.length === 0 ? [] : ["", "what happened last:", ...notes.slice(-40), "", "BROKEN:", ...broken])
  ].join("\n")
}
