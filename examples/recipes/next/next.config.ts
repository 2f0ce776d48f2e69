import { join } from "node:path"
import type { NextConfig } from "next"

const config: NextConfig = {
  // Only because this folder has its node_modules one level up.
  turbopack: { root: join(__dirname, "..") }
}

export default config
