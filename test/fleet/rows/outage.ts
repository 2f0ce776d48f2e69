/** Redis is gone for longer than a token lives. */
import { Clock, DateTime, Effect, Option } from "effect"
import { proxyTo } from "../../support/proxy.js"
import { agree, failures, load, type Row, reports, type Scene, scene, until } from "../Row.js"

interface Kind {
  readonly name: string
  readonly short: boolean
  readonly lifetime: number
  readonly lasts: number
  readonly begin: (scene: Scene) => Effect.Effect<unknown, Error>
  readonly end: (scene: Scene) => Effect.Effect<unknown, Error>
}

const outage = ({ begin, end, lasts, lifetime, name, short }: Kind): Row => ({
  name,
  short,
  run: (file) =>
    Effect.gen(function* () {
      const stage = yield* scene(file, { accessLifetime: lifetime })
      const { must, upstream } = stage
      const issuedAt = Effect.map(upstream.sandbox.session(), (session) =>
        Option.match(session, { onNone: () => 0, onSome: (_) => DateTime.toEpochMillis(_.issuedAt) })
      )
      const workers = yield* stage.start(4)
      yield* load(workers, 100)
      // So that nobody is renewing when it begins.
      const isQuiet = until(
        Effect.gen(function* () {
          const age = (yield* Clock.currentTimeMillis) - (yield* issuedAt)
          return age > lifetime / 10 && age < lifetime / 4
        })
      )
      must(yield* isQuiet, "no moment came at which nobody was renewing")
      const before = yield* upstream.tokenCalls
      const answeredBefore = upstream.answered()
      const lastIssue = yield* issuedAt
      yield* begin(stage)
      yield* Effect.sleep(lasts)
      const during = (yield* upstream.tokenCalls) - before
      const answered = upstream.answered() - answeredBefore
      const ended = yield* Clock.currentTimeMillis
      yield* end(stage)
      yield* agree(stage, workers, "afterwards")
      const recovered = (yield* Clock.currentTimeMillis) - ended
      const after = (yield* upstream.tokenCalls) - before - during
      const { failed, firstFailure, ok, unauthorized } = yield* reports(workers)

      const { Unavailable = 0, ...others } = failed
      const naturalEnd = lastIssue + lifetime * 0.9
      must(during === 0, `${during} token calls while Redis was gone`)
      must(firstFailure >= naturalEnd - 500, `a request failed ${naturalEnd - firstFailure} ms before the token's end`)
      must(failures(others) === "", `failures of another kind: ${failures(others)}`)
      must(unauthorized.length === 0, `${unauthorized.length} requests ended with a 401`)
      must(answered > 0, "nothing was answered while Redis was gone and the token alive")
      must(upstream.repeated() === 0, `${upstream.repeated()} POSTs were carried out twice`)
      const most = 2 + Math.ceil(recovered / (lifetime * 0.7))
      must(after <= most, `${after} token calls after it, at most ${most} were due`)
      return yield* stage.end(
        4,
        `${ok} requests answered; ${Unavailable} failed as Unavailable, the first ${(Math.max(0, firstFailure - lastIssue) / 1000).toFixed(1)} s after the token of ${lifetime / 1000} s was issued; ${during} token calls meanwhile; one session ${(recovered / 1000).toFixed(1)} s after it was back`
      )
    })
})

const outages: ReadonlyArray<Kind> = [
  {
    name: "Redis is killed, and comes back empty after 14 s",
    short: true,
    lifetime: 12_000,
    lasts: 14_000,
    begin: ({ redis }) => redis.kill,
    end: ({ redis }) => redis.restart
  },
  {
    name: "Redis is frozen for 20 s",
    short: false,
    lifetime: 12_000,
    lasts: 20_000,
    begin: ({ redis }) => redis.freeze,
    end: ({ redis }) => redis.thaw
  },
  {
    name: "Redis is out of memory for 14 s",
    short: false,
    lifetime: 12_000,
    lasts: 14_000,
    begin: ({ redis }) => redis.call("CONFIG", "SET", "maxmemory", "1"),
    end: ({ redis }) => redis.call("CONFIG", "SET", "maxmemory", "0")
  }
]

/** Cold start of one process whose connection breaks at one command, and of another whose does not. */
const brokenAt = (file: string, after: number, what: "request" | "answer") =>
  Effect.gen(function* () {
    const stage = yield* scene(file)
    const wire = yield* proxyTo(stage.redis.port)
    yield* wire.breakAt("eval\r\n", after, what)
    const first = yield* stage.one({ redis: wire.port })
    yield* Effect.ignore(first.get)
    const second = yield* stage.one()
    yield* agree(stage, [first, second], `after the ${what} of command ${after + 1} was lost`)
    const { issued } = yield* stage.upstream.sandbox.counts
    stage.must(issued === 1, `${issued} sessions were issued when the ${what} of command ${after + 1} was lost`)
    return { ...(yield* stage.end(2, "")), reached: wire.passed() > after }
  }).pipe(Effect.scoped)

const COMMANDS = 7

const cutAtEveryCommand: Row = {
  name: "the connection to Redis breaks at each command of a cold start in turn",
  short: false,
  run: (file) =>
    Effect.gen(function* () {
      const places = Array.from({ length: COMMANDS }, (_, after) => after)
      const runs = yield* Effect.forEach(
        places.flatMap((after) => [
          { after, what: "request" as const },
          { after, what: "answer" as const }
        ]),
        ({ after, what }) => brokenAt(file, after, what),
        { concurrency: 2 }
      )
      const reached = runs.filter((_) => _.reached).length
      const broken = runs.flatMap((_) => _.broken)
      return {
        processes: 2,
        tokenCalls: runs.reduce((total, { tokenCalls }) => total + tokenCalls, 0),
        figures: `${reached} of ${runs.length} places reached, 1 session each time`,
        broken: reached >= 10 ? broken : [...broken, `only ${reached} places were reached`]
      }
    })
}

export const outageRows: ReadonlyArray<Row> = [...outages.map(outage), cutAtEveryCommand]
