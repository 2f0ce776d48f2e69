/** Watches a fleet, counts what happens, and knows what must not. */
import type { Simulation } from "../support/simulator.js"

/** Who is impaired: the number of an instance, or everybody. */
export type Impaired = number | "everybody"

/** What cannot be expected: that the store answers, that a renewed session gets there, that a session is renewed, or that anything comes back in time. */
export type Inability = "storing" | "saving" | "renewing" | "calling"

interface Impairment {
  readonly who: Impaired
  readonly what: Inability
  until: number
}

/** After a failed renewal a cache makes no other for at most this long, if Nomba states no longer wait. */
const LONGEST_BACKOFF = 31_000

/** One thing that is wrong shows itself in many ways; these many are told. */
const MOST = 10

export interface Referee {
  readonly counts: Record<string, number>
  readonly count: (what: string, by?: number) => void
  readonly note: (what: string) => void
  /** Something that must hold does not. */
  readonly blame: (what: string) => void
  /** Who is impaired from now on; answers with what ends it. It is still felt for `aftermath` milliseconds. */
  readonly impair: (who: Impaired, what: Inability, aftermath?: number) => () => void
  /** The longest time that something happened for. */
  readonly measure: (what: string, millis: number) => void
  readonly longest: Readonly<Record<string, number>>
  /** Whether an instance was impaired at some time since then, or still felt it. */
  readonly wasImpaired: (instance: number, what: Inability, since: number) => boolean
  readonly broken: ReadonlyArray<string>
  readonly notes: ReadonlyArray<string>
}

export const makeReferee = (simulation: Simulation): Referee => {
  const start = simulation.now()
  const counts: Record<string, number> = {}
  const longest: Record<string, number> = {}
  const broken: Array<string> = []
  let notes: Array<string> = []
  let impairments: Array<Impairment> = []

  const at = (): string => new Date(simulation.now() - start).toISOString().slice(8, 23).replace("T", " ")
  const note = (what: string): void => {
    notes.push(`${at()} ${what}`)
    if (notes.length > 400) notes = notes.slice(-200)
  }

  return {
    counts,
    count: (what, by = 1) => {
      counts[what] = (counts[what] ?? 0) + by
    },
    note,
    blame: (what) => {
      if (broken.length === MOST) return
      note(`BROKEN: ${what}`)
      broken.push(`${at()} ${what}`)
    },
    longest,
    measure: (what, millis) => {
      longest[what] = Math.max(longest[what] ?? 0, millis)
    },
    impair: (who, what, aftermath = LONGEST_BACKOFF) => {
      const now = simulation.now()
      impairments = impairments.filter(({ until }) => until > now - 600_000)
      const impairment = { who, what, until: Number.POSITIVE_INFINITY }
      impairments.push(impairment)
      return () => {
        impairment.until = simulation.now() + aftermath
      }
    },
    wasImpaired: (instance, what, since) =>
      impairments.some(
        (one) => (one.who === "everybody" || one.who === instance) && one.what === what && one.until >= since
      ),
    broken,
    get notes() {
      return notes
    }
  }
}
