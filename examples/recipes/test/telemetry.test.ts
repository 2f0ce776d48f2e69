/** What a collector gets from `telemetry.ts`, and what the dashboard shows of it. */
import { createServer } from "node:http"
import { json } from "node:stream/consumers"
import { startSandbox } from "nomba-auth/sandbox"
import { assert, it } from "vitest"
import { type Described, panels, prometheusNames, selectorsOf } from "../../../test/support/prometheus.js"
import { BALANCE, balance } from "./calls.js"
import { credentialsOf, freePort, start, tsx } from "./program.js"

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number }
}

interface Point {
  readonly attributes: ReadonlyArray<Attribute>
  readonly asDouble?: number
}

interface Exported {
  readonly name: string
  readonly unit: string
  readonly sum?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly gauge?: { readonly dataPoints: ReadonlyArray<Point> }
  readonly histogram?: { readonly dataPoints: ReadonlyArray<Point> }
}

interface Span {
  readonly name: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly attributes: ReadonlyArray<Attribute>
  readonly links: ReadonlyArray<{ readonly spanId: string }>
}

const described = ({ gauge, name, sum, unit }: Exported): Described => ({
  name,
  unit,
  kind: sum !== undefined ? "counter" : gauge !== undefined ? "gauge" : "histogram"
})

/** Takes what a collector takes: OTLP over HTTP, as JSON. */
const startCollector = async () => {
  const metrics: Array<ReadonlyArray<Exported>> = []
  const spans: Array<Span> = []
  const texts: Array<string> = []
  let heard = (): void => {}
  const server = createServer(async (request, response) => {
    // biome-ignore lint/suspicious/noExplicitAny: the JSON of OTLP
    const body = (await json(request)) as any
    texts.push(JSON.stringify(body))
    for (const { scopeMetrics } of body.resourceMetrics ?? []) {
      for (const scope of scopeMetrics) metrics.push(scope.metrics)
    }
    for (const { scopeSpans } of body.resourceSpans ?? []) for (const scope of scopeSpans) spans.push(...scope.spans)
    response.end("{}")
    heard()
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${port}`,
    metrics,
    spans,
    texts,
    until: (isDone: () => boolean) =>
      new Promise<void>((resolve) => {
        heard = () => isDone() && resolve()
        heard()
      }),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    }
  }
}

/** The sum over the series that an expression selects. */
const valueOf = (expr: string, metrics: ReadonlyArray<Exported>): number => {
  const [selector] = selectorsOf(expr)
  const points = metrics
    .filter((metric) => prometheusNames(described(metric)).includes(selector?.name ?? ""))
    .flatMap(({ gauge, sum }) => [...(sum?.dataPoints ?? []), ...(gauge?.dataPoints ?? [])])
    .filter(({ attributes }) =>
      Object.entries(selector?.labels ?? {}).every(([label, value]) =>
        attributes.some(
          ({ key, value: { stringValue } }) => key.replaceAll(".", "_") === label && stringValue === value
        )
      )
    )
  assert.isNotEmpty(points, expr)
  return points.reduce((total, { asDouble = 0 }) => total + asDouble, 0)
}

it("telemetry.ts exports what the dashboard needs to show that a second program logs in", async () => {
  await using sandbox = await startSandbox()
  await using collector = await startCollector()
  const port = await freePort()
  const env = {
    ...credentialsOf(sandbox),
    HOST: "127.0.0.1",
    PORT: String(port),
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url
  }
  await using program = start(tsx("telemetry.ts"), { env })
  await program.printed("istening on")
  const url = `http://127.0.0.1:${port}`
  const health = await fetch(`${url}/health`)
  assert.deepStrictEqual(await health.json(), { ready: true, hasToken: false })
  const counts = await sandbox.counts()
  assert.strictEqual(counts.issue.requests, 0)

  assert.strictEqual(await balance(url), BALANCE)
  await collector.until(() =>
    collector.metrics.some((metrics) => metrics.some(({ name }) => name.endsWith("token.wait")))
  )
  const before = collector.metrics.at(-1) ?? []
  await sandbox.steal()
  assert.strictEqual(await balance(url), BALANCE)
  program.child.kill("SIGTERM")
  assert.deepStrictEqual(await program.ended, { code: 0, signal: null }, program.output())
  const after = collector.metrics.at(-1) ?? []

  const panel = panels().find(({ title }) => title === "A second program logs in")
  const expr = panel?.targets[0]?.expr ?? assert.fail("there is no panel")
  assert.deepStrictEqual([valueOf(expr, before), valueOf(expr, after)], [0, 1])
  const other = panels().find(({ title }) => title.startsWith("The account id"))?.targets[0]?.expr ?? assert.fail()
  assert.strictEqual(valueOf(other, after), 0)

  const exported = new Set(after.flatMap((metric) => prometheusNames(described(metric))))
  const wanted = panels().flatMap(({ targets }) => targets.flatMap(({ expr }) => selectorsOf(expr)))
  assert.deepStrictEqual(
    wanted.map(({ name }) => name).filter((name) => !exported.has(name)),
    []
  )

  const named = (name: string) => collector.spans.filter((span) => span.name === name)
  const [renewal, second] = named("TokenCache.renew")
  const [wait] = named("TokenCache.wait")
  assert.deepStrictEqual(
    wait?.links.map(({ spanId }) => spanId),
    [renewal?.spanId]
  )
  const [link] = renewal?.links ?? []
  assert.isDefined(collector.spans.find(({ spanId }) => spanId === link?.spanId))
  assert.deepInclude(second?.attributes ?? [], { key: "nomba.renewal.trigger", value: { stringValue: "rejected" } })
  const [request] = named("POST /v1/auth/token/issue")
  assert.deepInclude(request?.attributes ?? [], { key: "server.address", value: { stringValue: "127.0.0.1" } })

  const { clientSecret } = sandbox.credentials()
  const session = await sandbox.session()
  for (const secret of [clientSecret, session?.accessToken, session?.refreshToken]) {
    if (secret === undefined) continue
    for (const text of collector.texts) assert.notInclude(text, secret)
  }
})
