/** After the quick tests, the last line says where the others are. */
export default () => () => {
  process.stdout.write(
    "Not run: the tests with real processes, Redis, a browser, compilers and long models. npm run test:all runs them too.\n"
  )
}
