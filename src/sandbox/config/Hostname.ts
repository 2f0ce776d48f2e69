/** Host names and addresses. */

/** Addresses that stand for every address of the machine. */
export const anyAddress: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

/** Whether only this machine reaches the address, with or without the brackets of a URL. */
export const isLoopback = (host: string): boolean => /^(?:localhost|::1|\[::1\]|127(?:\.\d{1,3}){3})$/.test(host)

/** Whether the host of a URL is an address and not a name. */
export const isAddress = (hostname: string): boolean => /^[\d.]+$|^\[/.test(hostname)

/** An IPv6 address in brackets, anything else unchanged. */
export const bracketed = (host: string): string => (/^[^[].*:/.test(host) ? `[${host}]` : host)

const written = /^(?:[\w-]+(?:\.[\w-]+)*\.?|\[?[\da-f]*:[\da-f:.]*\]?)$/i

/** The host as a browser sends it, without a port; `undefined` if it is neither a name nor an address. */
export const normalised = (host: string): string | undefined => {
  const origin = `http://${bracketed(host)}`
  return written.test(host) && URL.canParse(origin) ? new URL(origin).hostname : undefined
}

// Fetch standard, section 2.9 "Port blocking". Browsers and Node's fetch refuse to connect to these.
const blockedPorts = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080
])

/** What is wrong with a port to listen on. */
export const portIssue = (port: unknown): string | undefined => {
  if (typeof port !== "number" || !Number.isInteger(port) || port < 0 || port > 65_535) {
    return "must be an integer from 0 to 65535"
  }
  return blockedPorts.has(port) ? "browsers and fetch refuse to connect to this port; choose another" : undefined
}
