// @ts-check
/** The base URL, the credentials, and a command to log in with. */
import { byId, element, list, setText } from "./dom.js"

/** @import { DefaultClient, State } from "../ViewTypes.js" */

/** A page that came over plain HTTP from another machine has no clipboard. */
const canCopy = navigator.clipboard !== undefined

/** @param {string} name @param {() => string} text */
const copyButton = (name, text) => {
  const button = element("button", { type: "button", className: "quiet small", hidden: !canCopy }, "Copy")
  button.setAttribute("aria-label", `Copy ${name}`)
  button.addEventListener("click", async () => {
    const done = await navigator.clipboard.writeText(text()).then(
      () => "Copied",
      () => "Not allowed"
    )
    setText(button, done)
    setTimeout(() => setText(button, "Copy"), 2000)
  })
  return button
}

/** @typedef {{ readonly name: string, readonly value: string, readonly copy: boolean }} Fact */

const facts = list(
  byId("credentials"),
  (/** @type {Fact} */ { name }) => name,
  ({ name, copy }) => {
    const value = element("code")
    const content = copy ? [value, " ", copyButton(name, () => value.textContent ?? "")] : [value]
    const node = element("div", {}, element("dt", {}, name), element("dd", {}, ...content))
    return { node, update: (fact) => setText(value, fact.value) }
  }
)

byId("curl-box").append(copyButton("the curl command", () => byId("curl").textContent ?? ""))

/** @type {DefaultClient | undefined} */
let defaultClient
/** @type {State | undefined} */
let last

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`

/** @param {State} state */
export const show = (state) => {
  last = state
  const { clients, sessions, url } = state
  const client = clients[0]
  if (client === undefined) return
  const { accountId, clientId, isDefault } = client
  const secret = isDefault ? defaultClient?.clientSecret : undefined
  facts([
    { name: "NOMBA_BASE_URL", value: url, copy: true },
    { name: "NOMBA_CLIENT_ID", value: clientId, copy: true },
    { name: "NOMBA_CLIENT_SECRET", value: secret ?? "the one you configured", copy: secret !== undefined },
    ...(accountId === undefined ? [] : [{ name: "NOMBA_ACCOUNT_ID", value: accountId, copy: true }])
  ])
  const body = { grant_type: "client_credentials", client_id: clientId, client_secret: secret ?? "YOUR_CLIENT_SECRET" }
  const lines = [
    `curl -s -X POST ${quoted(`${url}/v1/auth/token/issue`)}`,
    "-H 'content-type: application/json'",
    ...(accountId === undefined ? [] : [`-H ${quoted(`accountId: ${accountId}`)}`]),
    `-d ${quoted(JSON.stringify(body))}`
  ]
  setText(byId("curl"), lines.join(" \\\n  "))
  byId("curl-box").hidden = sessions.length > 0
}

fetch("/assets/default-client.json")
  .then((response) => response.json())
  .then(
    (loaded) => {
      defaultClient = loaded
      if (last !== undefined) show(last)
    },
    () => undefined
  )
