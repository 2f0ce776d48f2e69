/** One process of a fleet: the real client, cache and token operations, on a clock of its own. */
import { Cause, Duration, Effect, Exit, Option, Random, Redacted, Stream } from "effect"
import * as SessionStore from "../../src/layers/store/SessionStore.js"
import { NombaClient } from "../../src/services/NombaClient.js"
import { type CachedSession, TokenCache } from "../../src/services/TokenCache.js"
import type { Process, Simulation } from "../support/simulator.js"
import { clientLayer } from "./fleetClient.js"
import type { Dice } from "./fleetNetwork.js"
import type { Moment, Nomba } from "./fleetNomba.js"
import type { Referee } from "./fleetReferee.js"
import type { Step, StoreServer } from "./fleetStore.js"

export type Point = Moment | Step

export interface Instance {
  readonly number: number
  /** The token that it would hand out. */
  readonly holds: () => string | undefined
  readonly isAlive: () => boolean
  readonly process: () => Process
  readonly stall: () => void
  readonly resume: () => void
  readonly kill: () => void
  /** Starts a new process in the place of one that was killed. */
  readonly start: () => void
  /** Its clock is set. */
  readonly setClock: (offset: number) => void
}

export interface Surroundings {
  readonly simulation: Simulation
  readonly dice: Dice
  readonly nomba: Nomba
  readonly store: StoreServer
  readonly referee: Referee
  /** An instance has come to a point of the protocol. */
  readonly reached: (instance: Instance, point: Point) => void
}

/** A caller waits no longer than this. */
const PATIENCE = Duration.seconds(50)

export const makeInstance = (number: number, surroundings: Surroundings): Instance => {
  const { dice, nomba, referee, simulation, store } = surroundings
  let offset = dice.between(-600_000, 600_000)
  let process = simulation.process(() => offset)
  let held: string | undefined
  /** Its clock was set since the token came: it is wrong about what is left of it. */
  let isMistaken = false

  const hold = (cached: CachedSession | undefined): void => {
    isMistaken = false
    held = cached === undefined ? undefined : Redacted.value(cached.session.accessToken)
  }

  /** One request for a resource, and whether its outcome may be told to a caller. */
  const call = (client: NombaClient["Type"], own: Process): Effect.Effect<void> =>
    Effect.suspend(() => {
      const since = simulation.now()
      const isServed = held === nomba.alive() && nomba.remaining() > 15_000 && !isMistaken
      const token = isServed ? held : undefined
      return client.get("/v1/accounts/balance").pipe(
        Effect.timeout(PATIENCE),
        Effect.onExit((exit) => Effect.sync(() => own.isAlive() && judge(since, token, exit))),
        Effect.ignore
      )
    })

  /** What a caller is told, who began then; `live` is the token that it could be served with. */
  const judge = (
    since: number,
    live: string | undefined,
    exit: Exit.Exit<{ readonly status: number }, { readonly _tag: string }>
  ): void => {
    referee.count("calls")
    const isServed = live !== undefined && live === nomba.alive()
    const excused =
      referee.wasImpaired(number, "calling", since) || (!isServed && referee.wasImpaired(number, "renewing", since))
    const took = `after ${Math.round(simulation.now() - since)} ms`
    if (Exit.isFailure(exit)) {
      const tag = Option.match(Cause.failureOption(exit.cause), { onNone: () => "defect", onSome: ({ _tag }) => _tag })
      referee.count(`callers told ${tag}`)
      if (!excused || tag === "defect") {
        referee.blame(`instance ${number} told a caller ${took}: ${Cause.pretty(exit.cause).split("\n")[0]}`)
      }
    } else if (exit.value.status === 401) {
      if (nomba.lastTheft() >= since) referee.count("401s told to callers: a theft before the replay")
      else if (excused) referee.count("401s told to callers: nobody could renew")
      else referee.blame(`instance ${number} told a caller of a 401 ${took}`)
    } else if (exit.value.status !== 200) {
      referee.count(`callers told ${exit.value.status}`)
      if (!excused) referee.blame(`instance ${number} told a caller of a ${exit.value.status} ${took}`)
    }
  }

  const program = (own: Process, seed: number) => {
    const layer = clientLayer({
      client: nomba.clientFor(own, (moment) => surroundings.reached(instance, moment)),
      store: SessionStore.fromDriver(store.connectFor(own, (step) => surroundings.reached(instance, step)))
    })
    return Effect.gen(function* () {
      const client = yield* NombaClient
      const { changes } = yield* TokenCache
      yield* Effect.fork(
        Stream.runForEach(changes, (event) =>
          Effect.sync(() => {
            switch (event._tag) {
              case "Current":
                return hold(Option.getOrUndefined(event.session))
              case "Issued":
              case "Refreshed":
              case "Adopted":
                return hold(event.session)
              case "LoggedOut":
                return hold(undefined)
            }
          })
        )
      )
      while (true) {
        yield* Effect.forkDaemon(call(client, own))
        yield* Effect.sleep(Duration.millis(dice.chance(0.05) ? dice.between(0, 500) : dice.between(40_000, 60_000)))
      }
    }).pipe(Effect.provide(layer), Effect.withRandom(Random.make(seed)), Effect.withTracerEnabled(false))
  }

  const instance: Instance = {
    number,
    holds: () => held,
    isAlive: () => process.isAlive(),
    process: () => process,
    stall: () => process.stall(),
    resume: () => process.resume(),
    kill: () => {
      process.kill()
      held = undefined
    },
    start: () => {
      process = simulation.process(() => offset)
      process.fork(program(process, dice.between(0, 2 ** 31)))
    },
    setClock: (next) => {
      offset = next
      isMistaken = true
    }
  }
  return instance
}
