/** The file that `--config` names: what `Sandbox.makeServer` takes, as JSON. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { ServerOptions } from "../sandbox/config/Options.js"
import { SandboxError } from "../sandbox/config/SandboxError.js"
import { mustBe, validationMessages } from "../sandbox/config/validationMessages.js"

const text = Schema.String.annotations(mustBe("text"))

const texts = Schema.Array(text).annotations(mustBe("a list of texts"))

const Client = Schema.Struct({
  clientId: text,
  clientSecret: Schema.optional(Schema.Redacted(text).annotations(mustBe("text"))),
  accountId: Schema.optional(text),
  redirectUris: Schema.optional(texts)
})

/** The switches are not looked at here: the sandbox itself says what is wrong with them. */
const Given = Schema.Struct(
  {
    clients: Schema.optional(Schema.Array(Client)),
    seed: Schema.optional(Schema.Union(Schema.String, Schema.Number).annotations(mustBe("text or a number"))),
    host: Schema.optional(text),
    port: Schema.optional(Schema.Number.annotations(mustBe("a number"))),
    allowedHosts: Schema.optional(texts)
  },
  Schema.Record({ key: Schema.String, value: Schema.Unknown })
).annotations({ parseOptions: { errors: "all", onExcessProperty: "error" } })

const decode = Schema.decodeUnknown(Given)

/** Reads the file, or says as a `SandboxError` what is wrong with it, without a value of it: it may hold secrets. */
export const read = (path: string): Effect.Effect<ServerOptions, SandboxError, FileSystem.FileSystem> => {
  const wrong = (...issues: ReadonlyArray<string>) =>
    new SandboxError({ reason: "Options", issues: issues.map((issue) => `${path}: ${issue}`) })
  return Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const content = yield* Effect.mapError(fs.readFileString(path), (error) =>
      wrong(`cannot be read (${error._tag === "SystemError" ? error.reason : error._tag})`)
    )
    const json = yield* Effect.try({ try: (): unknown => JSON.parse(content), catch: () => wrong("is not JSON") })
    return yield* Effect.mapError(decode(json), ({ issue }) => wrong(...validationMessages(issue, "the file")))
  })
}
