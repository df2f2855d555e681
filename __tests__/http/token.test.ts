import { beforeAll, describe, expect, it } from '@jest/globals'
import { GRANT_TYPES } from '../../lib/http/token.js'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  type Tokens,
} from '../support/authorization-server.js'
import {
  answered,
  basic,
  eventsOf,
  redemption,
  renewal,
  seen,
  startClosing,
} from '../attacks/endpoint-answers.js'

const SECRET = 'the secret of a service'

let site: AuthorizationSite
let app: Registered

beforeAll(async () => {
  site = await startClosing({
    path: '/base',
    clients: [
      {
        clientId: 'service',
        clientSecret: SECRET,
        grantTypes: ['client_credentials'],
        scopes: ['notes:read'],
      },
    ],
  })
  app = await site.register()
})

describe('POST /token', () => {
  it('gives tokens for a code, under a base URL with a path too', async () => {
    const form = redemption(app, await site.authorize(app, { scope: 'notes:read' }), {
      redirect_uri: REDIRECT_URI,
      resource: `${site.issuer}/mcp`,
      unknown: 'parameters are ignored',
    })
    expect(seen(await site.post('/token', form))).toEqual(
      answered({
        access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'notes:read',
        refresh_token: expect.stringMatching(/^[\w-]{24}\.1\.[\w-]{43}$/),
      }),
    )
  })

  it('answers in JSON that no browser takes for anything else', async () => {
    const { headers } = await site.post('/token', redemption(app, await site.authorize(app)))
    expect(headers.get('content-type')).toBe('application/json')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(headers.get('access-control-allow-credentials')).toBeNull()
  })

  it('gives a service a token for itself, with the scopes that it may have', async () => {
    const form = { grant_type: 'client_credentials', resource: `${site.issuer}/mcp`, scope: 'notes:read' }
    const answer = await site.post('/token', form, basic('service', SECRET))
    expect(seen(answer)).toEqual(
      answered({
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'notes:read',
      }),
    )
    const more = { ...form, scope: 'notes:write' }
    expect(await site.post('/token', more, basic('service', SECRET))).toMatchObject({
      status: 400,
      body: { error: 'invalid_scope', error_description: 'This client may not have the scope notes:write' },
    })
  })

  it('gives a refresh token to who registered for them, or asked for offline_access', async () => {
    const online = await site.register({ grant_types: ['authorization_code'] })
    expect((await site.signIn(online)).refresh_token).toBeUndefined()
    const asking = await site.signIn(online, { scope: 'notes:read offline_access' })
    expect(asking.refresh_token).toBeDefined()
    expect(asking.scope).toBe('notes:read offline_access')
  })

  it('tells operators of every grant', async () => {
    const before = eventsOf(site, 'token.issued').length
    const tokens = await site.signIn(app)
    await site.post('/token', renewal(app, tokens, { scope: 'notes:read' }))
    await site.post('/token', { grant_type: 'client_credentials' }, basic('service', SECRET))
    const scope = 'notes:read notes:write'
    expect(eventsOf(site, 'token.issued').slice(before)).toEqual([
      { type: 'token.issued', clientId: app.client_id, grantType: 'authorization_code', scope },
      { type: 'token.issued', clientId: app.client_id, grantType: 'refresh_token', scope: 'notes:read' },
      { type: 'token.issued', clientId: 'service', grantType: 'client_credentials', scope: 'notes:read' },
    ])
  })

  it('tells operators of every refusal, and of which client where that was proven', async () => {
    const before = eventsOf(site, 'token.refused').length
    await site.post('/token', { grant_type: 'client_credentials' }, basic('service', 'x'))
    await site.post('/token', { grant_type: 'x', client_id: app.client_id })
    expect(eventsOf(site, 'token.refused').slice(before)).toEqual([
      { type: 'token.refused', error: 'invalid_client', detail: 'service: the secret is wrong' },
      {
        type: 'token.refused',
        clientId: app.client_id,
        error: 'unsupported_grant_type',
        detail: 'This grant type is not supported',
      },
    ])
  })

  it('gives tokens that the guarded endpoint takes, as who they are for', async () => {
    const tokens: Tokens = await site.signIn(app)
    const response = await site.call(tokens.access_token)
    expect([response.status, await response.json()]).toEqual([
      200,
      { subject: 'id-ada', clientId: app.client_id, scopes: ['notes:read', 'notes:write'] },
    ])
  })

  it('knows three grant types', () => {
    expect(GRANT_TYPES).toEqual(['authorization_code', 'refresh_token', 'client_credentials'])
  })
})
