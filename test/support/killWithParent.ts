/** Processes that end with this one, however it ends. */
import { type ChildProcess, spawn } from "node:child_process"
import type { Socket } from "node:net"

/** Its input ends with whoever holds the other end, a process that was killed included. What ends a whole group spares it. */
const guard = 'trap "" HUP INT TERM; read -r _; kill -KILL "$1"'

/** Kills the child when this process is gone, also if either was stalled or this one was killed. */
export const killWithParent = (child: ChildProcess): void => {
  if (child.pid === undefined) return
  const watching = spawn("sh", ["-c", guard, "guard", String(child.pid)], { stdio: ["pipe", "ignore", "ignore"] })
  watching.unref()
  ;(watching.stdin as Socket).unref()
  child.once("exit", () => watching.kill("SIGKILL"))
}
