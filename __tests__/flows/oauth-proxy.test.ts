// An app in front of an identity provider that knows it and not its clients: they register here, people sign in there.
import { afterEach, describe, expect, it } from '@jest/globals'
import { getAccessToken } from 'express-mcp-auth'
import { type ProxySite, type ProxySiteOptions, startProxySite } from '../support/proxy-site.js'

const opened: ProxySite[] = []
afterEach(async () => {
  for (const site of opened.splice(0)) await site.close()
})

async function start(options?: ProxySiteOptions): Promise<ProxySite> {
  const site = await startProxySite(options)
  opened.push(site)
  return site
}

describe('a client', () => {
  it('registers, is agreed to here, and gets tokens for somebody who signed in there', async () => {
    const site = await start({
      extend: (app) => {
        app.get('/who', (request, response, next) => {
          const token = getAccessToken(request)
          void Promise.resolve(token?.upstream?.getToken())
            .then((upstream) => response.json({ ...token, upstream }))
            .catch(next)
        })
      },
    })
    const client = await site.register()
    const tokens = await site.signIn(client, { scope: 'openid offline_access' })
    const answer = await fetch(`${site.url}/who`, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    })
    expect(answer.status).toBe(200)
    const who = (await answer.json()) as Record<string, unknown>
    expect(who).toMatchObject({
      subject: 'idp|ada',
      clientId: client.client_id,
      scopes: ['openid', 'offline_access'],
    })
    expect(who['upstream']).not.toBe(tokens.access_token)
    const renewed = await site.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      client_id: client.client_id,
    })
    expect(renewed.status).toBe(200)
    expect(site.idp.requests.filter(({ path }) => path === '/token').length).toBe(2)
  })
})
