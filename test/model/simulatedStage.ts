/** Simulated processes over a simulated store and the sandbox's state machine, in simulated time. */
import { type Context, Deferred, Duration, Effect, type Exit, Layer, Random, type Scope, Utils } from "effect"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import type { NombaClient } from "../../src/services/NombaClient.js"
import type { TokenCache } from "../../src/services/TokenCache.js"
import * as acts from "../fleet/acts.js"
import { makeLedger } from "../fleet/Ledger.js"
import { type ProcessOptions, usualOptions } from "../fleet/protocol.js"
import type { Outcome, Row } from "../fleet/Row.js"
import type { Setting, Stage, Store, Worker } from "../fleet/Stage.js"
import { makeTraffic } from "../fleet/Traffic.js"
import { makeWaiting } from "../fleet/Waiting.js"
import { makeSimulation, type Simulation } from "../support/simulator.js"
import { clientLayer } from "./fleetClient.js"
import { type Dice, makeDice } from "./fleetNetwork.js"
import { makeNomba, type Nomba } from "./fleetNomba.js"
import { type Health, makeStore, type StoreServer } from "./fleetStore.js"

interface Surroundings {
  readonly simulation: Simulation
  readonly dice: Dice
  readonly nomba: Nomba
  readonly store: StoreServer
}

/** `Effect.never` would keep the real process alive, because nothing of a killed one is ever interrupted. */
const forEver: Effect.Effect<never> = Effect.async(() => {})

const startWorker = (
  name: string,
  options: ProcessOptions,
  { dice, nomba, simulation, store }: Surroundings
): Effect.Effect<Worker, never, Scope.Scope> =>
  Effect.gen(function* () {
    let offset = options.clockOffset
    const process = simulation.process(() => offset)
    yield* Effect.addFinalizer(() => Effect.sync(process.kill))
    const arrived = yield* Deferred.make<void>()
    const waiting = makeWaiting(
      options.waitAt,
      () => Deferred.unsafeDone(arrived, Effect.void),
      // What stands still goes no further than to where it gives way to others.
      Effect.zipRight(Effect.sync(process.stall), Effect.yieldNow())
    )
    const layer = clientLayer(
      {
        client: waiting.client(nomba.clientFor(process, () => {})),
        store: SessionStore.fromDriver(waiting.store(store.connectFor(process, () => {})))
      },
      { requestTimeout: Duration.millis(options.requestTimeout) }
    )
    const built = yield* Deferred.make<Context.Context<NombaClient | TokenCache>>()
    process.fork(
      Effect.flatMap(Layer.build(layer), (context) => Deferred.succeed(built, context)).pipe(
        Effect.zipRight(forEver),
        Effect.scoped,
        Effect.withRandom(Random.make(dice.between(0, 2 ** 31)))
      )
    )
    const context = yield* Deferred.await(built)
    /** Not by joining, with which whoever asks would come to run in the process. */
    const tell = <A>(act: Effect.Effect<A, Error, NombaClient | TokenCache>): Effect.Effect<A, Error> =>
      Effect.async((resume) => process.fork(Effect.provide(act, context)).addObserver(resume))
    const traffic = makeTraffic(name, simulation.now)
    return {
      get: tell(acts.get),
      renew: tell(acts.renew),
      outlive: tell(
        acts.outlive((millis) => {
          offset += millis
        })
      ),
      call: tell(acts.call),
      logout: tell(acts.logout),
      load: (every) => tell(traffic.begin(every)),
      report: tell(traffic.end),
      arrived: Deferred.await(arrived),
      goOn: Effect.sync(waiting.goOn),
      kill: Effect.sync(process.kill),
      stop: Effect.sync(process.stall),
      continue: Effect.sync(process.resume),
      isAlive: process.isAlive
    }
  })

const storeOf = (server: StoreServer): Store => {
  const become = (health: Health) =>
    Effect.sync(() => {
      server.health = health
    })
  return {
    kill: become("refusing"),
    restart: Effect.zipRight(Effect.sync(server.wipe), become("well")),
    freeze: become("frozen"),
    thaw: become("well"),
    fill: become("full"),
    makeRoom: become("well")
  }
}

const stageIn = (simulation: Simulation, dice: Dice): Stage => ({
  build: ({ accessLifetime = 600_000, storeLatency = 0 }) =>
    Effect.sync((): Setting => {
      const { note, ...ledger } = makeLedger()
      const nomba = makeNomba(simulation, dice, { skew: 0, lifetime: accessLifetime, note })
      const store = makeStore(simulation, dice, () => {})
      store.latency = storeLatency
      let processes = 0
      return {
        upstream: {
          ...ledger,
          liveToken: Effect.sync(nomba.liveToken),
          issuedAt: Effect.sync(nomba.issuedAt),
          tokenCalls: Effect.sync(() => nomba.counts.tokenCalls),
          counts: Effect.sync(() => ({ ...nomba.sandbox(), refused: nomba.counts.refused })),
          loginElsewhere: Effect.sync(nomba.loginElsewhere),
          delayNext: (call, millis) => Effect.sync(() => nomba.delays.set(call, millis))
        },
        store: storeOf(store),
        one: (options) => {
          processes += 1
          return startWorker(`${processes}`, { ...usualOptions, ...options }, { simulation, dice, nomba, store })
        }
      }
    })
})

/** Plays one fault; the same seed gives the same course. */
export const simulate = ({ run }: Row, seed: number): Exit.Exit<Outcome, Error> => {
  const simulation = makeSimulation(1_760_000_000_000)
  const stage = stageIn(simulation, makeDice(new Utils.PCGRandom(seed)))
  return simulation.run(Effect.scoped(run(stage)))
}
