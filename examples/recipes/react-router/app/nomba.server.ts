import { createNomba } from "nomba-auth/promise"

/** `.server` in its name keeps it, and the client secret, out of the browser's bundle. */
export const nomba = createNomba()
