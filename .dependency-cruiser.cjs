const assert = require("node:assert/strict")
const { readdirSync } = require("node:fs")

/**
 * One rule for each folder of `parent`, from the bottom up: it imports those before it, and none imports one after it. Files in
 * `parent` itself are above them all, but for `below`. A folder without a place here, and a place without a folder, is an error.
 */
const directionIn = (parent, folders, below = "$^") => {
  const existing = readdirSync(`${__dirname}/${parent}`, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  assert.deepEqual([...folders].sort(), existing.map(({ name }) => name).sort(), `the folders of ${parent}`)
  return folders.map((folder, index) => ({
    name: `${parent.replace("src/", "")}-${folder}-imports-downwards`,
    severity: "error",
    from: { path: `^${parent}/${folder}/` },
    to: { path: `^${parent}/`, pathNot: `^${parent}/(${below}|(${folders.slice(0, index + 1).join("|")})/)` }
  }))
}

const sandboxDirection = directionIn("src/sandbox", [
  "config",
  "http",
  "resources",
  "state",
  "faults",
  "nomba",
  "login",
  "control",
  "page"
])

const layersDirection = directionIn(
  "src/layers",
  ["config", "http", "store", "auth", "cache"],
  "(?:time|processMemory|telemetry)\\.ts"
)

/** The direction of the code: schemas <- services <- layers <- index; the other faces sit beside index. */
module.exports = {
  forbidden: [
    { name: "no-circle", severity: "error", from: {}, to: { circular: true } },
    ...sandboxDirection,
    ...layersDirection,
    {
      name: "a-store-knows-no-other-store",
      severity: "error",
      from: { path: "^src/layers/store/(file/|redis/|[^/]+$)" },
      to: { path: "^src/layers/store/(file|redis)/", pathNot: "^src/layers/store/$1" }
    },
    {
      name: "global-values-in-one-file",
      severity: "error",
      from: { pathNot: "^src/layers/processMemory\\.ts$" },
      to: { path: "node_modules/effect/.*/GlobalValue" }
    },
    {
      name: "schemas-import-schemas",
      severity: "error",
      from: { path: "^src/schemas" },
      to: { path: "^src/", pathNot: "^src/schemas" }
    },
    {
      name: "services-import-schemas",
      severity: "error",
      from: { path: "^src/services" },
      to: { path: "^src/", pathNot: "^src/(schemas|services)" }
    },
    {
      name: "layers-import-services-and-schemas",
      severity: "error",
      from: { path: "^src/layers" },
      to: { path: "^src/", pathNot: "^src/(schemas|services|layers)" }
    },
    {
      name: "faces-are-imported-by-nothing",
      severity: "error",
      from: { path: "^src/(?!(testing|sandbox|cli|promise|node)/)" },
      to: { path: "^src/(testing|sandbox|cli|promise|node)/" }
    },
    {
      name: "sandbox-shares-the-contract-only",
      comment: "An emulator that shared the client's logic would agree with its mistakes.",
      severity: "error",
      from: { path: "^src/sandbox" },
      to: { path: "^src/", pathNot: "^src/(sandbox/|schemas/NombaApi\\.ts)" }
    },
    {
      name: "the-client-runs-in-a-browser",
      severity: "error",
      from: {
        path: "^src/(schemas|services|layers|index)",
        pathNot: "^src/layers/(TokenStore(File|Redis)\\.ts|store/(file|redis)/)"
      },
      to: { dependencyTypes: ["core"] }
    },
    {
      name: "pages-load-late",
      comment: "The start of the sandbox is measured; what people look at is imported when they do.",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/sandbox/page/(Assets|Reference)\\.ts$" },
      to: {
        path: ["^src/sandbox/page/(Assets|Reference)\\.ts$", "@effect/platform/.*/HttpApiScalar"],
        dynamic: false,
        dependencyTypesNot: ["type-only", "type-import"]
      }
    },
    {
      name: "no-orphans",
      severity: "error",
      from: { orphan: true, path: "^src/" },
      to: {}
    },
    {
      name: "no-dev-dependencies",
      severity: "error",
      from: { path: "^src/", pathNot: "^src/(sandbox|cli)/" },
      to: { dependencyTypes: ["npm-dev"], pathNot: "node_modules/(effect|@effect/platform|ioredis)/" }
    }
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "types", "default"] }
  }
}
