/**
 * The token caches that are measured, each asking the bench's token server. Every file that is measured is plain JavaScript,
 * so that what runs is what is written. A system is:
 *
 * - `token()`: a promise of the access token
 * - `hit()`: the system's own call, if `token()` adds something to it
 * - `reject(token)`: says that the API answered 401 to the token and gets another, if the system has a way to say so
 * - `close()`: frees what it holds
 */
import { inspect } from "node:util"

export const CLIENT_ID = "6f1c5a52-5d4f-4b3b-9c5e-0f6f0e7d1a11"
export const CLIENT_SECRET = "bench-client-secret-c2VjcmV0LXNlY3JldA"
export const ACCOUNT_ID = "99999999-8888-4777-8666-555555555555"

/** What people write around `fetch`, and what is handed to the caches that leave the request to the user. */
const requestToken = async (base) => {
  const response = await fetch(`${base}/token`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    body: new URLSearchParams({
      grant_type: "client_credentials",
      client_id: CLIENT_ID,
      client_secret: CLIENT_SECRET
    }).toString()
  })
  if (!response.ok) throw new Error(`the token server answered ${response.status}`)
  return response.json()
}

const smithy = async (base) => {
  const { doesIdentityRequireRefresh, isIdentityExpired, memoizeIdentityProvider } = await import("@smithy/core")
  const get = memoizeIdentityProvider(
    async () => {
      const { access_token, expires_in } = await requestToken(base)
      return { token: access_token, expiration: new Date(Date.now() + expires_in * 1000) }
    },
    isIdentityExpired,
    doesIdentityRequireRefresh
  )
  return {
    hit: get,
    token: () => get().then(({ token }) => token),
    reject: () => get({ forceRefresh: true }).then(({ token }) => token)
  }
}

const axiosTokenInterceptor = async (base) => {
  const { default: axios } = await import("axios")
  const { default: tokenProvider } = await import("axios-token-interceptor")
  const { clientCredentials } = await import("axios-oauth-client")
  const request = clientCredentials(axios.create(), `${base}/token`, CLIENT_ID, CLIENT_SECRET)
  const get = tokenProvider.tokenCache(() => request(undefined), { getMaxAge: ({ expires_in }) => expires_in * 1000 })
  return { hit: get, token: () => get().then(({ access_token }) => access_token) }
}

const google = async (base) => {
  const { OAuth2Client } = await import("google-auth-library")
  const client = new OAuth2Client({
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    endpoints: { oauth2TokenUrl: `${base}/token` }
  })
  client.setCredentials({ refresh_token: "bench-refresh-token" })
  return {
    hit: () => client.getAccessToken(),
    token: () => client.getAccessToken().then(({ token }) => token),
    reject: () => client.refreshAccessToken().then(({ credentials }) => credentials.access_token)
  }
}

/** It asks https only, so its network client turns that into the bench's http. */
const msal = async (base) => {
  const { ConfidentialClientApplication } = await import("@azure/msal-node")
  const host = "https://login.bench.test"
  const send = (method) => async (url, options) => {
    const response = await fetch(url.replace(/^https:\/\/[^/]+(?:\/bench)?(?:\/oauth2\/v2\.0)?/, base), {
      method,
      headers: options?.headers,
      body: options?.body
    })
    return { headers: Object.fromEntries(response.headers), status: response.status, body: await response.json() }
  }
  const client = new ConfidentialClientApplication({
    auth: {
      clientId: CLIENT_ID,
      clientSecret: CLIENT_SECRET,
      authority: `${host}/bench`,
      knownAuthorities: ["login.bench.test"],
      authorityMetadata: JSON.stringify({
        authorization_endpoint: `${host}/authorize`,
        token_endpoint: `${host}/token`,
        issuer: `${host}/bench`,
        jwks_uri: `${host}/keys`
      })
    },
    system: { networkClient: { sendGetRequestAsync: send("GET"), sendPostRequestAsync: send("POST") } }
  })
  const acquire = (options) =>
    client.acquireTokenByClientCredential({ scopes: ["https://nomba.bench/.default"], ...options })
  return {
    hit: () => acquire({}),
    token: () => acquire({}).then(({ accessToken }) => accessToken),
    reject: () => acquire({ skipCache: true }).then(({ accessToken }) => accessToken)
  }
}

/** Its cache is inside of the policy, so what is measured is the policy with a send that answers at once. */
const azure = async (base) => {
  const { bearerTokenAuthenticationPolicy, createHttpHeaders, createPipelineRequest } = await import(
    "@azure/core-rest-pipeline"
  )
  const policy = bearerTokenAuthenticationPolicy({
    scopes: "bench",
    credential: {
      getToken: async () => {
        const { access_token, expires_in } = await requestToken(base)
        return { token: access_token, expiresOnTimestamp: Date.now() + expires_in * 1000 }
      }
    }
  })
  const request = createPipelineRequest({ url: "https://api.bench.test/" })
  const headers = createHttpHeaders()
  const next = async (sent) => ({ request: sent, status: 200, headers })
  return {
    hit: () => policy.sendRequest(request, next),
    token: () =>
      policy.sendRequest(request, next).then((response) => response.request.headers.get("authorization").slice(7))
  }
}

const openidClient = async (base) => {
  const { allowInsecureRequests, clientCredentialsGrant, ClientSecretPost, Configuration } = await import(
    "openid-client"
  )
  const config = new Configuration(
    { issuer: base, token_endpoint: `${base}/token` },
    CLIENT_ID,
    CLIENT_SECRET,
    ClientSecretPost()
  )
  allowInsecureRequests(config)
  return { token: () => clientCredentialsGrant(config).then(({ access_token }) => access_token) }
}

