// @ts-check
/** Who holds what, for how long, and what can happen to it. */
import { byId, element, list, say, unseen } from "./dom.js"
import { many, shortly, span, timeOfDay } from "./format.js"
import { act, now } from "./sandbox.js"

/** @import { Session, State } from "../ViewTypes.js" */

/** @typedef {{ readonly clientId: string, readonly session: Session, readonly alone: boolean }} Held */

/**
 * @param {string} text
 * @param {string} clientId
 * @param {() => unknown} onclick
 */
const button = (text, clientId, onclick) =>
  element("button", { type: "button", className: "quiet small", onclick }, text, unseen(` (client ${clientId})`))

/** @param {string} clientId */
const steal = (clientId) =>
  act("POST", "/sessions/steal", { clientId }, `Somebody else logged in as ${shortly(clientId)}.`)

/** @param {string} clientId @param {"access" | "refresh"} token */
const expire = (clientId, token) =>
  act("POST", "/sessions/expire", { clientId, token }, `The ${token} token of ${shortly(clientId)} expired.`)

/** @param {string} clientId */
const revoke = (clientId) =>
  act("POST", "/sessions/revoke", { clientId }, `The session of ${shortly(clientId)} was revoked.`)

/**
 * A token with its countdown.
 *
 * @param {string} name
 */
const token = (name) => {
  const masked = element("span", { className: "mono" })
  const left = element("span", { className: "left figure" })
  const bar = element("progress", { max: 1 })
  bar.setAttribute("aria-label", `What is left of the ${name}'s life`)
  return {
    nodes: element("div", {}, element("dt", {}, `${name} `, masked), element("dd", {}, left, bar)),
    /** @param {string} text @param {number} from @param {number} until @returns {boolean} whether it has expired */
    show: (text, from, until) => {
      const rest = until - now()
      const over = rest <= 0
      say(masked, text)
      say(left, over ? `expired ${span(-rest)} ago` : `${span(rest)} left`)
      left.classList.toggle("over", over)
      bar.value = over || until <= from ? 0 : Math.min(1, rest / (until - from))
      return over
    }
  }
}

/** @param {Held} held */
const make = ({ alone, clientId, session: { id } }) => {
  const by = element("p", { className: "by" })
  const earlier = element("p", { className: "hint" })
  const access = token("access token")
  const refresh = token("refresh token")
  const node = element(
    "article",
    { className: "card" },
    element(
      "div",
      { className: "head" },
      element("h3", { title: `session ${id}` }, "Client ", element("code", {}, clientId)),
      by
    ),
    element("dl", { className: "tokens" }, access.nodes, refresh.nodes),
    earlier,
    element(
      "details",
      { open: alone },
      element("summary", {}, "What may happen to it", unseen(` (client ${clientId})`)),
      element(
        "div",
        { className: "buttons" },
        button("Let somebody else log in", clientId, () => steal(clientId)),
        button("Expire access token", clientId, () => expire(clientId, "access")),
        button("Expire refresh token", clientId, () => expire(clientId, "refresh")),
        button("Revoke", clientId, () => revoke(clientId))
      )
    )
  )
  /** @param {Held} held */
  const update = ({ session }) => {
    const issued = Date.parse(session.issuedAt)
    const stolen = session.startedBy === "somebody else"
    const renewed = session.refreshes === 0 ? "not renewed yet" : `renewed ${many(session.refreshes, "time")}`
    say(by, stolen ? "held by somebody else" : renewed)
    node.classList.toggle("stolen", stolen)
    node.classList.toggle("expired", access.show(session.accessToken, issued, Date.parse(session.expiresAt)))
    refresh.show(session.refreshToken, issued, Date.parse(session.refreshExpiresAt))
    const alive = session.earlier.filter(({ expiresAt }) => Date.parse(expiresAt) > now())
    earlier.hidden = alive.length === 0
    const each = alive.map(({ accessToken, expiresAt }) => `${accessToken} until ${timeOfDay(Date.parse(expiresAt))}`)
    say(earlier, `Still good, from before: ${each.join(", ")}`)
  }
  return { node, update }
}

const cards = list(byId("sessions"), (/** @type {Held} */ { session }) => session.id, make)

const others = list(
  byId("others-list"),
  (/** @type {string} */ clientId) => clientId,
  (clientId) => ({
    node: element(
      "li",
      {},
      element("code", {}, clientId),
      button("Let somebody log in", clientId, () => steal(clientId))
    )
  })
)

/** @param {State} state */
export const show = ({ clients, sessions }) => {
  const alone = clients.length === 1
  const held = clients.flatMap(({ clientId }) =>
    sessions.filter((session) => session.clientId === clientId).map((session) => ({ alone, clientId, session }))
  )
  cards(held)
  const without = clients.filter(({ clientId }) => !held.some((one) => one.clientId === clientId))
  others(without.map(({ clientId }) => clientId))
  byId("sessions-empty").hidden = held.length > 0
  byId("others").hidden = without.length === 0
  say(byId("others-title"), `${many(without.length, "client")} without a session`)
}
