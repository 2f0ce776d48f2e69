/**
 * Gives the event loop a turn before each test. Simulated tests run without one, and Vitest reports an error if a worker does
 * not take its messages for a minute, as a file of them would on a busy machine. Loaded before every file of tests.
 *
 * Tests that take the processor for seconds are in `describe.sequential`: beside others, the turn of one would wait for all.
 */
import { setImmediate as turn } from "node:timers/promises"
import { beforeEach } from "vitest"

beforeEach(() => turn())
