/** What lies between the processes of a fleet and the servers that they share. */
import type { Utils } from "effect"
import type { Process, Simulation } from "../support/simulator.js"

/** Chance, from a seed. */
export interface Dice {
  /** From one number to below another. */
  readonly between: (least: number, most: number) => number
  /** True this often, from 0 to 1. */
  readonly chance: (probability: number) => boolean
  readonly pick: <A>(items: ReadonlyArray<A>) => A
}

export const makeDice = (random: Utils.PCGRandom): Dice => ({
  between: (least, most) => least + random.number() * (most - least),
  chance: (probability) => random.number() < probability,
  pick: <A>(items: ReadonlyArray<A>): A => items[Math.floor(random.number() * items.length)] as A
})

/** How long one way takes, in milliseconds; `"lost"` on the way. */
export type Way = number | "lost"

/** Sends a request to a server, which may be stalled itself, and its answer back. */
export const exchange = <A>(
  simulation: Simulation,
  process: Process,
  { back, serve, there }: { readonly there: Way; readonly serve: () => A; readonly back: () => Way },
  answered: (answer: A) => void
): void => {
  if (there === "lost") return
  simulation.after(there, () => {
    const answer = serve()
    const way = back()
    if (way !== "lost") simulation.after(way, () => process.deliver(() => answered(answer)))
  })
}
