/** Before the tests, a line for each program that is missing: reporters do not say why a file was skipped. */
import { missingLanguages } from "./languages.js"
import { findBrowser, hasRedis, NO_BROWSER, NO_REDIS } from "./programs.js"

export default () => {
  const missing = [hasRedis ? [] : NO_REDIS, findBrowser() === undefined ? NO_BROWSER : []].flat()
  const outcome = process.env["CI"] === "true" ? "fail" : "are skipped"
  for (const name of missingLanguages()) {
    process.stderr.write(`The example of the proxy in ${name} is skipped: ${name} is not on the path.\n`)
  }
  for (const what of missing) process.stderr.write(`Some tests ${outcome}: ${what}.\n`)
}
