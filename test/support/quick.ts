/** What `npm test` leaves to `npm run test:all`, within a file that both run. */

/** Whether this is `npm test`. */
export const isQuick = process.env["TESTS"] === "quick"

/** The options of a property that takes long with this many runs: `npm test` does a tenth of them. */
export const runs = (numRuns: number): { readonly numRuns: number } => ({
  numRuns: isQuick ? Math.ceil(numRuns / 10) : numRuns
})
