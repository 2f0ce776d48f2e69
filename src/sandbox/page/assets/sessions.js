// @ts-check
/** The active sessions, and what can be done to them. */
import { byId, element, hiddenText, list, setText } from "./dom.js"
import { duration, plural, shortId, timeOfDay } from "./format.js"
import { control, now } from "./sandbox.js"

/** @import { Session, State } from "../ViewTypes.js" */

/** @typedef {{ readonly clientId: string, readonly session: Session, readonly alone: boolean }} Held */

/**
 * @param {string} text
 * @param {string} clientId
 * @param {() => unknown} onclick
 */
const button = (text, clientId, onclick) =>
  element("button", { type: "button", className: "quiet small", onclick }, text, hiddenText(` (client ${clientId})`))

/** @param {string} clientId */
const steal = (clientId) => control("POST", "/sessions/steal", { clientId }, `Another login as ${shortId(clientId)}.`)

/** @param {string} clientId @param {"access" | "refresh"} token */
const expire = (clientId, token) =>
  control("POST", "/sessions/expire", { clientId, token }, `The ${token} token of ${shortId(clientId)} expired.`)

/** @param {string} clientId */
const revoke = (clientId) =>
  control("POST", "/sessions/revoke", { clientId }, `The session of ${shortId(clientId)} was revoked.`)

/**
 * A token with its countdown.
 *
 * @param {string} name
 */
const token = (name) => {
  const masked = element("span", { className: "mono" })
  const left = element("span", { className: "left figure" })
  const bar = element("progress", { max: 1 })
  bar.setAttribute("aria-label", `Remaining lifetime of the ${name}`)
  return {
    nodes: element("div", {}, element("dt", {}, `${name} `, masked), element("dd", {}, left, bar)),
    /** @param {string} text @param {number} from @param {number} until @returns {boolean} whether it has expired */
    show: (text, from, until) => {
      const rest = until - now()
      const over = rest <= 0
      setText(masked, text)
      setText(left, over ? `expired ${duration(-rest)} ago` : `${duration(rest)} left`)
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
      element("summary", {}, "Actions", hiddenText(` (client ${clientId})`)),
      element(
        "div",
        { className: "buttons" },
        button("Simulate another login", clientId, () => steal(clientId)),
        button("Expire access token", clientId, () => expire(clientId, "access")),
        button("Expire refresh token", clientId, () => expire(clientId, "refresh")),
        button("Revoke", clientId, () => revoke(clientId))
      )
    )
  )
  /** @param {Held} held */
  const update = ({ session }) => {
    const issued = Date.parse(session.issuedAt)
    const stolen = session.startedBy === "another login"
    const renewed = session.refreshes === 0 ? "not refreshed yet" : `refreshed ${plural(session.refreshes, "time")}`
    setText(by, stolen ? "from another login" : renewed)
    node.classList.toggle("stolen", stolen)
    node.classList.toggle("expired", access.show(session.accessToken, issued, Date.parse(session.expiresAt)))
    refresh.show(session.refreshToken, issued, Date.parse(session.refreshExpiresAt))
    const alive = session.earlier.filter(({ expiresAt }) => Date.parse(expiresAt) > now())
    earlier.hidden = alive.length === 0
    const each = alive.map(({ accessToken, expiresAt }) => `${accessToken} until ${timeOfDay(Date.parse(expiresAt))}`)
    setText(earlier, `Earlier tokens that are still valid: ${each.join(", ")}`)
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
      button("Simulate a login", clientId, () => steal(clientId))
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
  setText(byId("others-title"), `${plural(without.length, "client")} without a session`)
}
