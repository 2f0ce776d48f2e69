// @ts-check
/**
 * A small shop as a developer without this library would write it: plain JavaScript and `fetch`. It keeps its token, logs in
 * again after a 401, and uses `merchantTxRef` so that no transfer is made twice.
 */

/** @typedef {{ baseUrl: string, clientId: string, clientSecret: string, accountId: string }} Settings */

/** @param {Settings} settings */
export const openShop = ({ accountId, baseUrl, clientId, clientSecret }) => {
  /** @type {string | undefined} */
  let token
  let logins = 0

  const login = async () => {
    const response = await fetch(`${baseUrl}/v1/auth/token/issue`, {
      method: "POST",
      headers: { "content-type": "application/json", accountId },
      body: JSON.stringify({ grant_type: "client_credentials", client_id: clientId, client_secret: clientSecret })
    })
    const { code, data, description } = await response.json()
    if (code !== "00") throw new Error(`login: ${description}`)
    logins += 1
    token = data.access_token
  }

  /** @param {string} method @param {string} path @param {object} [body] @returns {Promise<any>} */
  const call = async (method, path, body) => {
    for (let attempt = 0; ; attempt++) {
      if (token === undefined) await login()
      const response = await fetch(`${baseUrl}${path}`, {
        method,
        headers: { authorization: `Bearer ${token}`, accountId, "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      if (response.status !== 401 || attempt > 0) return { status: response.status, ...(await response.json()) }
      token = undefined
    }
  }

  return {
    logins: () => logins,
    balance: async () => Number((await call("GET", "/v1/accounts/balance")).data.amount),
    /** @param {string} bank @param {string} accountNumber @param {number} amount @param {string} merchantTxRef */
    pay: async (bank, accountNumber, amount, merchantTxRef) => {
      const banks = await call("GET", "/v1/transfers/banks")
      const bankCode = banks.data.find((/** @type {{ name: string }} */ { name }) => name === bank).code
      const { data } = await call("POST", "/v1/transfers/bank/lookup", { accountNumber, bankCode })
      return call("POST", "/v2/transfers/bank", {
        amount,
        accountNumber,
        accountName: data.accountName,
        bankCode,
        merchantTxRef,
        senderName: "The shop",
        narration: "Refund"
      })
    },
    /** @param {string} orderReference @param {number} amount */
    order: (orderReference, amount) =>
      call("POST", "/v1/checkout/order", {
        order: {
          orderReference,
          amount,
          currency: "NGN",
          customerEmail: "ada@customer.example",
          callbackUrl: "https://shop.example/paid"
        }
      }),
    /** @param {string} orderReference */
    lookUp: (orderReference) => call("GET", `/v1/checkout/transaction?idType=ORDER_REFERENCE&id=${orderReference}`),
    /** @param {string} merchantTxRef */
    transfer: (merchantTxRef) => call("GET", `/v1/transactions/accounts/single?merchantTxRef=${merchantTxRef}`),
    list: async () => (await call("GET", "/v1/transactions/accounts?limit=10")).data.results
  }
}
