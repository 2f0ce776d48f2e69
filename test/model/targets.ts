/**
 * How many token requests a program may send under the three conditions that make careless clients send them without end:
 * a rival that logs in with the same credentials, a route or a query that always answers 401, and a Nomba that repeats its token.
 */
import { Duration, Effect, Utils } from "effect"
import { renewalsWithin } from "../support/bounds.js"
import { makeSimulation, type Simulation } from "../support/simulator.js"
import { type Dice, makeDice } from "./fleetNetwork.js"
import { good, LIFETIME, makeNomba, type Nomba } from "./fleetNomba.js"
import { type Program, startProgram } from "./program.js"

export interface Outcome {
  readonly name: string
  readonly figures: string
  /** What must hold and did not. */
  readonly broken: ReadonlyArray<string>
}

interface Stage {
  readonly simulation: Simulation
  readonly dice: Dice
  readonly nomba: Nomba
  readonly must: (holds: boolean, what: string) => void
}

const SECOND = 1_000
const MINUTE = 60_000

const play = async (name: string, seed: number, run: (stage: Stage) => Promise<string>): Promise<Outcome> => {
  const simulation = makeSimulation(1_760_000_000_000)
  const dice = makeDice(new Utils.PCGRandom(seed))
  const broken: Array<string> = []
  const figures = await run({
    simulation,
    dice,
    nomba: makeNomba(simulation, dice, { skew: 0 }),
    must: (holds, what) => {
      if (!holds) broken.push(what)
    }
  })
  return { name: `${name}, seed ${seed}`, figures, broken }
}

/** Lets the event loop collect what the platform's client hangs on each response. */
const collected = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

const passSlowly = async ({ simulation }: Stage, millis: number): Promise<void> => {
  for (let left = millis; left > 0; left -= MINUTE) {
    simulation.pass(Duration.millis(Math.min(left, MINUTE)))
    await collected()
  }
}

/** The most events within any span of this length. */
const mostWithin = (times: ReadonlyArray<number>, span: number): number =>
  times.reduce((most, at, index) => Math.max(most, times.slice(index).filter((_) => _ < at + span).length), 0)

/** Sends a request over and over, and counts how it was answered. */
const load = (program: Program, every: number, request: (index: number) => readonly ["GET" | "POST", string]) => {
  const counts = { ok: 0, unauthorized: 0, failed: new Map<string, number>(), sent: 0 }
  const send = Effect.suspend(() => {
    const [method, path] = request(counts.sent++)
    return Effect.match(program.call(method, path), {
      onFailure: (error) => {
        const what = "reason" in error ? error.reason : error._tag
        counts.failed.set(what, (counts.failed.get(what) ?? 0) + 1)
      },
      onSuccess: (status) => {
        if (status === 200) counts.ok += 1
        if (status === 401) counts.unauthorized += 1
      }
    })
  })
  program.fork(Effect.forever(Effect.zipRight(Effect.forkDaemon(send), Effect.sleep(Duration.millis(every)))))
  return counts
}

const balance = () => ["GET", "/v1/accounts/balance"] as const

/** Two programs with private stores, 10 calls a second each. Rule 6 of the design sets the limits. */
export const rivals = (seed: number, minutes: number): Promise<Outcome> =>
  play(`two programs with private stores, ${minutes} minutes`, seed, async (stage) => {
    const { dice, must, nomba, simulation } = stage
    const programs = [startProgram(simulation, nomba, dice), startProgram(simulation, nomba, dice)]
    const start = simulation.now()
    const counts = programs.map((program) => {
      simulation.pass(Duration.millis(dice.between(0, 100)))
      return load(program, 100, balance)
    })
    await passSlowly(stage, minutes * MINUTE)
    const sides = programs.map((program, side) => {
      const { ok = 0, sent = 1 } = counts[side] ?? {}
      const busiest = mostWithin(program.tokenRequests.slice(10), MINUTE)
      const warned = program.warnings.find(({ message }) => message.includes("Another program"))
      const warnedAfter = warned === undefined ? Number.POSITIVE_INFINITY : warned.at - start
      must(busiest <= 20, `side ${side} sent ${busiest} token requests within a minute, at most 20 are allowed`)
      must(ok / sent >= 0.3, `side ${side} got ${ok} of ${sent} calls through, 30 % are due`)
      must(warnedAfter <= MINUTE, `side ${side} named the other program after ${warnedAfter} ms`)
      return `${Math.round((100 * ok) / sent)} % through, ${program.tokenRequests.length} token requests (most in a minute ${busiest}), warned after ${(warnedAfter / SECOND).toFixed(1)} s`
    })
    return sides.join("; ")
  })

