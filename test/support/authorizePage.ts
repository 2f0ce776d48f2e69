/** What a person sees whom a client sends to log in. */
export const authorizePage = async (url: string, clientId: string, redirectUri: string): Promise<string> => {
  const asked = new URLSearchParams({
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    code_challenge_method: "S256"
  })
  return (await fetch(`${url}/v1/auth/authorize?${asked}`, { redirect: "manual" })).text()
}
