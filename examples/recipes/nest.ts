import "reflect-metadata"
import { Controller, Get, Inject, Injectable, Module } from "@nestjs/common"
import { NestFactory } from "@nestjs/core"
import type { Nomba } from "nomba-auth/promise"
import { NOMBA, NombaModule } from "./nombaModule.js"

@Injectable()
class BalanceService {
  constructor(@Inject(NOMBA) private readonly nomba: Nomba) {}

  balance(): Promise<unknown> {
    return this.nomba.request("/v1/accounts/balance")
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

@Module({ imports: [NombaModule], providers: [BalanceService], controllers: [BalanceController] })
class AppModule {}

const host = process.env["HOST"] ?? "localhost"
const port = Number(process.env["PORT"] ?? 3000)
const app = await NestFactory.create(AppModule, { logger: ["error", "warn"] })
// `useProcessExit` ends with code 0; without it Nest ends itself by the signal.
app.enableShutdownHooks([], { useProcessExit: true })
await app.listen(port, host)
console.log(`Listening on http://${host}:${port}`)
