/**
 * `nomba-auth/testing`: what a program that uses Nomba is tested with.
 *
 * @since 0.1.0
 */
export * as NombaAuthTest from "./NombaAuthTest.js"
export {
  NombaTest,
  type NombaTestService,
  type Script,
  type TestErrors,
  type TestOperation
} from "./NombaTest.js"
export type { TestAnswer, TestOutcome, TestRequest } from "./Resources.js"
export * as TokenCacheTest from "./TokenCacheTest.js"
export {
  type ContractCase,
  type FaultyStore,
  faultyTokenStore,
  type TokenStoreContractOptions,
  tokenStoreContract
} from "./TokenStoreContract.js"
export { TokenStoreTest, type TokenStoreTestService } from "./TokenStoreTest.js"