/** One route that always answers 401, beside a healthy call each second. */
export const rejectedRoute = (seed: number, spacing: number, hours: number): Promise<Outcome> =>
  play(`a route that answers 401 every ${spacing} s, ${hours} hours`, seed, async (stage) => {
    const { dice, must, nomba, simulation } = stage
    nomba.conditions = { ...good, rejectedPath: "/v1/transfers/wallet" }
    const program = startProgram(simulation, nomba, dice)
    const start = simulation.now()
    const healthy = load(program, SECOND, balance)
    load(program, spacing * SECOND, (index) =>
      dice.chance(0.5)
        ? ["GET", `/v1/transfers/wallet/${1_000_000 + index}`]
        : ["GET", `/v1/transfers/wallet/6f9619ff-8b86-4d01-b42d-${String(index).padStart(12, "0")}`]
    )
    await passSlowly(stage, hours * 60 * MINUTE)
    const due = renewalsWithin(simulation.now() - start, LIFETIME)
    const most = due + 5 * hours
    const { length } = program.tokenRequests
    must(length <= most, `${length} token requests, ${due} were due and at most 5 an hour beyond those are allowed`)
    const warned = program.warnings.filter(({ message }) => message.includes("/v1/transfers/wallet"))
    must(warned.length > 0, "no warning named the route")
    must(healthy.ok / healthy.sent > 0.9, `${healthy.ok} of ${healthy.sent} healthy calls were answered`)
    return `${length} token requests, ${due} due; ${healthy.ok} of ${healthy.sent} healthy calls answered; ${warned.length} warnings`
  })

/** A call that is always answered with 401, beside others of its route that succeed and differ in the query only. */
export const rejectedQuery = (seed: number, spacing: number, hours: number): Promise<Outcome> =>
  play(`a query that is answered with 401 every ${spacing} s, ${hours} hours`, seed, async (stage) => {
    const { must, nomba, simulation } = stage
    const single = "/v1/transactions/accounts/single?orderReference="
    nomba.conditions = { ...good, rejectedPath: `${single}theirs` }
    const program = startProgram(simulation, nomba, stage.dice)
    const start = simulation.now()
    const healthy = load(program, SECOND, balance)
    load(program, (spacing * SECOND) / 2, (index) => ["GET", `${single}${index % 2 === 0 ? "mine" : "theirs"}`])
    await passSlowly(stage, hours * 60 * MINUTE)
    const due = renewalsWithin(simulation.now() - start, LIFETIME)
    const most = due + 5 * hours
    const { length } = program.tokenRequests
    must(length <= most, `${length} token requests, ${due} were due and at most 5 an hour beyond those are allowed`)
    must(healthy.ok / healthy.sent > 0.99, `${healthy.ok} of ${healthy.sent} healthy calls were answered`)
    const blamed = program.warnings.filter(({ message }) => message.includes("Another program"))
    must(blamed.length === 0, "a warning blames another program")
    return `${length} token requests, ${due} due; ${healthy.ok} of ${healthy.sent} healthy calls answered`
  })

/** Nomba answers every token request with the token that it gave last: after its expiry, or after a 401. */
export const repeatedToken = (seed: number, after: "expiry" | "a 401"): Promise<Outcome> =>
  play(`a Nomba that repeats its token after ${after}`, seed, async (stage) => {
    const { dice, must, nomba, simulation } = stage
    const program = startProgram(simulation, nomba, dice)
    const counts = load(program, SECOND, balance)
    await passSlowly(stage, MINUTE)
    nomba.conditions = { ...good, repeatsTokens: true }
    const before = program.tokenRequests.length
    if (after === "a 401") nomba.loginElsewhere()
    // The first renewal is due 5 minutes before the token expires.
    else await passSlowly(stage, LIFETIME - 6 * MINUTE)
    const minutes = 10
    await passSlowly(stage, minutes * MINUTE)
    const sent = program.tokenRequests.length - before
    // The backoff doubles from 1 s to 30 s.
    const most = 5 + 2 * minutes + 2
    must(sent <= most, `${sent} token requests in ${minutes} minutes, at most ${most} are allowed`)
    const { RenewalIneffective: ineffective = 0, ...others } = Object.fromEntries(counts.failed)
    must(ineffective > 0, "no caller was told RenewalIneffective")
    must(Object.keys(others).length === 0, `callers were told something else: ${JSON.stringify(others)}`)
    must(
      program.warnings.some(({ message }) => message.includes("left no usable access token")),
      `no warning names the reason: ${program.warnings[0]?.message}`
    )
    nomba.conditions = good
    await passSlowly(stage, MINUTE)
    const { ok } = counts
    await passSlowly(stage, MINUTE)
    must(counts.ok - ok > 50, "callers were not served again after Nomba granted new tokens")
    return `${sent} token requests in ${minutes} minutes, ${ineffective} callers were told`
  })

/** Seconds between two calls of the route that always answers 401. */
export const SPACINGS: ReadonlyArray<number> = [0.1, 1, 10, 61, 120, 600]

/** What `npm test` plays of it. */
export const quickTargets = (seed: number): ReadonlyArray<() => Promise<Outcome>> => [
  () => rivals(seed, 2),
  () => rejectedRoute(seed, SPACINGS[2 + (seed % 4)] ?? 61, 1),
  () => rejectedQuery(seed, 6, 1),
  () => repeatedToken(seed, "expiry"),
  () => repeatedToken(seed, "a 401")
]

/** At full volume. */
export const allTargets = (seed: number): ReadonlyArray<() => Promise<Outcome>> => [
  ...Array.from({ length: 20 }, (_, index) => () => rivals(seed + index, 5)),
  ...SPACINGS.map((spacing) => () => rejectedRoute(seed, spacing, spacing < 1 ? 1 : 3)),
  ...SPACINGS.slice(1).map((spacing) => () => rejectedQuery(seed, spacing, 3)),
  ...Array.from({ length: 10 }, (_, index) => () => repeatedToken(seed + index, "expiry")),
  ...Array.from({ length: 10 }, (_, index) => () => repeatedToken(seed + index, "a 401"))
]
