// Bundled for a server, and run where nothing is installed: the smoke test, and the Redis store without a Redis.
import assert from "node:assert/strict"
import { createNomba } from "nomba-auth/promise"
import { redisStore } from "nomba-auth/promise/redis"
import "./smoke.mjs"

const nomba = createNomba({ tokenStore: redisStore("redis://127.0.0.1:1") })
await assert.rejects(nomba.token(), /Redis at 127\.0\.0\.1:1.*ECONNREFUSED/)
await nomba.close()
