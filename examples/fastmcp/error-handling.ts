// A token that may have ended: once refused, another is got by hand.
import { UnauthorizedError } from '@modelcontextprotocol/client'
import { BearerAuth } from 'express-mcp-auth/client'
import { callTool } from './client.js'

const { REFRESH_URL = 'https://auth.example.com/refresh' } = process.env

export async function robustAuthClient(url: string): Promise<string> {
  try {
    return await callTool(url, new BearerAuth('potentially-expired-token'), 'read_data')
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error // 503 too: the token may be good
  }
  return callTool(url, new BearerAuth(await refreshAuthToken()), 'read_data')
}

async function refreshAuthToken(): Promise<string> {
  const response = await fetch(REFRESH_URL, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh_token: 'stored-refresh-token' }),
  })
  if (!response.ok) throw new Error(`No new token: ${response.status}`)
  const { access_token: token } = (await response.json()) as { access_token: string }
  return token
}
