import { describe, expect, it } from '@jest/globals'
import { parseRedirectPattern } from '../../lib/protocol/redirect-uri-pattern.js'
import { configErrorOf } from '../support/config-error.js'

const matches = (pattern: string, uri: string): boolean => parseRedirectPattern(pattern)(uri)

describe('parseRedirectPattern', () => {
  it.each([
    ['https://app.example.com/callback', 'https://app.example.com/callback'],
    ['https://app.example.com/callback?a=b', 'https://app.example.com/callback?a=b'],
    ['https://app.example.com:443/cb', 'https://app.example.com/cb'],
    ['https://app.example.com/cb', 'https://app.example.com:443/cb'],
    ['https://app.example.com:8443/cb', 'https://app.example.com:8443/cb'],
    ['https://app.example.com:*/cb', 'https://app.example.com:9999/cb'],
    ['https://*.example.com/cb', 'https://a.example.com/cb'],
    ['https://*.example.com/cb', 'https://a.b.example.com/cb'],
    ['https://app.example.com', 'https://app.example.com/any/path?a=b'],
    ['https://app.example.com/oauth/*', 'https://app.example.com/oauth/callback/1?a=b'],
    ['https://app.example.com/*/callback', 'https://app.example.com/tenant/callback'],
    ['https://app.example.com/a.b+c(d)*', 'https://app.example.com/a.b+c(d)e'],
    ['http://localhost:*', 'http://localhost:3000/callback'],
    ['http://localhost', 'http://localhost:3000/callback'],
    ['http://localhost:3000/callback', 'http://localhost:3000/callback'],
    ['http://localhost:80/callback', 'http://localhost/callback'],
    ['http://127.0.0.1:*/callback', 'http://127.0.0.1:1/callback'],
    ['http://[::1]:*', 'http://[::1]:3000/callback'],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 'cursor://anysphere.cursor-mcp/oauth/callback'],
    ['cursor://anysphere.cursor-mcp/*', 'cursor://anysphere.cursor-mcp/oauth/callback'],
    ['com.example.app:/cb', 'com.example.app:/cb'],
  ])('%s allows %s', (pattern, uri) => {
    expect(matches(pattern, uri)).toBe(true)
  })

  it.each([
    ['https://app.example.com/cb', 'https://app.example.com/cb/'],
    ['https://app.example.com/cb', 'https://app.example.com/cb?a=b'],
    ['https://app.example.com/cb', 'https://app.example.com/CB'],
    ['https://app.example.com/cb', 'https://app.example.com:8443/cb'],
    ['https://app.example.com/cb', 'http://app.example.com/cb'],
    ['https://app.example.com', 'https://app.example.com.evil.example/'],
    ['https://app.example.com', 'https://app.example.com@evil.example/'],
    ['https://app.example.com', 'https://app.example.com:443@evil.example/'],
    ['https://app.example.com:*', 'https://app.example.com:x@evil.example/'],
    ['https://app.example.com', 'https://app.example.com\\@evil.example/'],
    ['https://app.example.com', 'https://evil.example/https://app.example.com/'],
    ['https://*.example.com/cb', 'https://example.com/cb'],
    ['https://*.example.com/cb', 'https://evilexample.com/cb'],
    ['https://*.example.com/cb', 'https://a.example.com.evil.example/cb'],
    ['https://*.example.com/cb', 'https://evil.example/a.example.com/cb'],
    ['https://*.example.com/cb', 'https://evil.example/.example.com/cb'],
    ['https://*.example.com', 'https://evil.example#.example.com'],
    ['https://*.example.com', 'https://evil.example?.example.com'],
    ['https://*.example.com', 'https://a.example.com./'],
    ['https://app.example.com/oauth/*', 'https://app.example.com/oauth'],
    ['https://app.example.com/oauth/*', 'https://app.example.com/oauth/../evil'],
    ['https://app.example.com/oauth/*', 'https://app.example.com/oauth/%2e%2e/evil'],
    ['https://app.example.com/oauth/*', 'https://app.example.com/oauth/..%2fevil'],
    ['https://app.example.com/oauth/*', 'https://app.example.com/oauth/..%5Cevil'],
    ['https://app.example.com/a.b*', 'https://app.example.com/axb'],
    ['http://localhost:*', 'http://localhost.evil.example/'],
    ['http://localhost:*', 'http://localhost:1@evil.example/'],
    ['http://localhost:*', 'http://127.0.0.1:3000/'],
    ['http://localhost:*', 'https://localhost:3000/'],
    ['http://localhost:3000', 'http://localhost:3001/'],
    ['https://localhost', 'https://localhost:3000/'],
    ['http://0.0.0.0:*', 'http://0.0.0.0:3000/'],
    ['cursor://anysphere.cursor-mcp/*', 'cursor://anysphere.cursor-retrieval/oauth/callback'],
    ['com.example.app:/cb/*', 'com.example.app:/cb/../evil'],
    ['com.example.app:/cb', 'com.example.app:/cb/x'],
    ['myapp:/cb', 'myapp:/cb'],
  ])('A5 %s does not allow %s', (pattern, uri) => {
    expect(matches(pattern, uri)).toBe(false)
  })

  it.each([
    '',
    '*',
    '*://app.example.com',
    'https://',
    'https://*',
    'https://*/cb',
    'https://a*.example.com/cb',
    'https://*example.com/cb',
    'https://app.*.com/cb',
    'https://user@app.example.com/cb',
    'https://app.example.com#x',
    'https://APP.example.com/cb',
    'https://app.example.com:x/cb',
    'javascript:/*',
    'data:/x',
    'myapp:*',
    'com.example.app:*',
    'app.example.com/cb',
  ])('A5 cannot use %j', (pattern) => {
    expect(configErrorOf(() => parseRedirectPattern(pattern))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message:
        `"allowedClientRedirectUris" cannot use ${JSON.stringify(pattern)}: ` +
        'write e.g. "https://*.example.com/callback" or "http://localhost:*"',
    })
  })

  it('A5 wants a domain after a wildcard', () => {
    expect(configErrorOf(() => parseRedirectPattern('https://*.com/cb'))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message:
        '"allowedClientRedirectUris" cannot use "https://*.com/cb": ' +
        'a wildcard needs a domain of your own after it, such as "*.example.com"',
    })
  })
})
