import "reflect-metadata"
import { Controller, Get, Inject, Injectable, Module, type OnApplicationShutdown } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import { createNomba, type Nomba } from "nomba-auth/promise"

const NOMBA = Symbol("Nomba")

@Injectable()
class BalanceService implements OnApplicationShutdown {
  constructor(@Inject(NOMBA) private readonly nomba: Nomba) {}

  balance(): Promise<unknown> {
    return this.nomba.request("/v1/accounts/balance")
  }

  async onApplicationShutdown(): Promise<void> {
    await this.nomba.close()
  }
}

@Controller()
class BalanceController {
  constructor(@Inject(BalanceService) private readonly balances: BalanceService) {}

  @Get("balance")
  balance(): Promise<unknown> {
    return this.balances.balance()
  }
}

@Module({
  providers: [{ provide: NOMBA, useFactory: () => createNomba() }, BalanceService],
  controllers: [BalanceController]
})
class AppModule {}

const host = process.env["HOST"] ?? "localhost"
const port = Number(process.env["PORT"] ?? 3000)
const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] })
// `useProcessExit` ends with code 0; without it Nest ends itself by the signal.
app.enableShutdownHooks([], { useProcessExit: true })
await app.listen(port, host)
console.log(`Listening on http://${host}:${port}`)
