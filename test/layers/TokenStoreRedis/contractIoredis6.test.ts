import { assert, it } from "@effect/vitest"
import { Redis } from "ioredis"
import * as Six from "ioredis6"
import { vi } from "vitest"
import { describeContract } from "./contract.js"

vi.mock("ioredis", () => import("ioredis6"))

it("loads ioredis 6 in the place of ioredis 5", () => assert.strictEqual<unknown>(Redis, Six.Redis))

describeContract("TokenStoreRedis keeps the contract of token stores with ioredis 6", { atMost: "10 seconds" })
