import { describe, expect, it } from '@jest/globals'
import { checkUrl, isLoopback } from '../../lib/protocol/urls.js'
import { configErrorOf } from '../support/config-error.js'

const name = 'Thing: "url"'
const check = (value: unknown, rules = {}): string => checkUrl(value, { name, ...rules })

describe('checkUrl', () => {
  it.each([
    'https://api.example.com',
    'https://api.example.com/',
    'HTTPS://API.Example.COM:443/a/../b//',
    'https://api.example.com/mcp?tenant=a',
    'https://[2001:db8::1]:8443/mcp',
    'http://localhost:3000',
    'http://127.0.0.1:3000/mcp',
    'http://[::1]:3000',
    'http://mcp.localhost/',
  ])('gives %s back byte for byte', (url) => {
    expect(check(url)).toBe(url)
  })

  it('lets http through to another machine where the developer insists', () => {
    expect(check('http://keycloak:8080/realms/a', { allowInsecureHttp: true })).toBe(
      'http://keycloak:8080/realms/a',
    )
  })

  it.each([
    'http://api.example.com',
    'http://10.0.0.1',
    'http://localhost.example.com',
    'ftp://localhost/',
    'ws://localhost/',
  ])('refuses %s and names the way out', (url) => {
    expect(configErrorOf(() => check(url))).toEqual({
      code: 'ERR_MCP_AUTH_INSECURE_URL',
      message:
        `Thing: "url" must be an https URL, not "${url}". http is for loopback addresses; ` +
        'on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
    })
  })

  it('refuses another scheme also where http is allowed', () => {
    expect(configErrorOf(() => check('ftp://a.example', { allowInsecureHttp: true })).code).toBe(
      'ERR_MCP_AUTH_INSECURE_URL',
    )
  })

  it('refuses a URL object, whose href is not what was written', () => {
    expect(configErrorOf(() => check(new URL('https://api.example.com')))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message:
        'Thing: "url" must be a string. A URL object has already added or dropped a slash: write the identifier as text',
    })
  })

  it.each([
    [undefined, 'undefined'],
    [null, 'null'],
    [7, '7'],
    ['', '""'],
    ['api.example.com', '"api.example.com"'],
    ['/mcp', '"/mcp"'],
    ['https:/api.example.com', '"https:/api.example.com"'],
    ['https://', '"https://"'],
    [' https://api.example.com', '" https://api.example.com"'],
    ['https://api.example.com/a b', '"https://api.example.com/a b"'],
    ['https://api.example.com/"', '"https://api.example.com/\\""'],
    ['https://api.example.com/\\', '"https://api.example.com/\\\\"'],
    ['https://api.example.com/\r\nX: y', '"https://api.example.com/\\r\\nX: y"'],
    ['https://bücher.example', '"https://bücher.example"'],
    [['https://api.example.com'], '["https://api.example.com"]'],
  ])('refuses %j, which is no absolute URL', (value, shown) => {
    expect(configErrorOf(() => check(value))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: `Thing: "url" must be an absolute URL such as "https://api.example.com", not ${shown}`,
    })
  })

  it.each<[url: string, rules: object, message: string]>([
    ['https://api.example.com:99999', {}, 'Thing: "url" is not a URL: "https://api.example.com:99999"'],
    ['https://user@api.example.com', {}, 'Thing: "url" must not carry a user name or password'],
    ['https://:pass@api.example.com', {}, 'Thing: "url" must not carry a user name or password'],
    ['https://api.example.com/#a', {}, 'Thing: "url" must not have a fragment'],
    ['https://api.example.com/#', {}, 'Thing: "url" must not have a fragment'],
    ['https://api.example.com/?a', { identifier: true }, 'Thing: "url" must not have a query'],
    ['https://api.example.com/?', { identifier: true }, 'Thing: "url" must not have a query'],
  ])('refuses %s', (url, rules, message) => {
    expect(configErrorOf(() => check(url, rules))).toEqual({ code: 'ERR_MCP_AUTH_INVALID_OPTION', message })
  })
})

describe('isLoopback', () => {
  it.each(['localhost', 'a.localhost', '127.0.0.1', '127.255.255.254', '[::1]'])('takes %s', (host) => {
    expect(isLoopback(host)).toBe(true)
  })

  it.each([
    'localhost.',
    'localhost.example.com',
    'notlocalhost',
    '127.0.0.1.example.com',
    '0.0.0.0',
    '[::]',
    '128.0.0.1',
    '',
  ])('does not take %j', (host) => {
    expect(isLoopback(host)).toBe(false)
  })
})
