/** The examples and the page of the proxy. */
import { spawn, spawnSync } from "node:child_process"
import { readdirSync, readFileSync } from "node:fs"
import { text } from "node:stream/consumers"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { parse } from "yaml"
import { useCli } from "../support/cli.js"
import { LANGUAGES, languageIsThere } from "../support/languages.js"
import { serving } from "../support/serving.js"

const root = new URL("../../", import.meta.url)
const read = (path: string): string => readFileSync(new URL(path, root), "utf8")
const example = (name: string): string => fileURLToPath(new URL(`examples/proxy/${name}`, root))

const cli = useCli()

const run = async (command: string, args: ReadonlyArray<string>, env: Readonly<Record<string, string>>) => {
  const child = spawn(command, args, { env: { PATH: process.env["PATH"] ?? "", ...env } })
  const code = new Promise<number | null>((resolve) => child.on("close", resolve))
  return { output: await text(child.stdout), errors: await text(child.stderr), code: await code }
}

describe("the examples of the proxy", () => {
  for (const language of LANGUAGES.filter(languageIsThere)) {
    it(`${language.file} gets the balance, also after another login, and tells why it does not get it`, async () => {
      const { sandbox, variables } = await cli.user()
      const proxy = await serving(cli, variables, "--quiet")
      const env = {
        HOME: cli.folder(),
        GOCACHE: `${cli.folder()}/go`,
        NOMBA_PROXY_URL: proxy.url,
        NOMBA_PROXY_KEY: proxy.key ?? ""
      }
      const [command = "", ...args] = language.run(example(language.file))
      for (const _ of ["first", "after another login"]) {
        const { code, errors, output } = await run(command, args, env)
        assert.deepStrictEqual({ code, errors }, { code: 0, errors: "" })
        assert.include(output, "250000.00")
        await sandbox.steal()
      }
      const refused = await run(command, args, { ...env, NOMBA_PROXY_KEY: "wrong" })
      assert.notStrictEqual(refused.code, 0)
      assert.include(refused.output + refused.errors, "key of this proxy")
      await proxy.stop()
    })
  }

  it("the systemd unit gives the socket to a group, and the secret to the proxy alone", () => {
    const unit = read("examples/proxy/nomba-proxy.service")
    assert.match(unit, /^ExecStart=.* nomba-auth serve --socket \/run\/nomba-proxy\/proxy\.sock --no-key$/m)
    assert.match(unit, /^RuntimeDirectory=nomba-proxy$/m)
    assert.match(unit, /^EnvironmentFile=\/etc\/nomba\/proxy\.env$/m)
    assert.match(unit, /^DynamicUser=yes$/m)
    assert.notMatch(unit, /SECRET=/)
    const verified = spawnSync("systemd-analyze", ["verify", example("nomba-proxy.service")], { encoding: "utf8" })
    if (verified.error === undefined) assert.notMatch(verified.stderr, /nomba-proxy\.service:\d+:/)
  })

  it("the compose file lets the shop in by its name and with a key, and waits until there is a session", () => {
    const { services, secrets } = parse(read("examples/proxy/compose.yaml"))
    const { command, environment, healthcheck, ports, stop_grace_period, user, volumes } = services.nomba
    assert.match(
      command.at(-1),
      /^exec nomba-auth serve --host 0\.0\.0\.0 --allow-host nomba --key-file \/run\/secrets\/nomba-keys/
    )
    assert.isUndefined(ports)
    assert.include(healthcheck.test.join(" "), "/-/ready")
    assert.strictEqual(stop_grace_period, "60s")
    // The one folder of the image that its user may write to, and so the only place for a volume that is new.
    assert.deepStrictEqual([user, volumes], ["node", ["home:/home/node"]])
    assert.isDefined(secrets["nomba-keys"])
    assert.deepStrictEqual(services.shop.depends_on, { nomba: { condition: "service_healthy" } })
    assert.strictEqual(new URL(services.shop.environment.NOMBA_PROXY_URL).hostname, "nomba")
    assert.notProperty(services.shop.environment, "NOMBA_CLIENT_SECRET")
    assert.property(environment, "NOMBA_CLIENT_SECRET")
  })

  it("the Kubernetes sidecar starts first, ends last, and is reached from its pod only", () => {
    const { spec } = parse(read("examples/proxy/kubernetes.yaml")).spec.template
    const [proxy] = spec.initContainers
    const [shop] = spec.containers
    assert.strictEqual(proxy.restartPolicy, "Always")
    assert.match(proxy.command.at(-1), /^exec nomba-auth serve /)
    assert.notInclude(proxy.command.at(-1), " --host")
    assert.deepStrictEqual(proxy.startupProbe.httpGet, { path: "/-/live", port: 4021 })
    assert.deepStrictEqual(proxy.readinessProbe.httpGet, { path: "/-/ready", port: 4021 })
    assert.isTrue(proxy.securityContext.readOnlyRootFilesystem)
    assert.isUndefined(proxy.ports)
    assert.isAtLeast(spec.terminationGracePeriodSeconds, 60)
    const names = (container: { env: ReadonlyArray<{ name: string }> }) => container.env.map(({ name }) => name)
    assert.deepStrictEqual(names(shop), ["NOMBA_PROXY_URL", "NOMBA_PROXY_KEY"])
    assert.include(names(proxy), "NOMBA_PROXY_KEY")
    assert.isUndefined(shop.envFrom)
  })
})

describe("docs/proxy.md", () => {
  const page = read("docs/proxy.md")

  it("shows the examples as they are run", () => {
    for (const name of readdirSync(new URL("examples/proxy/", root))) {
      assert.include(page, `examples/proxy/${name}`)
    }
    assert.include(page, read("examples/proxy/balance.php").split("\n").slice(1).join("\n").trim())
    assert.include(page, read("examples/proxy/balance.py").split("\n").slice(1).join("\n").trim())
  })

  it("names each flag of the command and no other", async () => {
    const { output } = await cli.run({ NO_COLOR: "1" }, ["serve", "--help"])
    const flags = new Set([...output.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag))
    const named = new Set([...page.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, flag]) => flag))
    assert.isAbove(flags.size, 10)
    assert.sameMembers([...named], [...flags])
  })
})
