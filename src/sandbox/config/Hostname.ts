/** Names and addresses of the machine that the sandbox runs on. */

/** Addresses that stand for every address of the machine. */
export const anyAddress: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

/** Whether only this machine reaches the address, given with the brackets of a URL or without. */
export const isLoopback = (host: string): boolean => /^(?:localhost|::1|\[::1\]|127(?:\.\d{1,3}){3})$/.test(host)

/** Whether it is an address as a URL has it, and no name. */
export const isAddress = (hostname: string): boolean => /^[\d.]+$|^\[/.test(hostname)

/** A name or an address the way a URL has it, an address of IPv6 in brackets. */
export const bracketed = (host: string): string => (/^[^[].*:/.test(host) ? `[${host}]` : host)

const written = /^(?:[\w-]+(?:\.[\w-]+)*\.?|\[?[\da-f]*:[\da-f:.]*\]?)$/i

/** A name or an address the way a browser sends it, without a port; `undefined` where it is neither. */
export const normalised = (host: string): string | undefined => {
  const origin = `http://${bracketed(host)}`
  return written.test(host) && URL.canParse(origin) ? new URL(origin).hostname : undefined
}
