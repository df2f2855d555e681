import { describe, expect, it } from '@jest/globals'
import {
  isDiscoveryPath,
  originOf,
  pathOf,
  protectedResourcePaths,
  protectedResourceUrl,
  wellKnownPath,
} from '../../lib/protocol/well-known.js'

describe('wellKnownPath', () => {
  it.each([
    ['the example of RFC 9728 3.1', 'https://resource.example.com', '/.well-known/oauth-protected-resource'],
    [
      'the example of RFC 9728 3.1 with a path',
      'https://resource.example.com/resource1',
      '/.well-known/oauth-protected-resource/resource1',
    ],
    [
      'a slash after the host, which is dropped',
      'https://resource.example.com/',
      '/.well-known/oauth-protected-resource',
    ],
    [
      'a slash after a path, which is kept',
      'https://resource.example.com/a/',
      '/.well-known/oauth-protected-resource/a/',
    ],
    [
      'a path of several segments',
      'http://localhost:3000/v1/mcp',
      '/.well-known/oauth-protected-resource/v1/mcp',
    ],
  ])('puts the suffix between host and path: %s', (_rule, identifier, path) => {
    expect(wellKnownPath('oauth-protected-resource', identifier)).toBe(path)
  })
})

describe('protectedResourceUrl', () => {
  it('keeps scheme, host and port as they were written', () => {
    expect(protectedResourceUrl('HTTPS://API.example.com:443/mcp')).toBe(
      'HTTPS://API.example.com:443/.well-known/oauth-protected-resource/mcp',
    )
  })
})

describe('protectedResourcePaths', () => {
  it.each([
    ['https://api.example.com', ['/.well-known/oauth-protected-resource']],
    [
      'https://api.example.com/mcp',
      ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource'],
    ],
  ])('of %s are the path form and the root form, each once', (resource, paths) => {
    expect(protectedResourcePaths(resource)).toEqual(paths)
  })
})

describe('originOf and pathOf', () => {
  it.each([
    ['https://api.example.com', 'https://api.example.com', ''],
    ['https://api.example.com:443/', 'https://api.example.com:443', '/'],
    ['https://[::1]:3000/mcp?a#b', 'https://[::1]:3000', '/mcp?a#b'],
    ['https://api.example.com?a', 'https://api.example.com', '?a'],
  ])('cut %s where its path begins', (url, origin, path) => {
    expect([originOf(url), pathOf(url)]).toEqual([origin, path])
  })
})

describe('isDiscoveryPath', () => {
  it.each([
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/mcp',
    '/.well-known/oauth-authorization-server',
    '/.well-known/oauth-authorization-server/tenant/1',
    '/.well-known/openid-configuration',
    '/.well-known/openid-configuration/tenant',
    '/tenant/.well-known/openid-configuration',
  ])('takes %s', (path) => {
    expect(isDiscoveryPath(path)).toBe(true)
  })

  it.each([
    '/',
    '/mcp',
    '/.well-known/oauth-protected-resources',
    '/.well-known/jwks.json',
    '/mcp/.well-known/oauth-protected-resource',
    '/openid-configuration',
  ])('does not take %s', (path) => {
    expect(isDiscoveryPath(path)).toBe(false)
  })
})
