/** A token is rejected, and the process cannot renew it because of its store: callers get the reason, and not a bare 401. */
import { randomBytes } from "node:crypto"
import { Effect } from "effect"
import type { RealWorker } from "../Fleet.js"
import { agree, type Row, type Scene, scene, until } from "../Row.js"
import type { RealSetting, StoreKind } from "../realStage.js"

const newKey = (): string => randomBytes(32).toString("base64")

/** Ten calls in a row fail with the reason, and the process logs it. No token request is sent. */
const failsWithReason = (set: Scene<RealSetting>, worker: RealWorker, reason: RegExp) =>
  Effect.gen(function* () {
    const before = yield* set.upstream.tokenCalls
    for (let call = 0; call < 10; call++) {
      const outcome = yield* Effect.match(worker.call, {
        onFailure: ({ message }) => message,
        onSuccess: (status) => `status ${status}`
      })
      set.must(reason.test(outcome), `call ${call + 1} ended with ${outcome}`)
    }
    const logged = yield* worker.logged
    set.must(
      logged.some((line) => reason.test(line)),
      `the reason was not logged, but ${logged.length} other lines`
    )
    set.costs((yield* set.upstream.tokenCalls) - before, 0)
  })

const anotherKey = (store: StoreKind): Row<RealSetting> => ({
  name: `another process stores the session under a key that this process does not have (${store})`,
  short: store === "Redis",
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const old = ["2026-05", newKey()] as const
      const keys = [["2026-11", newKey()], old] as const
      const behind = yield* set.one({ ...set.use(store), keys: [old] })
      yield* agree(set, [behind], "before")
      const ahead = yield* set.one({ ...set.use(store), keys })
      yield* agree(set, [behind, ahead], "before the change of keys")
      yield* ahead.renew
      yield* failsWithReason(set, behind, /format or key/)
      const status = yield* Effect.merge(ahead.call)
      set.must(status === "200", `the other process's request ended with ${status}`)
      return yield* set.end(
        2,
        "10 of 10 calls failed with StoreCodec, and it was logged; the others keep their session"
      )
    })
})

const downAfterRejection: Row<RealSetting> = {
  name: "another program logs in, and Redis is down when the fleet's token is rejected",
  short: false,
  run: (stage) =>
    Effect.gen(function* () {
      const set = yield* scene(stage)
      const worker = yield* set.one()
      yield* agree(set, [worker], "before")
      yield* set.store.kill
      yield* set.upstream.loginElsewhere
      yield* failsWithReason(set, worker, /Redis at 127\.0\.0\.1/)
      yield* set.store.restart
      const recovered = until(Effect.map(Effect.merge(worker.call), (status) => status === "200"))
      set.must(yield* recovered, "no call succeeded after Redis was back")
      return yield* set.end(1, "10 of 10 calls failed with the store's reason, and it was logged")
    })
}

export const unusableStores: ReadonlyArray<Row<RealSetting>> = [
  anotherKey("Redis"),
  anotherKey("file"),
  downAfterRejection
]
