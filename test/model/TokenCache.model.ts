/** One run of the model: any sequence of commands, then an end to all faults, from which everything recovers. */
import { setImmediate as turn } from "node:timers/promises"
import { Exit, FastCheck as fc } from "effect"
import { commands, type Model } from "./commands.js"
import { Broken, makeWorld, type World } from "./world.js"

const demand = (holds: boolean, what: string): void => {
  if (!holds) throw new Broken(what)
}

const answerOf = (world: World): string => {
  const fiber = world.get()
  let answer: string | undefined
  fiber.addObserver((exit) => {
    if (Exit.isSuccess(exit)) answer = exit.value
  })
  world.simulation.pass("30 seconds")
  return answer ?? "nothing"
}

/** Once faults end, everything recovers without help. */
const recovers = (world: World): void => {
  world.upstream.always = {}
  world.upstream.forget()
  world.setStoreDown(false)
  world.setRepeatsTokens(false)
  world.simulation.pass("6 minutes")
  const first = answerOf(world)
  if (first !== world.upstream.liveToken()) {
    world.report(first)
    world.simulation.pass("61 seconds")
    if (world.isPublic) world.login()
    demand(answerOf(world) === world.upstream.liveToken(), "the cache did not recover when all faults had ended")
  }
  world.close()
  demand(world.broken.length === 0, world.broken.join("; "))
}

export interface Volume {
  /** Whether only persons start sessions. */
  readonly isPublic?: boolean
  readonly sequences: number
  readonly seed?: number
  readonly path?: string
}

/** Throws with the command that replays it, and the shrunk commands of the first sequence that breaks a promise. */
export const checkModel = async ({
  isPublic = false,
  path,
  seed = Date.now() & 0x7fffffff,
  sequences
}: Volume): Promise<void> => {
  const run = await fc.check(
    fc.asyncProperty(fc.commands([...commands(isPublic)], { maxCommands: 40, size: "+1" }), async (sequence) => {
      // A sequence is synchronous: without a turn between them, whoever runs the test would hear nothing until the end.
      await turn()
      const world = makeWorld(isPublic)
      world.open()
      fc.modelRun(
        () => ({
          model: { isDown: false, isStoreDown: false, isUnsaved: false } satisfies Model as Model,
          real: world
        }),
        sequence
      )
      recovers(world)
    }),
    { numRuns: sequences, seed, ...(path === undefined ? {} : { path }), endOnFailure: false }
  )
  if (run.failed) {
    // Which sequence it was; how that was shrunk is found anew, since the path alone does not tell it of commands.
    const [path] = (run.counterexamplePath ?? "").split(":")
    const replay = `npm run simulate -- ${isPublic ? "--public " : ""}--seed=${run.seed} --path=${path}`
    throw new Error(`${replay}\n${fc.defaultReportMessage(run)}`, { cause: run.errorInstance })
  }
}
