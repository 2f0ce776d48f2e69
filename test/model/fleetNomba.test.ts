import { HttpClientRequest } from "@effect/platform"
import { Effect, Fiber, Utils } from "effect"
import { assert, it } from "vitest"
import { makeSimulation } from "../support/simulator.js"
import { makeDice } from "./fleetNetwork.js"
import { BASE_URL, makeNomba } from "./fleetNomba.js"

it("an answer bears the time at which Nomba gave it, however late a process gets it", () => {
  const simulation = makeSimulation(1_760_000_000_000)
  const process = simulation.process()
  const nomba = makeNomba(simulation, makeDice(new Utils.PCGRandom(1)), { skew: 0 })
  const client = nomba.clientFor(process, (moment) => moment === "processed" && process.stall())
  const issue = process.fork(client.execute(HttpClientRequest.post(`${BASE_URL}/v1/auth/token/issue`)))
  simulation.pass("1 minute")
  process.resume()
  const { headers } = Effect.runSync(simulation.run(Fiber.join(issue)))
  assert.strictEqual(headers["date"], new Date(nomba.issuedAt()).toUTCString())
})
