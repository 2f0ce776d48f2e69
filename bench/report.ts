/** `RESULTS.md`. */
import { readFileSync } from "node:fs"
import type { Results, Spread } from "./results.js"

const OURS = "nomba-auth/promise"

const number = (value: number): string =>
  value >= 100 ? Math.round(value).toLocaleString("en-US") : value >= 10 ? value.toFixed(1) : value.toFixed(2)

const withSpread = ({ high, low, median }: Spread, unit: string): string =>
  `${number(median)} ${unit} (${number(low)} to ${number(high)})`

const ratio = (value: number | undefined, base: number | undefined): string =>
  value === undefined || base === undefined ? "-" : `${(value / base).toFixed(2)} ×`

const table = (head: ReadonlyArray<string>, rows: ReadonlyArray<ReadonlyArray<string>>): string =>
  [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n")

/** The lowest of the systems that keep to what every cache must do: the naive ones are shown and not competed with. */
export const bestPeer = (values: Record<string, number>): readonly [string, number] =>
  Object.entries(values)
    .filter(([name]) => !name.startsWith("nomba-auth") && !name.startsWith("naive"))
    .sort(([, a], [, b]) => a - b)[0] ?? ["no peer", Number.NaN]

const pick = <A>(found: Record<string, A>, get: (value: A) => number): Record<string, number> =>
  Object.fromEntries(Object.entries(found).map(([name, value]) => [name, get(value)]))

const isMet = (holds: boolean): string => (holds ? "met" : "**not met**")

const budgets = (results: Results): string => {
  const { client, commandLine, counts, fiber, fleet, herds, hits, mocks, proxy, bundles } = results
  const rows: Array<ReadonlyArray<string>> = []
  const get = fiber["get"]?.median ?? Number.NaN
  const floor = fiber["floor"]?.median ?? Number.NaN
  rows.push([
    "`TokenCache.get` on a hit, in a fiber",
    ratio(get, floor),
    "<= 1.3 × its floor",
    isMet(get <= 1.3 * floor)
  ])
  const [hitPeer, hitOfPeer] = bestPeer(pick(hits, ({ hit }) => hit.median))
  const hit = hits[OURS]?.hit.median ?? Number.NaN
  rows.push([
    "`token()` on a hit",
    `${number(hit)} ns; ${hitPeer} ${number(hitOfPeer)} ns`,
    "faster than every peer",
    isMet(hit < hitOfPeer)
  ])
  const herd = herds[OURS]?.ms.median ?? Number.NaN
  const smithy = herds["@smithy/core"]?.ms.median ?? Number.NaN
  rows.push([
    "10,000 callers at a cold start, 50 ms upstream",
    `${herds[OURS]?.tokenRequests} token request; ${number(herd)} ms; ${ratio(herd, smithy)} @smithy/core`,
    "1 request; <= 1.1 × @smithy/core",
    isMet(herds[OURS]?.tokenRequests === 1 && herd <= 1.1 * smithy)
  ])
  for (const [mode, found] of Object.entries(client)) {
    const added = ((found["nomba"]?.median ?? Number.NaN) - (found["bare"]?.median ?? Number.NaN)) / 1_000
    rows.push([
      `\`NombaClient\` over the bare client, ${mode}`,
      `${added.toFixed(2)} µs a request`,
      "<= 1.3 µs",
      isMet(added <= 1.3)
    ])
  }
  const rejected = counts[OURS]?.rejected?.tokenRequests
  rows.push(["200 calls that are answered with 401 at once", `${rejected} token request`, "1", isMet(rejected === 1)])
  rows.push(
    fleet === undefined
      ? ["fleet of 8, cold", "skipped", "1 token request; 0 Redis commands a hit", "skipped"]
      : [
          "fleet of 8, cold",
          `${fleet.tokenRequests} token request; ${fleet.redisCommands} Redis commands for ${number(fleet.hits)} hits`,
          "1 token request; 0 Redis commands a hit",
          isMet(fleet.tokenRequests === 1 && fleet.redisCommands === 0)
        ]
  )
  for (const name of ["nomba-auth", "nomba-auth/promise"]) {
    const { gzip = Number.NaN } = bundles[name] ?? {}
    rows.push([`bundle of \`${name}\`, gzip`, `${(gzip / 1_000).toFixed(1)} kB`, "<= 105 kB", isMet(gzip <= 105_000)])
  }
  const bareServer = mocks["bare node server"]
  const sandbox = mocks["nomba-auth sandbox"]
  if (proxy === undefined) rows.push(["`serve` proxy", "skipped", "<= 1.15 × a bare node proxy", "skipped"])
  else {
    const cpu = proxy.serve.cpuUs.median / proxy.bare.cpuUs.median
    const later = proxy.serve.medianMs.median - proxy.bare.medianMs.median
    rows.push(
      ["`serve` proxy, CPU of a request", `${cpu.toFixed(2)} × a bare node proxy`, "<= 1.15 ×", isMet(cpu <= 1.15)],
      ["`serve` proxy, median latency", `+${later.toFixed(2)} ms`, "+0.3 ms", isMet(later <= 0.3)],
      [
        "`serve` proxy, memory",
        `${number(proxy.serve.residentMiB)} MiB`,
        "<= 80 MiB",
        isMet(proxy.serve.residentMiB <= 80)
      ],
      ["`serve` proxy, ready", `${number(proxy.readyMs)} ms`, "<= 250 ms", isMet(proxy.readyMs <= 250)]
    )
  }
  if (commandLine === undefined) rows.push(["`nomba-auth token` on a hit", "skipped", "bare node + 25 ms", "skipped"])
  else {
    const more = commandLine.hit.median - commandLine.bare.median
    rows.push([
      "`nomba-auth token` on a hit, whole process",
      `bare node + ${number(more)} ms`,
      "bare node + 25 ms",
      isMet(more <= 25)
    ])
  }
  if (sandbox !== undefined && bareServer !== undefined) {
    const later = sandbox.readyMs.median - bareServer.readyMs.median
    rows.push(
      ["sandbox, ready", `bare node + ${number(later)} ms`, "bare node + 300 ms", isMet(later <= 300)],
      [
        "sandbox, token requests",
        `${number(sandbox.rate.median)} a second`,
        ">= 2,500",
        isMet(sandbox.rate.median >= 2_500)
      ]
    )
  }
  return table(["what", "measured", "budget", ""], rows)
}

const hitTable = ({ hits }: Results): string => {
  const [, best] = bestPeer(pick(hits, ({ hit }) => hit.median))
  return table(
    ["system", "await of a token in memory", "× floor", "× best peer"],
    Object.entries(hits)
      .sort(([, a], [, b]) => a.hit.median - b.hit.median)
      .map(([name, { floor, hit }]) => [
        name,
        withSpread(hit, "ns"),
        ratio(hit.median, floor.median),
        ratio(hit.median, best)
      ])
  )
}

const herdTable = ({ herds }: Results): string => {
  const [, best] = bestPeer(pick(herds, ({ ms }) => ms.median))
  return table(
    ["system", "10,000 callers, 50 ms upstream", "× best peer", "token requests"],
    Object.entries(herds)
      .sort(([, a], [, b]) => a.ms.median - b.ms.median)
      .map(([name, { ms, tokenRequests }]) => [
        name,
        withSpread(ms, "ms"),
        ratio(ms.median, best),
        String(tokenRequests)
      ])
  )
}

const NO_CACHE = "keeps no token"
const countTable = ({ counts }: Results): string =>
  table(
    [
      "system",
      "cold start",
      "100 calls, token lives 60 s",
      "401 herd",
      "of these answered",
      "blocked by a renewal ahead",
      "expiry herd",
      "got an expired token",
      "503 herd",
      "next herd",
      "error shows a secret"
    ],
    Object.entries(counts).map(([name, { cold, due, expiry, failure, rejected, short }]) => [
      name,
      String(cold.tokenRequests),
      short === undefined ? NO_CACHE : String(short.tokenRequests),
      rejected === undefined ? "cannot be told" : String(rejected.tokenRequests),
      rejected === undefined ? "-" : String(rejected.answered),
      due === undefined ? "-" : due.tokenRequests === 0 ? "none: it renews at the end only" : String(due.blocked),
      expiry === undefined ? NO_CACHE : String(expiry.tokenRequests),
      expiry === undefined ? "-" : String(expiry.stale),
      String(failure.tokenRequests),
      String(failure.again),
      failure.leaks ? "yes" : "no"
    ])
  )

const byName = (found: Record<string, Spread>, unit: string, base: string): string =>
  table(
    ["what", unit, `× ${base}`],
    Object.entries(found).map(([name, spread]) => [
      name,
      withSpread(spread, unit),
      ratio(spread.median, found[base]?.median)
    ])
  )

const microseconds = (found: Record<string, Spread>): Record<string, Spread> =>
  Object.fromEntries(
    Object.entries(found).map(([name, { high, low, median }]) => [
      name,
      { median: median / 1_000, low: low / 1_000, high: high / 1_000 }
    ])
  )

const scaleTable = ({ scale }: Results): string => {
  const sizes = Object.keys(Object.values(scale)[0] ?? {})
  return table(
    ["callers", ...Object.keys(scale)],
    sizes.map((size) => [
      Number(size).toLocaleString("en-US"),
      ...Object.values(scale).map((row) => {
        const ms = row[Number(size)] ?? Number.NaN
        return `${number(ms)} ms (${number(((ms - 50) * 1_000) / Number(size))} µs each above 50 ms)`
      })
    ])
  )
}

export const report = (results: Results): string => {
  const { bundles, client, environment, fiber, memory, mocks, proxy, skipped, throughput } = results
  const { cores, cpu, loadAfter, loadBefore, node, seconds, system, versions } = environment
  const sections: Array<readonly [string, string]> = [
    ["Budgets", budgets(results)],
    [
      "A token in memory",
      `What \`await token()\` costs. The floor is the await of a promise that is resolved already. \`nomba-auth\` is one \`runPromise\` for each\ncall.\n\n${hitTable(results)}\n\nIn a fiber: an empty effect, and the floor of every cache: one look at the clock, one field, one effect that was built before.\n\n${byName(fiber, "ns", "floor")}`
    ],
    [
      "A cold start",
      `All callers ask at once, and none has a token yet. @azure/msal-node, openid-client and the cache without a single flight send one token request for each caller, so 10,000 of them would measure the token server. \`nomba-auth\` is\n10,000 fibers of one runtime.\n\n${herdTable(results)}${Object.keys(results.scale).length === 0 ? "" : `\n\n${scaleTable(results)}`}`
    ],
    [
      "What happens",
      `Token requests, unless the column says something else; each with 200 callers at once. "Cannot be told": it has no call that says that the API rejected the token.\n\n${countTable(results)}`
    ],
    ...Object.entries(client).map(
      ([mode, found]) =>
        [
          `\`NombaClient\`, ${mode}`,
          `A request that a client in memory answers, in one fiber.\n\n${byName(microseconds(found), "µs", "bare")}`
        ] as const
    ),
    [
      "Requests over a socket",
      `Fifty at a time, answered by another process.\n\n${byName(throughput, "requests a second", "fetch")}`
    ],
    [
      "Memory",
      table(
        ["system", "one cache with a token", "one waiting caller"],
        Object.entries(memory).map(([name, { perCache, perWaiter }]) => [
          name,
          `${number(perCache / 1_000)} kB`,
          perWaiter === undefined ? "sends its own request" : `${number(perWaiter)} B`
        ])
      )
    ],
    [
      "Mock servers",
      table(
        ["server", "ready", "token requests a second", "memory"],
        Object.entries(mocks).map(([name, { failed, rate, readyMs, residentMiB }]) => [
          name,
          withSpread(readyMs, "ms"),
          `${withSpread(rate, "")}${failed > 0 ? `, ${failed} failed` : ""}`,
          `${number(residentMiB)} MiB`
        ])
      )
    ],
    ...(proxy === undefined
      ? []
      : [
          [
            "Proxy",
            table(
              ["proxy", "CPU of a request", "median latency", "memory", "failed"],
              (["serve", "bare"] as const).map((name) => [
                name === "serve" ? "`nomba-auth serve`" : "bare node proxy",
                withSpread(proxy[name].cpuUs, "µs"),
                withSpread(proxy[name].medianMs, "ms"),
                `${number(proxy[name].residentMiB)} MiB`,
                String(proxy[name].failed)
              ])
            )
          ] as const
        ]),
    [
      "Bundles",
      table(
        ["program", "gzip", "limit", "minified"],
        Object.entries(bundles).map(([name, { gzip, limit, minified }]) => [
          name,
          `${(gzip / 1_000).toFixed(1)} kB`,
          `${limit} kB`,
          `${(minified / 1_000).toFixed(1)} kB`
        ])
      )
    ],
    ...(skipped.length === 0 ? [] : [["Skipped", skipped.map((what) => `- ${what}`).join("\n")] as const])
  ]
  return `# Measured

Written by \`npm run bench\`: every figure is from one run of ${seconds} s. Each system runs in fresh processes, in turn, after a
warm-up. Shown is the median of the processes, and the lowest and highest (or the quartiles, if there was one process).

Node ${node} on ${cpu}, ${cores} cores, ${system}; load ${loadBefore.toFixed(2)} before and ${loadAfter.toFixed(2)} after.
${Object.entries(versions)
  .map(([name, version]) => `${name} ${version}`)
  .join(", ")}.

${sections.map(([title, text]) => `## ${title}\n\n${text}`).join("\n\n")}

${readFileSync(new URL("notes.md", import.meta.url), "utf8")}`
}
