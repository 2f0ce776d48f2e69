/** The file of `--config`: the options of `Sandbox.makeServer`, as JSON. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type ServerOptions, settle } from "../sandbox/config/Options.js"
import { Resource } from "../sandbox/config/Resource.js"
import { SandboxError } from "../sandbox/config/SandboxError.js"
import { mustBe, validationMessages } from "../sandbox/config/validationMessages.js"

const text = Schema.String.annotations(mustBe("text"))

const texts = Schema.Array(text).annotations(mustBe("a list of texts"))

const Client = Schema.Struct({
  clientId: text,
  clientSecret: Schema.optional(Schema.Redacted(text).annotations(mustBe("text"))),
  accountId: Schema.optional(text),
  subAccountIds: Schema.optional(texts),
  redirectUris: Schema.optional(texts)
})

/** The sandbox checks the switches itself. */
const Content = Schema.Struct(
  {
    clients: Schema.optional(Schema.Array(Client)),
    resources: Schema.optional(Schema.Array(Resource)),
    builtInResources: Schema.optional(Schema.Boolean.annotations(mustBe("true or false"))),
    seed: Schema.optional(Schema.Union(Schema.String, Schema.Number).annotations(mustBe("text or a number"))),
    host: Schema.optional(text),
    port: Schema.optional(Schema.Number.annotations(mustBe("a number"))),
    allowedHosts: Schema.optional(texts)
  },
  Schema.Record({ key: Schema.String, value: Schema.Unknown })
).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

const decode = Schema.decodeUnknown(Content)

/** Reads a text file, or names it in a `SandboxError`. */
export const readText = (path: string): Effect.Effect<string, SandboxError, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* Effect.mapError(fs.readFileString(path), (error) => {
      const reason = error._tag === "SystemError" ? error.reason : error._tag
      return new SandboxError({ reason: "Options", issues: [`${path}: cannot be read (${reason})`] })
    })
  })

/** Reads the file. A `SandboxError` names what is wrong, without values: the file may contain secrets. */
export const read = (path: string): Effect.Effect<ServerOptions, SandboxError, FileSystem.FileSystem> => {
  const invalid = (...issues: ReadonlyArray<string>) =>
    new SandboxError({ reason: "Options", issues: issues.map((issue) => `${path}: ${issue}`) })
  return Effect.gen(function* () {
    const content = yield* readText(path)
    const json = yield* Effect.try({ try: (): unknown => JSON.parse(content), catch: () => invalid("is not JSON") })
    const options = yield* Effect.mapError(decode(json), ({ issue }) =>
      invalid(...validationMessages(issue, "the file"))
    )
    yield* Effect.mapError(settle(options), ({ issues }) => invalid(...issues))
    return options
  })
}
