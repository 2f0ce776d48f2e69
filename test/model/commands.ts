/** What can happen to a cache, as commands that shrink. */
import { Effect, FastCheck as fc } from "effect"
import { down, garbage, timedOut, unreachable, wrongSecret } from "../support/upstream.js"
import { Broken, type World } from "./world.js"

/** What a sequence has set up and not taken back: nothing is expected of the cache but what holds under these faults. */
export interface Model {
  isDown: boolean
  isStoreDown: boolean
  /** Whether a session may be in hand that the store has not. */
  isUnsaved: boolean
}

type Command = fc.Command<Model, World>

const command = (
  name: string,
  act: (world: World, model: Model) => void,
  check: (model: Readonly<Model>) => boolean = () => true
): Command => ({
  check,
  run: (model, world) => {
    act(world, model)
    if (world.broken.length > 0) throw new Broken(world.broken.join("; "))
  },
  toString: () => name
})

const failures = { unreachable, timedOut, down, wrongSecret, garbage }

const faults = Object.entries(failures).map(([name, failUnprocessed]) =>
  fc.constant(
    command(`upstream fails: ${name}`, ({ upstream }, model) => {
      upstream.always = { failUnprocessed }
      model.isDown = true
    })
  )
)

const passing = fc
  .oneof(
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 2_000 }) },
    { weight: 3, arbitrary: fc.integer({ min: 2_000, max: 60_000 }) },
    { weight: 2, arbitrary: fc.integer({ min: 60_000, max: 1_500_000 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1_500_000, max: 90_000_000 }) }
  )
  .map((millis) => command(`pass ${millis} ms`, ({ simulation }) => simulation.pass(millis)))

const withToken = (act: (world: World, token: string) => void) => (world: World) => {
  const token = world.lastToken()
  if (token !== undefined) act(world, token)
}

const routes = fc.constantFrom(undefined, "GET /v1/accounts/balance", "GET /v1/accounts/parent")

const reports = Array.from({ length: 2 }, () =>
  routes.map((route) =>
    command(
      `report the last token as rejected${route === undefined ? "" : ` by ${route}`}`,
      withToken((world, token) => world.report(token, route))
    )
  )
)

const confirmations = routes.map((route) =>
  command(
    `confirm the last token${route === undefined ? "" : ` for ${route}`}`,
    withToken((world, token) => world.confirm(token, route))
  )
)

/** An end user brings a session, which the store does not have while it is down. */
const login = fc.constant(
  command("an end user logs in", ({ login }, model) => {
    login()
    model.isUnsaved ||= model.isStoreDown
  })
)

/** Each with how often it is drawn. */
export const commands = (isPublic: boolean): ReadonlyArray<fc.Arbitrary<Command>> => [
  ...(isPublic ? [login, login] : []),
  ...Array.from({ length: 4 }, () => fc.constant(command("get", (world) => void world.get()))),
  passing,
  passing,
  passing,
  ...reports,
  confirmations,
  fc.constant(
    command(
      "reject, get and confirm",
      withToken((world, token) => {
        world.report(token)
        world.get()
        world.simulation.pass(10_000)
        const next = world.lastToken()
        if (next !== undefined && next === world.upstream.liveToken()) world.confirm(next)
      })
    )
  ),
  ...faults,
  fc.constant(
    command("upstream is well", ({ upstream }, model) => {
      upstream.always = {}
      model.isDown = false
    })
  ),
  fc.integer({ min: 1, max: 9_000 }).map((latency) =>
    command(`upstream takes ${latency} ms`, ({ upstream }, model) => {
      upstream.always = { latency }
      model.isDown = false
    })
  ),
  fc.constant(
    command("the next answer is lost", ({ upstream }) => upstream.script({ failProcessed: timedOut, latency: 5_000 }))
  ),
  fc
    .boolean()
    .map((repeats) =>
      command(`Nomba ${repeats ? "repeats its token" : "grants new tokens"}`, ({ setRepeatsTokens }) =>
        setRepeatsTokens(repeats)
      )
    ),
  fc.constant(
    command("another program logs in", ({ start, upstream }) => void start(Effect.asVoid(upstream.startSession)))
  ),
  fc
    .integer({ min: 1, max: 3_600_000 })
    .map((millis) => command(`the clock is set back ${millis} ms`, ({ setClockBack }) => setClockBack(millis))),
  fc.nat(20).map((index) => command(`interrupt caller ${index}`, ({ interrupt }) => interrupt(index))),
  fc.constant(
    command(
      "close and open",
      (world, model) => {
        world.close()
        world.open()
        model.isUnsaved = false
      },
      ({ isStoreDown, isUnsaved }) => !(isStoreDown && isUnsaved)
    )
  ),
  fc.constant(command("log out", ({ logout }) => logout())),
  fc.constant(
    command("the store is down", ({ setStoreDown }, model) => {
      setStoreDown(true)
      model.isStoreDown = true
    })
  ),
  fc.constant(
    command("the store is well", ({ setStoreDown }, model) => {
      setStoreDown(false)
      model.isStoreDown = false
    })
  )
]
