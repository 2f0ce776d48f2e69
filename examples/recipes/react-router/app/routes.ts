import { type RouteConfig, route } from "@react-router/dev/routes"

export default [route("balance", "routes/balance.ts")] satisfies RouteConfig
