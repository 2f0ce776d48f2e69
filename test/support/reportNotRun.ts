/** The last line of `npm test` says which tests it leaves to `npm run test:all`. */
export default () => () => {
  process.stdout.write(
    "Not run: the tests with real processes, Redis, a browser, compilers and long models. npm run test:all runs them too.\n"
  )
}
