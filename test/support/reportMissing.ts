/** The last lines of `npm run test:all` name the programs that are missing, because reporters give no reason for a skip. */
import { missingLanguages } from "./languages.js"
import { findBrowser, hasRedis, NO_BROWSER, NO_REDIS } from "./programs.js"

export default () => {
  const outcome = process.env["CI"] === "true" ? "failed" : "were skipped"
  const missing = [hasRedis ? [] : NO_REDIS, findBrowser() === undefined ? NO_BROWSER : []].flat()
  const lines = [
    ...missing.map((what) => `Some tests ${outcome}: ${what}.`),
    ...missingLanguages().map((name) => `The example of the proxy in ${name} was skipped: ${name} is not on the path.`)
  ]
  return () => {
    for (const line of lines) process.stdout.write(`${line}\n`)
  }
}
