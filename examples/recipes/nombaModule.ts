import { Inject, Module, type OnApplicationShutdown } from "@nestjs/common"
import { createNomba, type Nomba } from "nomba-auth/promise"

export const NOMBA = Symbol("Nomba")

@Module({ providers: [{ provide: NOMBA, useFactory: () => createNomba() }], exports: [NOMBA] })
export class NombaModule implements OnApplicationShutdown {
  constructor(@Inject(NOMBA) private readonly nomba: Nomba) {}

  onApplicationShutdown(): Promise<void> {
    return this.nomba.close()
  }
}
