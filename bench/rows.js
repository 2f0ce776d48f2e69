/**
 * One measurement in a process of its own: `node rows.js ROW SYSTEM OPTIONS`, where OPTIONS are JSON. The last line that it
 * prints is the result.
 */
import { fork } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { ACCOUNT_ID, CLIENT_ID, CLIENT_SECRET, shows, systems } from "./systems.js"

const [, , row, name, json] = process.argv
const options = JSON.parse(json)
const { quick, run, url } = options

const now = () => performance.now()
const control = async (tenant, settings) => {
  const response = await fetch(`${url}/${tenant}`, settings && { method: "POST", body: JSON.stringify(settings) })
  return response.json()
}

let instances = 0
/** A system with a tenant of its own. */
const create = async (settings = {}) => {
  instances += 1
  const tenant = `${run}-${instances}`
  await control(tenant, settings)
  return { tenant, system: await systems[name].make(`${url}/${tenant}`) }
}

const quantile = (values, q) => {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]
}
const spread = (values) => ({
  median: quantile(values, 0.5),
  low: quantile(values, 0.25),
  high: quantile(values, 0.75)
})

const herdOf = (system, size) =>
  system.cache === undefined
    ? Promise.all(Array.from({ length: size }, () => system.token()))
    : herdOfFibers(system, size)

const herdOfFibers = async ({ cache, runtime }, size) => {
  const { Effect } = await import("effect")
  const all = Effect.all(
    Array.from({ length: size }, () => cache.get),
    { concurrency: "unbounded", discard: true }
  )
  return runtime.runPromise(all)
}

/** Moves what this process takes for the wall clock. It is never moved back. */
let shift = 0
const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + shift] : args))
  }
  static now() {
    return RealDate.now() + shift
  }
}

/** A herd whose callers are looked at one by one. */
const callers = async (size, call) => {
  const began = now()
  const outcomes = await Promise.all(
    Array.from({ length: size }, async () => {
      try {
        const value = await call()
        return { value, ms: now() - began }
      } catch (error) {
        return { error, ms: now() - began }
      }
    })
  )
  const failed = outcomes.filter(({ error }) => error !== undefined)
  return { outcomes, failed: failed.length, error: failed[0]?.error, ms: now() - began }
}

