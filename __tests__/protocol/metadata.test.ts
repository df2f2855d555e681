import { describe, expect, it } from '@jest/globals'
import { buildProtectedResourceMetadata } from '../../lib/protocol/metadata.js'

describe('buildProtectedResourceMetadata', () => {
  it('writes the example of RFC 9728 3.2, of what it has', () => {
    const document = buildProtectedResourceMetadata(
      'https://resource.example.com',
      ['https://as1.example.com', 'https://as2.example.net'],
      {
        scopesSupported: ['profile', 'email', 'phone'],
        resourceDocumentation: 'https://resource.example.com/resource_documentation.html',
      },
    )
    expect(document).toEqual({
      resource: 'https://resource.example.com',
      authorization_servers: ['https://as1.example.com', 'https://as2.example.net'],
      bearer_methods_supported: ['header'],
      scopes_supported: ['profile', 'email', 'phone'],
      resource_documentation: 'https://resource.example.com/resource_documentation.html',
    })
  })

  it('leaves out what is not stated, and an empty list', () => {
    const document = buildProtectedResourceMetadata('https://a.example/mcp', ['https://b.example/'], {
      scopesSupported: [],
      resourceName: undefined,
    })
    expect(Object.keys(document)).toEqual(['resource', 'authorization_servers', 'bearer_methods_supported'])
    expect(buildProtectedResourceMetadata('https://a.example/mcp', ['https://b.example/'], {})).toEqual(
      document,
    )
  })

  it('keeps identifiers byte for byte', () => {
    const { resource, authorization_servers: issuers } = buildProtectedResourceMetadata(
      'HTTPS://A.example:443/mcp/',
      ['https://b.example', 'https://b.example/'],
      {},
    )
    expect([resource, ...issuers]).toEqual([
      'HTTPS://A.example:443/mcp/',
      'https://b.example',
      'https://b.example/',
    ])
  })

  it('names offline_access nowhere', () => {
    const document = buildProtectedResourceMetadata('https://a.example', ['https://b.example'], {
      scopesSupported: ['offline_access', 'mcp:use', 'mcp:use'],
    })
    expect(document.scopes_supported).toEqual(['mcp:use'])
    expect(
      buildProtectedResourceMetadata('https://a.example', ['https://b.example'], {
        scopesSupported: ['offline_access'],
      }),
    ).not.toHaveProperty('scopes_supported')
  })

  it('describes the resource to people', () => {
    const document = buildProtectedResourceMetadata('https://a.example', ['https://b.example'], {
      resourceName: 'Notes',
      resourceDocumentation: 'https://a.example/docs',
      resourcePolicyUri: 'https://a.example/policy',
      resourceTosUri: 'https://a.example/terms',
    })
    expect(document).toMatchObject({
      resource_name: 'Notes',
      resource_documentation: 'https://a.example/docs',
      resource_policy_uri: 'https://a.example/policy',
      resource_tos_uri: 'https://a.example/terms',
    })
  })
})
