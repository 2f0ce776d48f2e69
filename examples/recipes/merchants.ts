import { createNomba, type Nomba, type NombaStore } from "nomba-auth/promise"

export interface Merchant {
  readonly clientId: string
  readonly clientSecret: string
  readonly accountId: string
  /** `https://api.nomba.com`, or the sandbox. */
  readonly baseUrl: string
}

/** The clients of all merchants. Give them one `tokenStore`, so that they share its connection. */
export class Merchants {
  readonly #clients = new Map<string, Nomba>()

  constructor(
    readonly find: (name: string) => Merchant,
    readonly tokenStore?: NombaStore
  ) {}

  client(name: string): Nomba {
    const known = this.#clients.get(name)
    if (known !== undefined) return known
    const client = createNomba({ ...this.find(name), tokenStore: this.tokenStore })
    this.#clients.set(name, client)
    return client
  }

  async close(): Promise<void> {
    await Promise.all(Array.from(this.#clients.values(), (client) => client.close()))
  }
}
