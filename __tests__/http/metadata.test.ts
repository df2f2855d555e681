import { describe, expect, it } from '@jest/globals'
import type { AuthProvider, RouteContext } from 'express-mcp-auth'
import { metadataRoutes } from '../../lib/http/metadata.js'

const context: RouteContext = { body: { kind: 'none' }, report: () => undefined, hint: () => undefined }
const stated: AuthProvider = {
  verifyToken: () => null,
  baseUrl: 'https://api.example.com',
  authorizationServers: ['https://login.example.com'],
}

describe('metadataRoutes', () => {
  it('are none where no authorization server is named', () => {
    expect(metadataRoutes({ verifyToken: () => null, baseUrl: 'https://api.example.com' })).toEqual([])
  })

  it('are the path form and the root form, with the same document', async () => {
    const routes = metadataRoutes({
      ...stated,
      requiredScopes: ['a'],
      resourceDescription: { resourceName: 'Notes' },
    })
    expect(routes.map(({ path, methods }) => [path, methods])).toEqual([
      ['/.well-known/oauth-protected-resource/mcp', ['GET']],
      ['/.well-known/oauth-protected-resource', ['GET']],
    ])
    for (const route of routes) {
      const {
        status,
        headers,
        body = '',
      } = await route.handle({ headers: { host: 'evil.example' } }, context)
      expect({ status, headers }).toEqual({
        status: 200,
        headers: { 'Content-Type': 'application/json', 'Cache-Control': 'public, max-age=3600' },
      })
      expect(JSON.parse(body)).toEqual({
        resource: 'https://api.example.com/mcp',
        authorization_servers: ['https://login.example.com'],
        scopes_supported: ['a'],
        bearer_methods_supported: ['header'],
        resource_name: 'Notes',
      })
    }
  })

  it.each<[rule: string, more: Partial<AuthProvider>, scopes: string[] | undefined]>([
    [
      'those of the description',
      { requiredScopes: ['a'], challengeScopes: ['b'], resourceDescription: { scopesSupported: ['c'] } },
      ['c'],
    ],
    [
      'else those of challenges',
      { requiredScopes: ['a'], challengeScopes: ['b'], resourceDescription: {} },
      ['b'],
    ],
    ['else those of every request', { requiredScopes: ['a'] }, ['a']],
    ['none where there are none', {}, undefined],
  ])('name as scopes %s', async (_rule, more, scopes) => {
    const [route] = metadataRoutes({ ...stated, ...more })
    const { body = '' } = (await route?.handle({ headers: {} }, context)) ?? {}
    expect((JSON.parse(body) as { scopes_supported?: string[] }).scopes_supported).toEqual(scopes)
  })
})
