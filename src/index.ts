/**
 * Keeps one valid Nomba access token for your whole app: every request, process and server, from one session.
 *
 * @since 0.1.0
 */
export * as Nomba from "./layers/Nomba.js"
export * as NombaAuthHttp from "./layers/NombaAuthHttp.js"
export * as NombaClientHttp from "./layers/NombaClientHttp.js"
export * as NombaConfigOptions from "./layers/NombaConfigOptions.js"
export * as NombaResponse from "./layers/NombaResponse.js"
export * as Pkce from "./layers/Pkce.js"
export * as SessionCodec from "./layers/SessionCodec.js"
export * as TokenCacheRef from "./layers/TokenCacheRef.js"
export * as TokenStoreDriver from "./layers/TokenStoreDriver.js"
export * as TokenStoreMemory from "./layers/TokenStoreMemory.js"
export * from "./schemas/AuthError.js"
export { NombaRequestFailed } from "./schemas/NombaRequestFailed.js"
export { Session } from "./schemas/Session.js"
export { StoreKey } from "./schemas/StoreKey.js"
export { type ExchangeOptions, NombaAuth, type NombaAuthService, type RefreshOptions } from "./services/NombaAuth.js"
export { NombaClient, type NombaClientService } from "./services/NombaClient.js"
export { NombaConfig, type NombaConfigService } from "./services/NombaConfig.js"
export { PublicLogin, type PublicLoginService } from "./services/PublicLogin.js"
export { RetryPolicy, type RetryPolicyService } from "./services/RetryPolicy.js"
export {
  type CachedSession,
  type Remedy,
  SessionEvent,
  TokenCache,
  type TokenCacheService,
  type TokenUse
} from "./services/TokenCache.js"
export {
  type Lease,
  LeaseLost,
  type NewSession,
  RenewalHeldBack,
  type RenewOptions,
  type SessionStore,
  type SharedFailure,
  type Stored,
  type StoreState,
  TokenStore,
  type TokenStoreService
} from "./services/TokenStore.js"
