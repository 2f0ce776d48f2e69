/** The four operations, for tests that hold for each of them. */
import { type Effect, Redacted } from "effect"
import type { AuthError } from "../../src/schemas/AuthError.js"
import type { NombaAuthService } from "../../src/services/NombaAuth.js"

export type Operation = "issue" | "refresh" | "revoke" | "exchange"

export interface Named {
  readonly operation: Operation
  readonly run: (auth: NombaAuthService) => Effect.Effect<unknown, AuthError>
}

export const presented = {
  refreshToken: "presented-refresh-token",
  accessToken: "presented-access-token",
  bearer: "presented-bearer-token",
  code: "presented-authorization-code",
  verifier: "presented-code-verifier"
}

const redacted = (name: keyof typeof presented): Redacted.Redacted<string> => Redacted.make(presented[name])

export const operations: ReadonlyArray<Named> = [
  { operation: "issue", run: (auth) => auth.issue },
  {
    operation: "refresh",
    run: (auth) => auth.refresh({ refreshToken: redacted("refreshToken"), accessToken: redacted("accessToken") })
  },
  { operation: "revoke", run: (auth) => auth.revoke(redacted("accessToken"), { bearer: redacted("bearer") }) },
  {
    operation: "exchange",
    run: (auth) =>
      auth.exchange({ code: redacted("code"), verifier: redacted("verifier"), redirectUri: "https://app.test/back" })
  }
]
