import { describe, expect, it } from '@jest/globals'
import { buildAuthorizationUrl } from '../../../lib/providers/proxy/authorization-url.js'
import type { UpstreamDescription } from '../../../lib/providers/proxy/description.js'
import { challengeOf } from '../../../lib/protocol/pkce.js'
import { REDIRECT_URI, TRIP } from '../../support/token-endpoint.js'

const ENDPOINT = 'https://login.example.com/authorize'

const DESCRIPTION = {
  clientId: 'app',
  usesPkce: true,
  forwardsResource: true,
  scopeNames: {
    toUpstream: (scopes: readonly string[]) => scopes,
    fromUpstream: (scopes: readonly string[]) => scopes,
  },
  extraScopes: [],
  authorizeParams: {},
} as unknown as UpstreamDescription

function ask(
  changes: Partial<UpstreamDescription> = {},
  trip: Partial<typeof TRIP> = {},
  endpoint = ENDPOINT,
): URL {
  return new URL(
    buildAuthorizationUrl(endpoint, { ...TRIP, ...trip }, REDIRECT_URI, { ...DESCRIPTION, ...changes }),
  )
}

const asked = (...given: Parameters<typeof ask>): Record<string, string> =>
  Object.fromEntries(ask(...given).searchParams)

describe('the URL of the identity provider', () => {
  it('asks for a code', () => {
    const url = ask()
    expect(url.origin + url.pathname).toBe(ENDPOINT)
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: 'app',
      redirect_uri: REDIRECT_URI,
      state: TRIP.state,
      scope: 'openid read',
      code_challenge: challengeOf(TRIP.verifier),
      code_challenge_method: 'S256',
      nonce: TRIP.nonce,
    })
  })

  it('P8 never shows the verifier', () => {
    expect(ask({ usesPkce: false }).href).not.toContain(TRIP.verifier)
    expect(ask().href).not.toContain(TRIP.verifier)
  })

  it('has no challenge where we do not use one', () => {
    const { code_challenge: challenge, code_challenge_method: method } = asked({ usesPkce: false })
    expect({ challenge, method }).toEqual({ challenge: undefined, method: undefined })
  })

  it.each<[rule: string, scopes: string[], changes: Partial<UpstreamDescription>, scope: string | undefined]>(
    [
      ['no scope where there is nothing to ask for', [], {}, undefined],
      ['what is asked for', ['read'], {}, 'read'],
      ['no offline_access of ours', ['read', 'offline_access'], {}, 'read'],
      [
        'offline_access of its own',
        ['offline_access'],
        { extraScopes: ['offline_access'] },
        'offline_access',
      ],
      ['extra scopes once', ['read'], { extraScopes: ['email', 'read'] }, 'read email'],
      [
        'its own names',
        ['read'],
        {
          scopeNames: {
            ...DESCRIPTION.scopeNames,
            toUpstream: (scopes) => scopes.map((scope) => `api://x/${scope}`),
          },
          extraScopes: ['y'],
        },
        'api://x/read y',
      ],
    ],
  )('names %s', (_rule, scopes, changes, scope) => {
    expect(asked(changes, { scopes })['scope']).toBe(scope)
  })

  it.each([
    [['openid'], TRIP.nonce],
    [['read'], undefined],
  ])('has a nonce where OpenID Connect is spoken: %j', (scopes, nonce) => {
    expect(asked({}, { scopes })['nonce']).toBe(nonce)
  })

  it('has a nonce also where OpenID Connect is one of the extra scopes', () => {
    expect(asked({ extraScopes: ['openid'] }, { scopes: [] })['nonce']).toBe(TRIP.nonce)
  })

  it.each([
    ['told', true, 'https://api.example.com/mcp', 'https://api.example.com/mcp'],
    ['not told', false, 'https://api.example.com/mcp', undefined],
    ['told that there is none', true, undefined, undefined],
  ])('is %s which resource it is about', (_rule, forwardsResource, resource, sent) => {
    expect(asked({ forwardsResource }, { resource })['resource']).toBe(sent)
  })

  it('says how to ask people, and has what options add', () => {
    const authorizeParams = { prompt: 'consent', access_type: 'offline', audience: 'https://api.example.com' }
    expect(asked({ authorizeParams })).toMatchObject(authorizeParams)
    expect(asked({ authorizeParams }, { prompt: 'login' })).toMatchObject({
      ...authorizeParams,
      prompt: 'login',
    })
  })

  it('lets no option replace what the protocol says', () => {
    const names = [
      'state', 'redirect_uri', 'client_id', 'response_type', 'scope', 'code_challenge', 'code_challenge_method', 'nonce', 'request', 'request_uri',
    ] // prettier-ignore
    const authorizeParams = Object.fromEntries(names.map((name) => [name, 'evil']))
    const bare = { usesPkce: false, authorizeParams }
    for (const given of [{ authorizeParams }, bare]) {
      const url = ask(given, { scopes: [] })
      expect(url.href).not.toContain('evil')
    }
  })

  it('keeps the query that the endpoint has', () => {
    const url = ask({}, {}, `${ENDPOINT}?p=B2C_1_sign%20in&x=%26`)
    expect(url.searchParams.get('p')).toBe('B2C_1_sign in')
    expect(url.searchParams.get('x')).toBe('&')
    expect(url.searchParams.get('state')).toBe(TRIP.state)
  })

  it('names each parameter once, whatever the endpoint has', () => {
    const url = ask(
      { authorizeParams: { client_id: 'evil' } },
      {},
      `${ENDPOINT}?client_id=other&client_id=more`,
    )
    expect(url.searchParams.getAll('client_id')).toEqual(['app'])
  })
})
