/** What one check found, and how it is shown. */
/** `ok` and `skipped` need no change. A `warning` may explain a failure; a `problem` is one. */
export type Finding =
  | { readonly level: "ok" | "skipped"; readonly says: string }
  | { readonly level: "warning"; readonly says: string; readonly change: string }
  | {
      readonly level: "problem"
      readonly says: string
      /** What to change. */
      readonly change: string
      /** What the process exits with if this is the first problem. */
      readonly exitCode: number
    }

/** A finding under the name of its check. */
export type Result = Finding & { readonly check: string }

export const ok = (says: string): Finding => ({ level: "ok", says })

export const skipped = (says: string): Finding => ({ level: "skipped", says })

export const warning = (says: string, change: string): Finding => ({ level: "warning", says, change })

export const problem = (exitCode: number, says: string, change: string): Finding => ({
  level: "problem",
  says,
  change,
  exitCode
})
