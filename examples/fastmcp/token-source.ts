// The same without a catch: whatever has a token, and another one when it was refused. It works with both SDKs.
import { type TokenSource, authFetch } from 'express-mcp-auth/client'

const { REFRESH_URL = 'https://auth.example.com/refresh' } = process.env

let token = 'potentially-expired-token'

const source: TokenSource = {
  getToken: () => Promise.resolve(token),
  async renew(rejected) {
    if (token !== rejected) return // somebody else did it
    const body = JSON.stringify({ refresh_token: 'stored-refresh-token' })
    const headers = { 'content-type': 'application/json' }
    const response = await fetch(REFRESH_URL, { method: 'POST', headers, body })
    if (response.ok) token = ((await response.json()) as { access_token: string }).access_token
  },
}

/** For `new StreamableHTTPClientTransport(url, { fetch: withToken })`, or by itself. */
export const withToken = authFetch(source)
