/**
 * Takes sessions into the cache, from Nomba and from the token store.
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type { Session } from "../../schemas/Session.js"
import type { NombaConfigService } from "../../services/NombaConfig.js"
import { type CachedSession, SessionEvent } from "../../services/TokenCache.js"
import type { Stored } from "../../services/TokenStore.js"
import type { Timeline } from "../time.js"
import type { Obtained } from "./obtainSession.js"
import * as RenewalHistory from "./RenewalHistory.js"
import type { SessionEvents } from "./SessionEvents.js"
import * as State from "./State.js"

export interface Adoption {
  /** Nomba gave this session. The announcement of its commit may be heard before the renewal has ended. */
  readonly obtained: (session: Session, operation: Obtained["operation"]) => void
  /** Takes it unless a logout, a login or something newer came after `since`. `operation`: how Nomba gave it, if it did. */
  readonly take: (
    step: typeof State.adopt,
    stored: Stored,
    since: State.State,
    operation?: Obtained["operation"]
  ) => Effect.Effect<State.Change>
  /** Another process ended the session; its tombstone has this version. */
  readonly endedElsewhere: (version: number) => Effect.Effect<void>
  readonly storedOf: (cached: State.Cached) => Stored
}

export interface Dependencies {
  readonly config: NombaConfigService
  readonly events: SessionEvents
  readonly history: RenewalHistory.RenewalHistory
  readonly state: State.StateRef
  readonly timeline: Timeline
}

export const make = ({ config, events, history, state, timeline }: Dependencies): Adoption => {
  const { update } = state
  const { now } = timeline

  const eventOf = (operation: Obtained["operation"] | undefined, session: CachedSession): SessionEvent => {
    switch (operation) {
      case "issue":
        return SessionEvent.Issued({ session })
      case "refresh":
        return SessionEvent.Refreshed({ session })
      case "restore":
      case undefined:
        return SessionEvent.Adopted({ session })
    }
  }

  let latest: { readonly session: Session; readonly operation: Obtained["operation"] } | undefined

  const take: Adoption["take"] = (step, stored, since, given) =>
    Effect.gen(function* () {
      const isOurs = latest !== undefined && State.sameToken(latest.session.accessToken, stored.session.accessToken)
      const operation = given ?? (isOurs ? latest?.operation : undefined)
      const jitter = yield* Random.next
      const at = now()
      const origin = operation === undefined ? "store" : "nomba"
      const change = yield* update((before) =>
        State.isOvertaken(before, since, stored)
          ? before
          : step(before, stored, { origin, jitter, now: at, timeline, renewAhead: config.renewAhead })
      )
      const { cached } = change.after
      if (cached === undefined || cached.session.accessToken === change.before.cached?.session.accessToken)
        return change
      const token = Redacted.value(cached.session.accessToken)
      if (!history.tokens.has(token)) {
        RenewalHistory.remember(history, token, { expiresAt: cached.expiresAt, rejection: undefined })
      }
      const isSame =
        change.before.cached !== undefined &&
        State.sameToken(change.before.cached.session.accessToken, cached.session.accessToken)
      if (!isSame) {
        yield* Effect.logDebug(
          operation === undefined ? "Adopted the stored session." : `Got a session (${operation}).`
        )
        events.publish(eventOf(operation, State.view(cached, at)))
      }
      return change
    })

  const endedElsewhere = (version: number): Effect.Effect<void> =>
    Effect.map(
      update((before) => State.end(before, version)),
      ({ after, before }) => {
        if (before.cached !== undefined && after.cached === undefined) events.publish(SessionEvent.LoggedOut())
      }
    )

  const storedOf = (cached: State.Cached): Stored => ({
    session: cached.session,
    version: cached.version,
    saved: cached.saved,
    refreshInFlight: Option.exists(cached.session.refreshToken, (token) =>
      history.spentRefreshTokens.has(Redacted.value(token))
    ),
    remaining: Duration.millis(Math.max(0, cached.expiresAt - now()))
  })

  return {
    obtained: (session, operation) => {
      latest = { session, operation }
    },
    take,
    endedElsewhere,
    storedOf
  }
}
