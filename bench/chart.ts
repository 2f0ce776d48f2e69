/** `results.svg`: two bar charts for the README, legible on a light and on a dark page. */
import type { Results } from "./results.js"

const ROW = 26
const LABEL = 190
const BARS = 330
const WIDTH = LABEL + BARS + 100

const escape = (text: string): string => text.replace(/&/g, "&amp;").replace(/</g, "&lt;")

const number = (value: number): string => (value >= 10 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1))

interface Panel {
  readonly title: string
  readonly unit: string
  readonly values: Record<string, number>
}

const panel = ({ title, unit, values }: Panel, top: number): { readonly svg: string; readonly height: number } => {
  const rows = Object.entries(values).sort(([, a], [, b]) => a - b)
  const [smallest = 1, largest = 1] = [rows[0]?.[1], rows.at(-1)?.[1]]
  // From the smallest to the largest there may be four powers of ten.
  const isLogarithmic = largest / smallest > 50
  const widthOf = (value: number): number =>
    isLogarithmic
      ? (BARS * (Math.log10(value / smallest) + 0.4)) / (Math.log10(largest / smallest) + 0.4)
      : (BARS * value) / largest
  const bars = rows.map(([name, value], i) => {
    const y = top + 34 + i * ROW
    const isOurs = name.startsWith("nomba-auth")
    const width = Math.max(2, widthOf(value))
    return `<text x="${LABEL - 8}" y="${y + 14}" text-anchor="end"${isOurs ? ' class="ours"' : ""}>${escape(name)}</text>
<rect x="${LABEL}" y="${y + 2}" width="${width.toFixed(1)}" height="16" rx="2" class="${isOurs ? "bar own" : "bar"}"/>
<text x="${(LABEL + width + 6).toFixed(1)}" y="${y + 14}">${number(value)} ${unit}</text>`
  })
  return {
    svg: `<text x="0" y="${top + 18}" class="title">${escape(title)}${isLogarithmic ? " (logarithmic)" : ""}</text>\n${bars.join("\n")}`,
    height: 34 + rows.length * ROW + 14
  }
}

export const chart = ({ environment, herds, hits }: Results): string => {
  const first = panel(
    {
      title: "A token in memory: cost of one call",
      unit: "ns",
      values: Object.fromEntries(
        Object.entries(hits).map(([name, { hit }]) => [
          name === "nomba-auth" ? `${name}, runPromise` : name,
          hit.median
        ])
      )
    },
    0
  )
  const second = panel(
    {
      title: "Cold start: 10,000 callers, 50 ms upstream, one token request",
      unit: "ms",
      values: Object.fromEntries(
        Object.entries(herds).map(([name, { ms }]) => [name === "nomba-auth" ? `${name}, fibers` : name, ms.median])
      )
    },
    first.height
  )
  const height = first.height + second.height + 22
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="Bar charts of what RESULTS.md says in tables">
<style>
text { font: 13px system-ui, sans-serif; fill: #24292f }
.title { font-size: 15px; font-weight: 600 }
.ours { font-weight: 600 }
.note { font-size: 11px; fill: #57606a }
.bar { fill: #8c959f }
.own { fill: #0969da }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .note { fill: #9198a1 }
  .bar { fill: #6e7681 }
  .own { fill: #4493f8 }
}
</style>
${first.svg}
${second.svg}
<text x="0" y="${height - 8}" class="note">Shorter is better. Node ${environment.node}, ${escape(environment.cpu)}. All figures: bench/RESULTS.md</text>
</svg>
`
}
