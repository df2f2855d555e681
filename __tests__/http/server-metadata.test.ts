import { describe, expect, it } from '@jest/globals'
import { startClosing } from '../attacks/endpoint-answers.js'
import { createLocalJWKSet, jwtVerify } from 'jose'

const ALGORITHMS = expect.arrayContaining(['RS256', 'PS256', 'ES256', 'EdDSA'])

describe('the metadata of an authorization server', () => {
  it('says what works, and is readable for an hour by anybody', async () => {
    const site = await startClosing({ serviceDocumentation: 'https://docs.example.com/' })
    const response = await fetch(`${site.url}/.well-known/oauth-authorization-server`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(response.headers.get('cache-control')).toBe('public, max-age=3600')
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    const { issuer } = site
    expect(await response.json()).toEqual({
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      registration_endpoint: `${issuer}/register`,
      revocation_endpoint: `${issuer}/revoke`,
      introspection_endpoint: `${issuer}/introspect`,
      jwks_uri: `${issuer}/.well-known/jwks.json`,
      scopes_supported: ['notes:read', 'notes:write', 'offline_access'],
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      revocation_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
      protected_resources: [`${issuer}/mcp`],
      service_documentation: 'https://docs.example.com/',
    })
  }) // prettier-ignore

  it('AS-04 is found by OpenID Connect’s paths too, and under the path of an issuer', async () => {
    const site = await startClosing({ path: '/base' })
    const paths = [
      '/.well-known/oauth-authorization-server/base',
      '/.well-known/openid-configuration/base',
      '/base/.well-known/openid-configuration',
    ]
    for (const path of paths) {
      const document = (await (await fetch(site.url + path)).json()) as Record<string, unknown>
      expect([path, document['issuer'], document['token_endpoint']]).toEqual([
        path,
        `${site.url}/base`,
        `${site.url}/base/token`,
      ])
      expect(document['subject_types_supported']).toEqual(path.includes('openid') ? ['public'] : undefined)
    }
  })
})

describe('the keys of an authorization server', () => {
  it('are published for five minutes, and verify what it issues', async () => {
    const site = await startClosing()
    const response = await fetch(`${site.url}/.well-known/jwks.json`)
    expect([response.status, response.headers.get('cache-control')]).toEqual([200, 'public, max-age=300'])
    const keySet = (await response.json()) as Parameters<typeof createLocalJWKSet>[0]
    const { access_token: token } = await site.signIn(await site.register())
    const { payload, protectedHeader } = await jwtVerify(token, createLocalJWKSet(keySet), {
      issuer: site.issuer,
      audience: `${site.issuer}/mcp`,
      typ: 'at+jwt',
    })
    expect([payload.sub, protectedHeader.kid]).toEqual(['id-ada', keySet.keys[0]?.kid])
  })
})
