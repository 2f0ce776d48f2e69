import { startSandbox } from "nomba-auth/sandbox"
import { assert, describe, it } from "vitest"
import { openShop } from "./shop.js"

describe("a shop in plain JavaScript", () => {
  it("pays, sells, lists and recovers from another login against the sandbox", async () => {
    await using sandbox = await startSandbox()
    const { accountId = "", clientId, clientSecret } = sandbox.credentials()
    const shop = openShop({ baseUrl: sandbox.url, clientId, clientSecret, accountId })

    const before = await shop.balance()
    const paid = await shop.pay("Sandbox Bank", "0123456789", 1500.5, "refund-1")
    assert.deepInclude(paid, { status: true, code: "200", description: "SUCCESS" })
    assert.deepInclude(paid.data, { status: "SUCCESS", type: "transfer", amount: "1500.50", merchantTxRef: "refund-1" })
    assert.strictEqual(await shop.balance(), before - 1500.5)

    const again = await shop.pay("Sandbox Bank", "0123456789", 1500.5, "refund-1")
    assert.strictEqual(again.data.id, paid.data.id)
    assert.strictEqual(await shop.balance(), before - 1500.5)

    const ordered = await shop.order("order-1", 2000)
    assert.strictEqual(ordered.code, "00")
    assert.strictEqual(ordered.data.orderReference, "order-1")
    assert.match(ordered.data.checkoutLink, /^https:\/\//)

    assert.strictEqual(shop.logins(), 1)
    await sandbox.steal()
    const found = await shop.lookUp("order-1")
    assert.strictEqual(shop.logins(), 2)
    assert.deepInclude(found.data.order, { orderReference: "order-1", amount: 2000, currency: "NGN", accountId })

    await sandbox.revoke()
    const types = (await shop.list()).map(({ type }: { type: string }) => type)
    assert.deepStrictEqual(types, ["online_checkout", "transfer"])
    assert.strictEqual(shop.logins(), 3)
    assert.strictEqual((await shop.transfer("refund-1")).data.id, paid.data.id)

    await sandbox.configure({ transferOutcome: "pending" })
    const pending = await shop.pay("Sandbox Bank", "0123456789", 10, "refund-2")
    assert.deepInclude(pending, { code: "201", description: "PROCESSING", status: false })
    assert.strictEqual((await shop.transfer("refund-2")).data.status, "PENDING_BILLING")
    await sandbox.advance("1 minute")
    assert.strictEqual((await shop.transfer("refund-2")).data.status, "SUCCESS")
  })
})
