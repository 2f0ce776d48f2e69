/** As `wrangler types` writes it. */
declare module "cloudflare:workers" {
  export const env: Record<"NOMBA_CLIENT_ID" | "NOMBA_CLIENT_SECRET" | "NOMBA_ACCOUNT_ID" | "NOMBA_BASE_URL", string>
  export const waitUntil: (promise: Promise<unknown>) => void
}
