/**
 * Gives the event loop a turn before each test. Simulated tests run without one, and Vitest reports an error if a worker does
 * not take its messages for a minute, as a file of them would on a busy machine. Loaded before every file of tests.
 */
import { setImmediate as turn } from "node:timers/promises"
import { beforeEach } from "vitest"

beforeEach(() => turn())
