/** A configuration for tests that need one and say nothing of it. */
import { Duration, Effect, identity, Layer, Option, Redacted } from "effect"
import * as StoreKey from "../../src/schemas/StoreKey.js"
import { NombaConfig, type NombaConfigService } from "../../src/services/NombaConfig.js"

export const baseUrl = "https://nomba.test"
export const clientId = "11111111-2222-4333-8444-555555555555"
export const clientSecret = "q1/W2+e3R4t5Y6u7I8o9P0a1S2d3F4g5H6j7K8l9Z0="
export const accountId = "99999999-8888-4777-8666-555555555555"

export const config = (changes: Partial<NombaConfigService> = {}): NombaConfigService => ({
  baseUrl,
  clientId,
  clientSecret: Effect.succeed(Redacted.make(clientSecret)),
  accountId: Option.some(accountId),
  renewAhead: Duration.minutes(5),
  requestTimeout: Duration.seconds(10),
  revokeOnClose: false,
  storeKey: StoreKey.make({ baseUrl, clientId, grant: "client_credentials", subject: "" }),
  origins: {
    clientId: "NOMBA_CLIENT_ID",
    clientSecret: "NOMBA_PRIVATE_KEY",
    accountId: "NOMBA_ACCOUNT_ID",
    environment: "options.environment"
  },
  transformClient: identity,
  ...changes
})

export const layerConfig = (changes: Partial<NombaConfigService> = {}): Layer.Layer<NombaConfig> =>
  Layer.sync(NombaConfig, () => config(changes))
