/** What a client asks of a Redis server, read off the wire. */
import * as Scripts from "../../src/layers/store/redis/scripts.js"

const beginning = /\*\d+\r\n\$\d+\r\n(?=[a-z]+\r\n)/i

const scripts = Object.entries(Scripts)

/** The names of the commands in it, in order; a script of the store goes by its own name. */
export const commandsIn = (data: Buffer): ReadonlyArray<string> =>
  data
    .toString("latin1")
    .split(beginning)
    .slice(1)
    .map((command) => {
      const name = command.slice(0, command.indexOf("\r\n")).toLowerCase()
      return name === "eval" ? (scripts.find(([, script]) => command.includes(script))?.[0] ?? name) : name
    })