/** A session that has to be there first is refreshed, so the cold start begins with one that has expired. */
const atproto = async (base) => {
  const { createRequire } = await import("node:module")
  const { dirname, join } = await import("node:path")
  const require = createRequire(import.meta.url)
  const { SessionGetter } = require(join(dirname(require.resolve("@atproto/oauth-client")), "session-getter.js"))
  const { requestLocalLock } = require(join(dirname(require.resolve("@atproto/oauth-client")), "lock.js"))
  const sub = "did:plc:bench"
  const tokenSet = ({ access_token, expires_in }) => ({
    sub,
    iss: base,
    access_token,
    refresh_token: "bench-refresh-token",
    expires_at: new Date(Date.now() + expires_in * 1000).toISOString()
  })
  const stored = new Map([[sub, { tokenSet: tokenSet({ access_token: "expired", expires_in: -1 }), authMethod: {} }]])
  const getter = new SessionGetter(
    {
      get: (key) => stored.get(key),
      set: (key, value) => void stored.set(key, value),
      del: (key) => void stored.delete(key)
    },
    { fromIssuer: async () => ({ authMethod: {}, refresh: async () => tokenSet(await requestToken(base)) }) },
    { usingLock: requestLocalLock, hasImplementationLock: true }
  )
  const token = (refresh) => getter.getSession(sub, refresh).then(({ tokenSet }) => tokenSet.access_token)
  return { hit: () => getter.getSession(sub), token: () => token("auto"), reject: () => token(true) }
}

/** The cache that is written first, in the README of this package too. */
const naiveFlight = async (base) => {
  let token
  let expiresAt = 0
  return {
    token: async () => {
      if (Date.now() < expiresAt) return token
      const { access_token, expires_in } = await requestToken(base)
      token = access_token
      expiresAt = Date.now() + expires_in * 1000
      return token
    },
    reject: async () => {
      const { access_token, expires_in } = await requestToken(base)
      token = access_token
      expiresAt = Date.now() + expires_in * 1000
      return token
    }
  }
}

/** The cache that is written second: one promise, and no thought of its end. */
const naivePromise = async (base) => {
  let promise
  return {
    token: () => {
      promise ??= requestToken(base).then(({ access_token }) => access_token)
      return promise
    },
    reject: () => {
      promise = requestToken(base).then(({ access_token }) => access_token)
      return promise
    }
  }
}

const silent = { warn: () => {}, error: () => {} }

const nombaPromise = async (base) => {
  const { createNomba } = await import("../dist/promise/index.js")
  const nomba = createNomba({
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    accountId: ACCOUNT_ID,
    baseUrl: base,
    logger: silent
  })
  return { token: nomba.token, call: (path) => nomba.fetch(path), close: nomba.close, nomba }
}

/** One fiber for each call, as a program without Effect would run it. */
const nombaEffect = async (base) => {
  const { FetchHttpClient } = await import("@effect/platform")
  const { Effect, Layer, Logger, ManagedRuntime, Redacted } = await import("effect")
  const { Nomba, NombaClient, TokenCache, TokenStoreMemory } = await import("../dist/index.js")
  const layer = Nomba.layer({
    clientId: CLIENT_ID,
    clientSecret: Redacted.make(CLIENT_SECRET),
    accountId: ACCOUNT_ID,
    baseUrl: base
  }).pipe(
    Layer.provide([TokenStoreMemory.layer, FetchHttpClient.layer]),
    Layer.provideMerge(Logger.remove(Logger.defaultLogger))
  )
  const runtime = ManagedRuntime.make(layer)
  const { cache, client } = await runtime.runPromise(Effect.all({ cache: TokenCache, client: NombaClient }))
  return {
    token: () => runtime.runPromise(cache.get).then(Redacted.value),
    call: (path) => runtime.runPromise(client.get(path)),
    close: () => runtime.dispose(),
    runtime,
    cache,
    client
  }
}

/** `herd: false`: it sends a token request for each caller, so that 10,000 of them would measure the token server. */
export const systems = {
  "nomba-auth/promise": { make: nombaPromise, ours: true },
  "nomba-auth": { make: nombaEffect, ours: true },
  "@smithy/core": { make: smithy, from: ["@smithy/core"] },
  "axios-token-interceptor": {
    make: axiosTokenInterceptor,
    from: ["axios-token-interceptor", "axios-oauth-client", "axios"]
  },
  "google-auth-library": { make: google, from: ["google-auth-library"] },
  "@azure/msal-node": { make: msal, from: ["@azure/msal-node"], herd: false },
  "@azure/core-rest-pipeline": { make: azure, from: ["@azure/core-rest-pipeline"] },
  "openid-client": { make: openidClient, from: ["openid-client"], herd: false, cache: false },
  "@atproto/oauth-client": { make: atproto, from: ["@atproto/oauth-client"] },
  "naive: no single flight": { make: naiveFlight, herd: false },
  "naive: one promise": { make: naivePromise }
}

/** Whether a value shows the client secret or a token to `inspect` or JSON. */
export const shows = (value, secrets) => {
  let json = ""
  try {
    json = JSON.stringify(value) ?? ""
  } catch {
    // A circular value has no JSON.
  }
  const text = `${inspect(value, { depth: 12 })}${json}${value?.stack ?? ""}`
  return secrets.some((secret) => text.includes(secret))
}
