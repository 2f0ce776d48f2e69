import { assert, describe, it } from "vitest"
import { Metrics } from "../../../src/cli/serve/Metrics.js"
import * as Telemetry from "../../../src/layers/telemetry.js"
import { prometheusNames } from "../../support/prometheus.js"

describe("Metrics.text", () => {
  it("counts a request in each bucket that is large enough", () => {
    const metrics = new Metrics()
    for (const millis of [3, 50, 50, 60_000]) {
      metrics.record({ key: "shop", method: "GET", path: "/v1/a", status: 200, isReplayed: millis === 3, millis })
    }
    const lines = metrics.text().split("\n")
    const histogram = lines.filter((line) => line.startsWith("nomba_auth_proxy_request_seconds_"))
    assert.deepStrictEqual(
      histogram.map((line) => line.replace(/^nomba_auth_proxy_request_seconds_(?:bucket)?/, "")),
      [
        ...['{le="0.005"} 1', '{le="0.025"} 1', '{le="0.1"} 3', '{le="0.25"} 3', '{le="0.5"} 3', '{le="1"} 3'],
        ...['{le="2.5"} 3', '{le="5"} 3', '{le="10"} 3', '{le="30"} 3', '{le="+Inf"} 4'],
        ...["sum 60.103", "count 4"]
      ]
    )
    assert.include(lines, 'nomba_auth_proxy_requests_total{key="shop",method="GET",status="200"} 4')
  })
  it("names the metrics of the library as an OpenTelemetry collector does", () => {
    const lines = new Metrics().text().split("\n")
    for (const definition of Object.values(Telemetry.definitions)) {
      const name = prometheusNames(definition)[0]?.replace(/_bucket$/, "")
      assert.include(lines, `# TYPE ${name} ${definition.kind}`)
    }
  })
})
