import { createNomba, type Nomba } from "nomba-auth/promise"

let client: Nomba | undefined

/**
 * One client for the whole server. It is created by the first call, because `next build` evaluates this file and has no
 * credentials. `next dev` evaluates it again after each change: the new client takes over the session of the old one.
 */
export const nomba = (): Nomba => {
  client ??= createNomba()
  return client
}
