/** Escapes text for HTML pages. */

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;"
}

/** For elements and quoted attributes. Platform has such a function, but does not export it. */
export const escape = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? "")
