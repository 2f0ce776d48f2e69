/** The network between the processes of a fleet and the servers that they share. */
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

interface Exchange<A> {
  readonly there: Way
  readonly serve: () => A
  readonly back: () => Way
  /** Arrives after everything that was sent before it on this connection. Default: `true`. */
  readonly isOrdered?: boolean
}

/** One connection of a process to a server. What is sent on it arrives in order, each way. */
export interface Connection {
  readonly exchange: <A>(exchange: Exchange<A>, answered: (answer: A) => void) => void
  /** The server sends something on its own. */
  readonly push: (way: number, arrived: () => void) => void
}

export const makeConnection = (simulation: Simulation, process: Process): Connection => {
  let lastThere = 0
  let lastBack = 0

  const push: Connection["push"] = (way, arrived) => {
    lastBack = Math.max(lastBack, simulation.now() + way)
    simulation.after(lastBack - simulation.now(), () => process.deliver(arrived))
  }

  return {
    push,
    exchange: ({ back, isOrdered = true, serve, there }, answered) => {
      if (there === "lost") return
      if (isOrdered) lastThere = Math.max(lastThere, simulation.now() + there)
      simulation.after(isOrdered ? lastThere - simulation.now() : there, () => {
        const answer = serve()
        const way = back()
        if (way === "lost") return
        if (isOrdered) push(way, () => answered(answer))
        else simulation.after(way, () => process.deliver(() => answered(answer)))
      })
    }
  }
}
