import { createNomba } from "nomba-auth/promise"
import { afterEach, assert, beforeEach, describe, it, vi } from "vitest"

const MINUTE = 60_000

describe.sequential("nomba.token shortly before the token expires", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["Date"] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it("answers every caller at once while the renewal runs in the background", async () => {
    let issued = 0
    let answer = (): void => {}
    let held = Promise.resolve()
    let arrive = (): void => {}
    const fetch = (async () => {
      issued += 1
      const token = `token-${issued}`
      arrive()
      await held
      return Response.json({ code: "00", data: { access_token: token, expires_in: 1800 } })
    }) as typeof globalThis.fetch
    const nomba = createNomba({
      clientId: "a-client-that-renews-ahead",
      clientSecret: "c2VjcmV0IG9mIGEgdGVzdA==",
      baseUrl: "https://api.nomba.test",
      fetch
    })
    assert.strictEqual(await nomba.token(), "token-1")

    held = new Promise((resolve) => {
      answer = resolve
    })
    const arrived = new Promise<void>((resolve) => {
      arrive = resolve
    })
    vi.setSystemTime(Date.now() + 27 * MINUTE)
    assert.strictEqual(await nomba.token(), "token-1")
    await arrived
    assert.deepStrictEqual(await Promise.all([nomba.token(), nomba.token()]), ["token-1", "token-1"])
    assert.strictEqual((await nomba.session()).token.value, "token-1")
    assert.strictEqual(issued, 2)

    const renewed = new Promise<void>((resolve) => {
      nomba.subscribe(({ _tag }) => {
        if (_tag === "Issued" || _tag === "Refreshed") resolve()
      })
    })
    answer()
    await renewed
    assert.strictEqual(await nomba.token(), "token-2")
    await nomba.close()
  })
})
