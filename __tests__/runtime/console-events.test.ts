import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { type AuthEvent, consoleEvents } from 'express-mcp-auth'

const allowed: AuthEvent = {
  type: 'request.allowed',
  method: 'POST',
  path: '/mcp',
  clientId: 'c',
  cached: true,
}
const anonymous: AuthEvent = {
  type: 'request.refused',
  method: 'POST',
  path: '/mcp',
  status: 401,
  reason: { stage: 'credentials' },
}
const refused: AuthEvent = {
  type: 'request.refused',
  method: 'POST',
  path: '/mcp',
  status: 401,
  error: 'invalid_token',
  reason: { stage: 'audience' },
}
const fetched: AuthEvent = { type: 'keys.fetched', url: 'https://a.example', keys: 1, skipped: [] }
const failed: AuthEvent = {
  type: 'keys.failed',
  url: 'https://a.example',
  message: 'status 500',
  serving: 'stale',
}
const service: AuthEvent = { type: 'service.failed', url: 'https://a.example', message: 'status 500' }
const danger: AuthEvent = { type: 'danger', option: 'o', message: 'm' }
const hint: AuthEvent = { type: 'hint', code: 'no_discovery', message: 'm' }
const person = { clientId: 'c', subject: 's' }
const everyday: AuthEvent[] = [
  { type: 'client.registered', clientId: 'c', redirectUris: [], dropped: [] },
  { type: 'sign_in.succeeded', subject: 's' },
  { type: 'authorization.granted', ...person, scopes: [], asked: true },
  { type: 'authorization.denied', ...person },
  { type: 'token.issued', clientId: 'c', grantType: 'refresh_token', scope: '' },
  { type: 'grant.revoked', ...person, why: 'client' },
  { type: 'grant.revoked', ...person, why: 'user' },
]
const theft: AuthEvent = { type: 'grant.revoked', ...person, why: 'refresh_token_reused' }
const wrongPassword: AuthEvent = { type: 'sign_in.failed' }
const everything = [allowed, anonymous, refused, fetched, failed, service, danger, hint]

const printed = (events: readonly AuthEvent[], show?: 'all' | 'problems'): string[] => {
  const lines: string[] = []
  const listener = consoleEvents({ write: (line) => lines.push(line), ...(show !== undefined && { show }) })
  for (const event of events) listener(event)
  return lines
}

describe('consoleEvents', () => {
  afterEach(() => {
    jest.restoreAllMocks()
  })

  it('prints one line an event: its type and its facts as JSON', () => {
    expect(printed([refused])).toEqual([
      '[mcp-auth] request.refused {"method":"POST","path":"/mcp","status":401,"error":"invalid_token","reason":{"stage":"audience"}}',
    ])
  })

  it('prints what an operator may have to act on, and not the routine', () => {
    const types = printed(everything).map((line) => line.split(' ')[1])
    expect(types).toEqual(['request.refused', 'keys.failed', 'service.failed', 'danger', 'hint'])
  })

  it('prints what speaks of theft or guessing, and not what people and clients do every day', () => {
    const types = printed([...everyday, theft, wrongPassword]).map((line) => line.split(' ')[1])
    expect(types).toEqual(['grant.revoked', 'sign_in.failed'])
    expect(printed([...everyday, theft], 'all')).toHaveLength(everyday.length + 1)
  })

  it('prints everything where it is asked to', () => {
    expect(printed(everything, 'all')).toHaveLength(everything.length)
  })

  it('lets nothing from a request start a line of its own, colour the terminal or turn the text around', () => {
    const path = '/a\r\n[mcp-auth] fake\u001b[31m\u007f\u0085\u2028\u2029\u202e\u2066'
    const [line = ''] = printed([{ ...refused, path }])
    expect(line).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(line.replace('[mcp-auth] request.refused ', ''))).toMatchObject({ path })
  })

  it('prints to console.error unless told otherwise', () => {
    const print = jest.spyOn(console, 'error').mockReturnValue()
    consoleEvents()(hint)
    expect(print.mock.calls).toEqual([['[mcp-auth] hint {"code":"no_discovery","message":"m"}']])
  })
})
