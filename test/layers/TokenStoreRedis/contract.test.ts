import { describeContract } from "./contract.js"

describeContract("TokenStoreRedis keeps the contract of token stores")
