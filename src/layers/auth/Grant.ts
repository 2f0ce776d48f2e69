/**
 * From an accepted answer to a session.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import { UnexpectedResponse } from "../../schemas/AuthError.js"
import { withoutSecrets } from "../../schemas/SafeText.js"
import type { Session } from "../../schemas/Session.js"
import * as TokenResponse from "../../schemas/TokenResponse.js"
import { present } from "../http/present.js"
import * as AnswerHeaders from "./AnswerHeaders.js"
import type { TokenOperation } from "./Classification.js"
import type { Accepted } from "./TokenCall.js"

/**
 * Decodes the session. Members that had to be skipped are logged once, by their paths.
 *
 * @since 0.1.0
 */
export const toSession =
  (operation: TokenOperation) =>
  ({ headers, json, secrets, sentAt, status }: Accepted): Effect.Effect<Session, UnexpectedResponse> =>
    Either.match(TokenResponse.decode(json, { sentAt, secrets, date: AnswerHeaders.date(headers) }), {
      onLeft: (refused) =>
        Effect.fail(
          new UnexpectedResponse({
            operation,
            status,
            ...refused,
            ...present(
              "requestId",
              Option.map(AnswerHeaders.requestId(headers), (id) => withoutSecrets(id, secrets, 200))
            )
          })
        ),
      onRight: ({ session, warnings }) =>
        Arr.isEmptyReadonlyArray(warnings)
          ? Effect.succeed(session)
          : Effect.as(Effect.logWarning(`NombaAuth.${operation}: skipped ${warnings.join(", ")}`), session)
    })