const rows = {
  /** What `await token()` costs when the token is in memory. */
  hit: async () => {
    const { system } = await create()
    await system.token()
    const { hit = system.token } = system
    const resolved = Promise.resolve("a token")
    const floor = () => resolved
    const chunk = 1_000
    const warm = now() + 1_000
    const measure = async (call) => {
      const began = process.hrtime.bigint()
      for (let i = 0; i < chunk; i++) await call()
      return Number(process.hrtime.bigint() - began) / chunk
    }
    for (let i = 0; i < 20 && (i < 5 || now() < warm); i++) await measure(hit)
    for (let i = 0; i < 20; i++) await measure(floor)
    // A collection that is under way slows every write.
    globalThis.gc?.()
    const samples = { hit: [], floor: [] }
    const until = now() + 3_000
    for (let i = 0; i < (quick ? 20 : 200) && (i < 10 || now() < until); i++) {
      samples.hit.push(await measure(hit))
      samples.floor.push(await measure(floor))
    }
    await system.close?.()
    return { hit: spread(samples.hit), floor: spread(samples.floor) }
  },

  /** `TokenCache.get` in a fiber, and its floors. */
  fiber: async () => {
    const { Clock, Effect, Option, Ref } = await import("effect")
    const { system } = await create()
    await system.token()
    const held = { until: Date.now() + 3_600_000, hit: Effect.succeed("a token") }
    const ref = Ref.unsafeMake(Option.some(held))
    const effects = {
      empty: Effect.void,
      floor: Effect.clockWith((clock) => (clock.unsafeCurrentTimeMillis() < held.until ? held.hit : Effect.never)),
      get: system.cache.get,
      generator: Effect.gen(function* () {
        const at = yield* Clock.currentTimeMillis
        const found = yield* Ref.get(ref)
        return Option.isSome(found) && at < found.value.until ? yield* found.value.hit : yield* Effect.never
      })
    }
    const samples = await measureInFiber(system.runtime, effects, quick ? 30 : 300, 2_000)
    await system.close()
    return samples
  },

  /** What `NombaClient` adds to the client beneath it, per request in one fiber, read to its end. */
  client: async () => {
    const { HttpClient, HttpClientRequest, HttpClientResponse } = await import("@effect/platform")
    const { Effect, Layer, ManagedRuntime, Redacted } = await import("effect")
    const { Nomba, NombaClient, TokenCache, TokenStoreMemory } = await import("../dist/index.js")
    const shared = new Response("")
    const text = Effect.succeed("{}")
    const bare = HttpClient.make((request) =>
      Effect.sync(() => {
        if (request.url.endsWith("/issue")) {
          const session = { access_token: "a.b.c", refresh_token: "r", expires_in: 3600 }
          return HttpClientResponse.fromWeb(request, new Response(JSON.stringify({ code: "00", data: session })))
        }
        return Object.defineProperty(HttpClientResponse.fromWeb(request, shared), "text", { value: text })
      })
    )
    const layer = Nomba.layer({
      clientId: CLIENT_ID,
      clientSecret: Redacted.make(CLIENT_SECRET),
      accountId: ACCOUNT_ID,
      environment: "sandbox"
    }).pipe(Layer.provide([TokenStoreMemory.layer, Layer.succeed(HttpClient.HttpClient, bare)]))
    const runtime = ManagedRuntime.make(layer)
    const nomba = await runtime.runPromise(NombaClient)
    await runtime.runPromise(Effect.flatMap(TokenCache, (cache) => cache.get))
    const headers = { authorization: "Bearer a.b.c", accountid: ACCOUNT_ID }
    const request = HttpClientRequest.get("https://sandbox.nomba.com/v1/accounts/balance", { headers })
    const read = (sent) => Effect.flatMap(sent, (response) => response.text)
    const effects = { bare: read(bare.execute(request)), nomba: read(nomba.get("/v1/accounts/balance")) }
    const rounds = quick ? 100 : 2_000
    const result = {}
    for (const [mode, isTraced] of [
      ["tracer on", true],
      ["tracer off", false]
    ]) {
      result[mode] = await measureInFiber(runtime, effects, rounds, 100, (effect) =>
        Effect.withTracerEnabled(effect, isTraced)
      )
    }
    await runtime.dispose()
    return result
  },

  /** The cold start of a herd. Instances before it have warmed up the process and the connection. */
  herd: async () => {
    const size = options.size ?? 10_000
    const times = []
    let tokenRequests = 0
    const warmUps = size > 10_000 ? 1 : quick ? 1 : 3
    const herds = quick || size > 10_000 ? 2 : 5
    for (let i = 0; i < warmUps + herds; i++) {
      const { system, tenant } = await create({ delay: 50 })
      globalThis.gc?.()
      const began = now()
      await herdOf(system, size)
      if (i >= warmUps) times.push(now() - began)
      tokenRequests = Math.max(tokenRequests, (await control(tenant)).tokenRequests)
      await system.close?.()
    }
    return { ms: spread(times), tokenRequests, size }
  },

  /** What happens, and not how fast: each with 200 callers. */
  counts: async () => {
    const size = 200
    const { cache = true } = systems[name]
    const secrets = [CLIENT_SECRET, "bench-access-token-", "bench-refresh-token"]
    const result = {}

    {
      const { system, tenant } = await create({ delay: 50 })
      await callers(size, system.token)
      result.cold = { tokenRequests: (await control(tenant)).tokenRequests }
      await system.close?.()
    }
    if (cache) {
      const { system, tenant } = await create({ lifetime: 60 })
      for (let i = 0; i < 100; i++) await system.token()
      result.short = { tokenRequests: (await control(tenant)).tokenRequests }
      await system.close?.()
    }
    if (systems[name].ours || (await create()).system.reject !== undefined) {
      const { system, tenant } = await create()
      await system.token()
      // Another program logs in.
      await control(tenant, { valid: "another program's" })
      const before = await control(tenant)
      const path = "/v1/accounts/balance"
      const ask = (token) =>
        fetch(`${url}/${tenant}${path}`, { headers: { authorization: `Bearer ${token}` } }).then(async (response) => {
          await response.text()
          return response.status
        })
      const call =
        system.call === undefined
          ? async () => {
              const token = await system.token()
              const status = await ask(token)
              return status === 401 ? ask(await system.reject(token)) : status
            }
          : () => system.call(path).then(({ status }) => status)
      const { outcomes } = await callers(size, call)
      const { tokenRequests } = await control(tenant)
      result.rejected = {
        tokenRequests: tokenRequests - before.tokenRequests,
        answered: outcomes.filter(({ value }) => value === 200).length
      }
      await system.close?.()
    }
    if (cache) {
      const { system, tenant } = await create({ delay: 500 })
      await system.token()
      // 30 s are left: every library that renews ahead of expiry does so now. atproto does by chance.
      shift += 3_570_000
      const herd = await callers(size, system.token)
      result.due = { blocked: herd.outcomes.filter(({ ms }) => ms > 250).length }
      await sleep(700)
      result.due.tokenRequests = (await control(tenant)).tokenRequests - 1
      await system.close?.()
    }
    if (cache) {
      const { system, tenant } = await create({ delay: 50 })
      const old = await system.token()
      shift += 7_200_000
      const herd = await callers(size, system.token)
      result.expiry = {
        tokenRequests: (await control(tenant)).tokenRequests - 1,
        stale: herd.outcomes.filter(({ value }) => value === old).length
      }
      await system.close?.()
    }
    {
      const { system, tenant } = await create({ delay: 20, status: 503 })
      const first = await within(callers(size, system.token), 40_000)
      const between = RealDate.now()
      const second = await within(callers(size, system.token), 40_000)
      const { askedAt } = await control(tenant)
      const ofFirst = askedAt.filter((at) => at <= between).length
      result.failure = {
        tokenRequests: ofFirst,
        failed: first?.failed,
        ms: first?.ms,
        again: askedAt.length - ofFirst,
        leaks: [first?.error, second?.error].some((error) => error !== undefined && shows(error, secrets))
      }
      await system.close?.()
    }
    return result
  },

  /** Heap of one cache with a token, and of one waiting caller. */
  memory: async () => {
    const heap = () => {
      for (let i = 0; i < 3; i++) globalThis.gc()
      return process.memoryUsage().heapUsed
    }
    const first = await create()
    await first.system.token()
    const count = quick ? 50 : 300
    const kept = []
    const before = heap()
    for (let i = 0; i < count; i++) {
      const { system } = await create()
      await system.token()
      kept.push(system)
    }
    const perCache = (heap() - before) / count
    const waiters = 10_000
    const { system } = await create({ delay: quick ? 1_500 : 4_000 })
    let perWaiter
    if (systems[name].herd !== false) {
      const still = heap()
      const herd = herdOf(system, waiters)
      await sleep(500)
      perWaiter = (heap() - still) / waiters
      await herd
    }
    await Promise.all([first.system, system, ...kept].map((each) => each.close?.()))
    return { perCache, perWaiter }
  },

  /** Requests over a socket, 50 at a time: the standard `fetch`, the facade's `fetch`, and `NombaClient`. */
  throughput: async () => {
    const { Effect } = await import("effect")
    const path = "/v1/accounts/balance"
    instances += 1
    const tenant = `${run}-${instances}`
    const base = `${url}/${tenant}`
    const facade = await systems["nomba-auth/promise"].make(base)
    const effect = await systems["nomba-auth"].make(base)
    // The session is one: both clients share it.
    const token = await facade.token()
    await effect.token()
    const headers = { authorization: `Bearer ${token}`, accountid: ACCOUNT_ID }
    const connections = 50
    const count = quick ? 2_000 : 10_000
    const loop = async (call) => {
      let left = count
      const worker = async () => {
        while (left-- > 0) await call()
      }
      await Promise.all(Array.from({ length: connections }, worker))
    }
    const get = Effect.flatMap(effect.client.get(path), (response) => response.text)
    const subjects = {
      fetch: () => loop(() => fetch(base + path, { headers }).then((response) => response.text())),
      facade: () => loop(() => facade.nomba.fetch(path).then((response) => response.text())),
      client: () =>
        effect.runtime.runPromise(
          Effect.forEach(Array.from({ length: count }), () => get, { concurrency: connections, discard: true })
        )
    }
    const rates = { fetch: [], facade: [], client: [] }
    for (const subject of Object.values(subjects)) await subject()
    for (let i = 0; i < (quick ? 2 : 7); i++) {
      for (const [subject, load] of Object.entries(subjects)) {
        const began = now()
        await load()
        rates[subject].push(count / ((now() - began) / 1_000))
      }
    }
    const { rejected, tokenRequests } = await control(tenant)
    await facade.close()
    await effect.close()
    return {
      ...Object.fromEntries(Object.entries(rates).map(([subject, values]) => [subject, spread(values)])),
      tokenRequests,
      rejected
    }
  },

  /** One process of the fleet: it does what its parent says. */
  member: async () => {
    const { createNomba } = await import("../dist/promise/index.js")
    const { redisStore } = await import("../dist/promise/redis/index.js")
    const nomba = createNomba({
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      accountId: ACCOUNT_ID,
      baseUrl: `${url}/${run}`,
      tokenStore: redisStore(options.redis),
      logger: { warn: () => {}, error: () => {} }
    })
    process.send("ready")
    for await (const [said] of receive()) {
      if (said === "start") {
        const began = now()
        await nomba.token()
        process.send({ ms: now() - began })
      }
      if (said === "hits") {
        for (let i = 0; i < options.hits; i++) await nomba.token()
        process.send("done")
      }
      if (said === "stop") break
    }
    await nomba.close()
    process.disconnect()
    return {}
  },

  /** Eight processes start at once over one Redis, and then use the token. */
  fleet: async () => {
    const { Redis } = await import("ioredis")
    const redis = new Redis(options.redis)
    const hits = quick ? 1_000 : 10_000
    await control(run, { delay: 50 })
    const members = Array.from({ length: 8 }, () =>
      fork(process.argv[1], ["member", name, JSON.stringify({ ...options, hits })], {
        stdio: ["ignore", "ignore", "inherit", "ipc"]
      })
    )
    const all = async (word) => {
      const answers = members.map((member) => once(member, "message").then(([answer]) => answer))
      if (word !== undefined) for (const member of members) member.send(word)
      return Promise.all(answers)
    }
    await all()
    const began = await all("start")
    const commands = async () => Number(/total_commands_processed:(\d+)/.exec(await redis.info("stats"))[1])
    // What a renewal does last, it does after its callers have the token.
    await sleep(1_000)
    const before = await commands()
    await all("hits")
    // The second look is itself a command.
    const redisCommands = (await commands()) - before - 1
    for (const member of members) member.send("stop")
    await Promise.all(members.map((member) => once(member, "exit")))
    redis.disconnect()
    return {
      tokenRequests: (await control(run)).tokenRequests,
      slowest: Math.max(...began.map(({ ms }) => ms)),
      hits: hits * 8,
      redisCommands
    }
  }
}

