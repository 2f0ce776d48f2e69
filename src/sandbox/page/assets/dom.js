// @ts-check
/** Elements, and lists of them. What comes from the sandbox becomes text, never markup. */

/**
 * The element of the page with this id.
 *
 * @template {typeof HTMLElement} [T=typeof HTMLElement]
 * @param {string} id
 * @param {T} [type]
 * @returns {InstanceType<T>}
 */
export const byId = (id, type) => {
  const node = document.getElementById(id)
  if (!(node instanceof (type ?? HTMLElement))) throw new Error(`the page has no such #${id}`)
  return /** @type {InstanceType<T>} */ (node)
}

/**
 * A new element. A child that is a string becomes a text node.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} [properties]
 * @param {ReadonlyArray<Node | string>} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export const element = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties)
  node.append(...children)
  return node
}

/**
 * Sets a text, unless it is there already.
 *
 * @param {Node} node
 * @param {string} text
 */
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text
}

/**
 * Text for screen readers only.
 *
 * @param {string} text
 */
export const hiddenText = (text) => element("span", { className: "hidden" }, text)

/**
 * Moves the focus to the heading of the section around a node that is going to vanish.
 *
 * @param {Element} node
 */
const focusHeading = (node) => {
  const heading = node.closest(".panel")?.querySelector("h2")
  if (heading) heading.focus({ preventScroll: true })
}

/**
 * Shows a list that changes. The node of an item that stays is kept, and with it focus, selection and scroll position.
 *
 * @template Item
 * @param {HTMLElement} parent
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => { readonly node: HTMLElement, readonly update?: (item: Item) => void }} make
 * @returns {(items: ReadonlyArray<Item>) => void}
 */
export const list = (parent, keyOf, make) => {
  /** @type {Map<string, ReturnType<typeof make>>} */
  const shown = new Map()
  return (items) => {
    const wanted = new Set(items.map(keyOf))
    for (const [key, { node }] of shown) {
      if (wanted.has(key)) continue
      if (node.contains(document.activeElement)) focusHeading(parent)
      node.remove()
      shown.delete(key)
    }
    items.forEach((item, index) => {
      const key = keyOf(item)
      const entry = shown.get(key) ?? make(item)
      shown.set(key, entry)
      entry.update?.(item)
      const there = parent.children[index]
      if (there !== entry.node) parent.insertBefore(entry.node, there ?? null)
    })
  }
}
