/** A program with a private store: it shares its session with nobody. */
import type { HttpClientError } from "@effect/platform"
import { Context, Effect, Layer, Random } from "effect"
import * as TokenStoreMemory from "../../src/layers/TokenStoreMemory.js"
import type { AuthError } from "../../src/schemas/AuthError.js"
import { NombaClient } from "../../src/services/NombaClient.js"
import { TokenCache } from "../../src/services/TokenCache.js"
import type { Process, Simulation } from "../support/simulator.js"
import { clientLayer, hearing } from "./fleetClient.js"
import type { Dice } from "./fleetNetwork.js"
import type { Nomba } from "./fleetNomba.js"

export interface Warning {
  readonly at: number
  readonly message: string
}

export interface Program {
  readonly process: Process
  /** When each token request was sent. */
  readonly tokenRequests: ReadonlyArray<number>
  readonly warnings: ReadonlyArray<Warning>
  /** One request, with the status of its answer. */
  readonly call: (
    method: "GET" | "POST",
    path: string
  ) => Effect.Effect<number, HttpClientError.HttpClientError | AuthError>
  readonly get: Effect.Effect<unknown, AuthError>
  /** Runs in the program. */
  readonly fork: (effect: Effect.Effect<unknown, unknown>) => void
}

/** Runs it until it is ready. */
export const startProgram = (
  simulation: Simulation,
  nomba: Nomba,
  dice: Dice,
  { isRival = false }: { readonly isRival?: boolean } = {}
): Program => {
  const process = simulation.process()
  const tokenRequests: Array<number> = []
  const warnings: Array<Warning> = []
  const layer = clientLayer({
    client: isRival
      ? nomba.rivalClientFor(process)
      : nomba.clientFor(process, (moment) => {
          if (moment === "sent") tokenRequests.push(simulation.now())
        }),
    store: TokenStoreMemory.make
  })
  const hear = hearing((message) => warnings.push({ at: simulation.now(), message }))
  let built: Context.Context<NombaClient | TokenCache> | undefined
  process.fork(
    Effect.zipRight(
      Effect.map(Layer.build(layer), (context) => {
        built = context
      }),
      Effect.async<never>(() => {})
    ).pipe(
      Effect.scoped,
      hear,
      Effect.withRandom(Random.make(dice.between(0, 2 ** 31))),
      Effect.withTracerEnabled(false)
    )
  )
  simulation.settle()
  if (built === undefined) throw new Error("the program did not start")
  const client = Context.get(built, NombaClient)
  const cache = Context.get(built, TokenCache)
  return {
    process,
    tokenRequests,
    warnings,
    call: (method, path) =>
      Effect.map(Effect.scoped(method === "GET" ? client.get(path) : client.post(path)), ({ status }) => status),
    get: cache.get,
    fork: (effect) => void process.fork(hear(effect))
  }
}