async function* receive() {
  const queue = []
  let wake = () => {}
  process.on("message", (message) => {
    queue.push([message])
    wake()
  })
  for (;;) {
    while (queue.length > 0) yield queue.shift()
    await new Promise((resolve) => {
      wake = resolve
    })
  }
}

const within = (promise, ms) => Promise.race([promise, sleep(ms, undefined, { ref: false })])

/** Nanoseconds of each effect, in interleaved rounds. */
const measureInFiber = async (runtime, effects, rounds, chunk, around = (effect) => effect) => {
  const { Effect } = await import("effect")
  const nanos = (effect) =>
    Effect.gen(function* () {
      let calls = 0
      const began = process.hrtime.bigint()
      yield* Effect.whileLoop({
        while: () => calls < chunk,
        body: () => effect,
        step: () => {
          calls += 1
        }
      })
      return Number(process.hrtime.bigint() - began) / chunk
    })
  const samples = Object.fromEntries(Object.keys(effects).map((key) => [key, []]))
  const program = Effect.gen(function* () {
    for (let round = -Math.ceil(rounds / 5); round < rounds; round++) {
      for (const [key, effect] of Object.entries(effects)) {
        const ns = yield* nanos(effect)
        if (round >= 0) samples[key].push(ns)
      }
    }
  })
  await runtime.runPromise(around(program))
  return Object.fromEntries(Object.entries(samples).map(([key, values]) => [key, spread(values)]))
}

const result = await rows[row]()
console.log(JSON.stringify(result))
process.exit(0)
