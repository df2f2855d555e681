import { afterEach, describe, expect, it } from '@jest/globals'
import { StaticTokenVerifier, bindSessions, mcpAuth } from 'express-mcp-auth'
import { configErrorOf } from '../support/config-error.js'
import { HOSTS, type Handler, startHost } from '../support/hosts.js'

const provider = new StaticTokenVerifier({
  tokens: { alice: { clientId: 'c', subject: 'alice' }, bob: { clientId: 'c', subject: 'bob' } },
})
const guard = mcpAuth(provider, { bindSessions: false, onEvent: () => undefined })
const mcp: Handler = (request, response) => {
  const open = request.headers['x-open']
  response.writeHead(200, typeof open === 'string' ? { 'Mcp-Session-Id': open } : {}).end()
}

const cleanUp: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of cleanUp.splice(0)) await close()
})
const start = async (...args: Parameters<typeof startHost>): Promise<string> => {
  const host = await startHost(...args)
  cleanUp.push(() => host.close())
  return host.url
}
const call = (url: string, who: string, headers: Record<string, string>): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { authorization: `Bearer ${who}`, ...headers } })

describe('bindSessions', () => {
  it.each(HOSTS)(
    '%s: refuses a session in the hands of another, where mcpAuth was told not to',
    async (name) => {
      const url = await start(name, [guard, bindSessions()], mcp)
      await call(url, 'alice', { 'x-open': 's1' })
      expect((await call(url, 'alice', { 'mcp-session-id': 's1' })).status).toBe(200)
      const response = await call(url, 'bob', { 'mcp-session-id': 's1' })
      expect(response.status).toBe(404)
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await response.json()).toEqual({
        jsonrpc: '2.0',
        error: { code: -32001, message: 'Session not found' },
        id: null,
      })
    },
  )

  it('keeps the sessions of its own route, up to its bound', async () => {
    const url = await start('Express 5', [guard, bindSessions({ maxSessions: 1 })], mcp)
    await call(url, 'alice', { 'x-open': 's1' })
    await call(url, 'alice', { 'x-open': 's2' })
    expect((await call(url, 'bob', { 'mcp-session-id': 's2' })).status).toBe(404)
    expect((await call(url, 'bob', { 'mcp-session-id': 's1' })).status).toBe(200)
  })

  it('knows callers without a guard as one', async () => {
    const url = await start('Express 5', [bindSessions()], mcp)
    await call(url, 'alice', { 'x-open': 's1' })
    expect((await call(url, 'bob', { 'mcp-session-id': 's1' })).status).toBe(200)
  })

  it.each<[options: unknown, code: string, message: RegExp]>([
    [{ max: 1 }, 'ERR_MCP_AUTH_UNKNOWN_OPTION', /no option "max"/],
    [{ maxSessions: 0 }, 'ERR_MCP_AUTH_INVALID_OPTION', /whole number above 0/],
    [7, 'ERR_MCP_AUTH_INVALID_OPTION', /takes an options object/],
  ])('refuses %j', (options, code, message) => {
    const error = configErrorOf(() => bindSessions(options as never))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })

  it('refuses false: a handler that binds nothing is a mistake', () => {
    expect(configErrorOf(() => bindSessions(false as never)).code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
  })
})
