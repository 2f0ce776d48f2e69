/** The dashboard and the page name the signals that there are. */
import { readFileSync } from "node:fs"
import { assert, describe, it } from "vitest"
import * as Telemetry from "../../src/layers/telemetry.js"
import { root } from "../support/pages.js"
import { groupsOf, panels, prometheusNames, selectorsOf } from "../support/prometheus.js"

const page = readFileSync(`${root}docs/observability.md`, "utf8")
const definitions = Object.values(Telemetry.definitions)
const exprs = panels().flatMap(({ targets }) => targets.map(({ expr }) => expr))

const labels = new Set(
  [
    Telemetry.OPERATION,
    Telemetry.OUTCOME,
    Telemetry.TRIGGER,
    Telemetry.RESULT,
    Telemetry.CAUSE,
    Telemetry.REPLAY_TOKEN,
    Telemetry.LEASE_EVENT,
    Telemetry.STORE,
    Telemetry.STORE_STEP,
    Telemetry.ERROR_TYPE
  ].map((name) => name.replaceAll(".", "_"))
)

describe("docs/grafana.json", () => {
  it("asks only for metrics and labels that the library has", () => {
    const names = new Set(definitions.flatMap(prometheusNames))
    const selectors = exprs.flatMap(selectorsOf)
    assert.isAbove(selectors.length, 10)
    assert.deepStrictEqual(
      selectors.filter(({ name }) => !names.has(name)),
      []
    )
    const asked = [...selectors.flatMap((selector) => Object.keys(selector.labels)), ...exprs.flatMap(groupsOf)]
    assert.deepStrictEqual(
      asked.filter((label) => !labels.has(label) && label !== "le"),
      []
    )
    for (const expr of exprs) assert.lengthOf(selectorsOf(expr), 1, expr)
  })

  it("shows every metric", () => {
    const shown = new Set(exprs.flatMap(selectorsOf).map(({ name }) => name))
    const hidden = definitions.filter((definition) => !prometheusNames(definition).some((name) => shown.has(name)))
    assert.deepStrictEqual(hidden, [])
  })
})

it("no metric has a namespace in the plural, by OpenTelemetry's conventions", () => {
  for (const { name } of definitions) assert.notMatch(name, /s\./)
})

describe("docs/observability.md", () => {
  it("describes every metric with its unit, its name in Prometheus and its labels", () => {
    for (const definition of definitions) {
      const row = page.split("\n").find((line) => line.startsWith(`| \`${definition.name}\``))
      assert.include(row, ` ${definition.kind} `, definition.name)
      assert.include(row, `\`${definition.unit}\``, definition.name)
      assert.include(row, `\`${prometheusNames(definition)[0]?.replace(/_bucket$/, "")}`, definition.name)
    }
    for (const label of labels) assert.include(page.replaceAll(".", "_"), `\`${label}\``)
  })

  it("names every span", () => {
    const sources = ["cache/Renewal", "TokenCacheRef", "NombaAuthHttp"].map((name) =>
      readFileSync(`${root}src/layers/${name}.ts`, "utf8")
    )
    const names = sources.flatMap((source) => source.match(/(?<=")TokenCache\.(?:renew|wait)(?=")/g) ?? [])
    assert.sameMembers(names, ["TokenCache.renew", "TokenCache.wait"])
    for (const name of [...names, "NombaAuth.issue", "POST /v1/auth/token/issue"]) assert.include(page, `\`${name}\``)
  })
})
