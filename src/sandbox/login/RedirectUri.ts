/** Redirect URIs. */

const onLoopback = /^(http:\/\/(?:127\.0\.0\.1|\[::1\]|localhost))(?::\d{1,5})?(?=[/?]|$)/

const withoutPort = (uri: string): string => uri.replace(onLoopback, "$1")

/**
 * Compares character by character (RFC 9700 section 4.1.3), except for the port of a loopback address, which a native app
 * gets from the system (RFC 8252 section 7.3).
 */
export const isRegistered = (registered: ReadonlyArray<string>, uri: string): boolean =>
  URL.canParse(uri) &&
  registered.some((one) => one === uri || (onLoopback.test(one) && withoutPort(one) === withoutPort(uri)))

export const withParameters = (uri: string, parameters: Readonly<Record<string, string | undefined>>): string => {
  const added = new URLSearchParams(
    Object.entries(parameters).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]]))
  )
  return `${uri}${uri.includes("?") ? "&" : "?"}${added}`
}
