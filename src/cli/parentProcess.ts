/** The process that started this one: a command that serves others ends with it. */
import { readFileSync } from "node:fs"
import * as Effect from "effect/Effect"

interface Process {
  readonly name: string
  readonly parent: number
  readonly group: number
}

/** On Linux; elsewhere not known. */
const processOf = (pid: number): Process | undefined => {
  try {
    const [, name = "", parent, group] =
      /^\d+ \((.*)\) \S (\d+) (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8")) ?? []
    return { name, parent: Number(parent), group: Number(group) }
  } catch {
    return undefined
  }
}

const leadsGroup = (pid: number): boolean => processOf(pid)?.group === pid

/**
 * Whether the system has given a process a new parent because its own has ended. A parent leaves its child in its own
 * process group or gives it a group that the child leads; one that adopts a process has done neither.
 */
const isAdopted = (pid: number): boolean => {
  const child = processOf(pid)
  if (child === undefined || child.parent === 0 || leadsGroup(pid)) return false
  return processOf(child.parent)?.group !== child.group
}

const SHELL = /^(?:sh|dash|bash|zsh|ash|busybox)$/
const NODE = /^(?:node|npm|npx|pnpm|yarn|bun)/

/** Whether the npm that started a process has ended. In a container the script that started npm can be the first process. */
const isOrphan = (pid: number, parent: number): boolean =>
  isAdopted(pid) || (parent === 1 && !leadsGroup(pid) && !NODE.test(processOf(1)?.name ?? ""))

/**
 * Whether the process that started this one is still there. npx and npm start a command through a shell, which outlives
 * them, so behind a shell its parent counts too. They may have ended before this process could look.
 */
const watch = (): (() => boolean) => {
  const parent = process.ppid
  const above = processOf(parent)
  const isBehindShell = above !== undefined && SHELL.test(above.name)
  const isFromNpm = process.env["npm_execpath"] !== undefined
  const hasLostNpm = isBehindShell ? isOrphan(parent, above.parent) : isOrphan(process.pid, parent)
  if (isAdopted(process.pid) || (isFromNpm && hasLostNpm)) return () => false
  const watchesStarter = isBehindShell && NODE.test(processOf(above.parent)?.name ?? "")
  return () => process.ppid === parent && !(watchesStarter && processOf(parent)?.parent !== above.parent)
}

/** Ends when the process that started this one has ended; at once if it had before. */
export const ended: Effect.Effect<void> = Effect.suspend(() => {
  const isThere = watch()
  return Effect.sync(isThere).pipe(
    Effect.tap((there) => Effect.when(Effect.sleep("500 millis"), () => there)),
    Effect.repeat({ while: (there) => there }),
    Effect.asVoid
  )
})
