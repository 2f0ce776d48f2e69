/**
 * The token server, in a process of its own. Each run has a tenant of its own below `/NAME`, so that runs do not meet. It is set
 * up by `POST /NAME` and asked for its counts by `GET /NAME`.
 *
 * Like Nomba it keeps one session for each client: a new token ends the one before it.
 */
import { createServer } from "node:http"

const tenants = new Map()
const tenantOf = (name) => {
  let tenant = tenants.get(name)
  if (tenant === undefined) {
    tenant = {
      delay: 0,
      lifetime: 3600,
      status: 200,
      valid: undefined,
      tokenRequests: 0,
      askedAt: [],
      calls: 0,
      rejected: 0
    }
    tenants.set(name, tenant)
  }
  return tenant
}

const bodyOf = async (request) => {
  const parts = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts).toString()
}

const send = (response, status, value) => {
  const body = JSON.stringify(value)
  response.writeHead(status, { "content-type": "application/json", "content-length": Buffer.byteLength(body) })
  response.end(body)
}

const grant = (tenant, isNomba) => {
  tenant.valid = `bench-access-token-${tenant.tokenRequests}-9b1deb4d3b7d4bad`
  const session = { access_token: tenant.valid, refresh_token: `bench-refresh-token-${tenant.tokenRequests}` }
  return isNomba
    ? { code: "00", description: "Success", data: { ...session, expires_in: tenant.lifetime } }
    : { ...session, token_type: "Bearer", expires_in: tenant.lifetime, ext_expires_in: tenant.lifetime }
}

const server = createServer(async (request, response) => {
  const [, name, ...rest] = request.url.split("?")[0].split("/")
  const path = rest.join("/")
  const tenant = tenantOf(name)
  if (path === "") {
    if (request.method === "POST") Object.assign(tenant, JSON.parse(await bodyOf(request)))
    return send(response, 200, tenant)
  }
  if (request.method === "POST" && (path === "token" || path.startsWith("v1/auth/token/"))) {
    tenant.tokenRequests += 1
    tenant.askedAt.push(Date.now())
    await bodyOf(request)
    const answer = () =>
      tenant.status === 200
        ? send(response, 200, grant(tenant, path !== "token"))
        : send(response, tenant.status, {
            code: String(tenant.status),
            description: "not now",
            error: "temporarily_unavailable"
          })
    return tenant.delay > 0 ? setTimeout(answer, tenant.delay) : answer()
  }
  tenant.calls += 1
  if (request.headers.authorization === `Bearer ${tenant.valid}`) {
    return send(response, 200, { code: "00", description: "Success", data: { amount: "250000.00", currency: "NGN" } })
  }
  tenant.rejected += 1
  return send(response, 401, { code: "01", description: "Unauthorized" })
})

server.keepAliveTimeout = 60_000
server.listen(0, "127.0.0.1", 4096, () => process.send?.({ url: `http://127.0.0.1:${server.address().port}` }))
process.on("disconnect", () => process.exit(0))
