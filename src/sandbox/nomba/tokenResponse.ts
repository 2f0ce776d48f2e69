/** The response to issue and refresh, in the dialect of the switches. */
import * as HttpServerResponse from "@effect/platform/HttpServerResponse"
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { TokenResponse } from "../../schemas/NombaApi.js"
import type { Switches } from "../config/Switches.js"
import type { EmulatorService } from "../state/Emulator.js"
import type { Session } from "../state/Sessions.js"

const encode = Schema.encodeSync(TokenResponse)

export const tokenResponse = (
  emulator: EmulatorService,
  switches: Switches,
  session: Session,
  { withRefreshToken }: { readonly withRefreshToken: boolean }
): HttpServerResponse.HttpServerResponse => {
  const { dialect } = switches
  const spec = { token_type: "Bearer", expires_in: Math.round((session.expiresAt - session.issuedAt) / 1000) }
  const live = {
    businessId: emulator.businessId(session.clientId),
    expiresAt: DateTime.formatIso(DateTime.unsafeMake(session.expiresAt))
  }
  const shared = {
    access_token: session.accessToken,
    ...(withRefreshToken ? { refresh_token: session.refreshToken } : {})
  }
  const { data, ...envelope } = encode({
    code: "00",
    description: "Success",
    data: dialect === "live" ? shared : { ...shared, ...spec }
  })
  return HttpServerResponse.unsafeJson({ ...envelope, data: dialect === "spec" ? data : { ...data, ...live } })
}
