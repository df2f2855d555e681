import { describe, expect, it } from '@jest/globals'
import { isClientIdUrl, refuseClientIdUrl } from '../../lib/protocol/client-id-url.js'

describe('isClientIdUrl', () => {
  it.each(['https://client.example.com/id', 'http://localhost/id', 'HTTPS://x', 'https://'])(
    'takes %s',
    (id) => {
      expect(isClientIdUrl(id)).toBe(true)
    },
  )

  it.each(['', 's6BhdRkqt3', 'https', 'https:/x', ' https://x', 'urn:https://x', 'ftp://x/y'])(
    'does not take %j',
    (id) => {
      expect(isClientIdUrl(id)).toBe(false)
    },
  )
})

describe('refuseClientIdUrl', () => {
  it.each([
    'https://claude.ai/oauth/mcp-oauth-client-metadata',
    'https://chatgpt.com/oauth/client.json',
    'https://vscode.dev/oauth/client-metadata.json',
    'https://client.example.com:8443/id',
    'https://client.example.com/a//b/',
    'https://client.example.com/%7Eid',
  ])('takes %s', (id) => {
    expect(refuseClientIdUrl(id, false)).toBeUndefined()
  })

  it.each(['http://localhost:3000/id', 'http://127.0.0.1/id', 'http://[::1]:3000/id'])(
    'takes %s while developing, and only then',
    (id) => {
      expect(refuseClientIdUrl(id, true)).toBeUndefined()
      expect(refuseClientIdUrl(id, false)).toBe('not https')
    },
  )

  const CANONICAL = 'not in its canonical form'

  it.each([
    ['s6BhdRkqt3', 'not a URL'],
    ['https://', 'not a URL'],
    ['http://client.example.com/id', 'not https'],
    ['ftp://client.example.com/id', 'not https'],
    ['file:///id', 'not https'],
    ['javascript:alert(1)', 'not https'],
    ['https://user@client.example.com/id', 'with a user name or password'],
    ['https://:pass@client.example.com/id', 'with a user name or password'],
    ['https://client.example.com/id#', 'with a fragment'],
    ['https://client.example.com/id#x', 'with a fragment'],
    ['https://client.example.com/id?', 'with a query'],
    ['https://client.example.com/id?a=b', 'with a query'],
    ['https://client.example.com/', 'without a path'],
    ['https://client.example.com', CANONICAL],
    ['https://client.example.com:443/id', CANONICAL],
    ['https://client.example.com/x/../id', CANONICAL],
    ['https://client.example.com/./id', CANONICAL],
    ['https://client.example.com/x/%2e%2e/id', CANONICAL],
    ['https://client.example.com/%2E/id', CANONICAL],
    ['https://CLIENT.example.com/id', CANONICAL],
    ['HTTPS://client.example.com/id', CANONICAL],
    ['https:client.example.com/id', CANONICAL],
    ['https:///client.example.com/id', CANONICAL],
    ['https://client.example.com\\id', CANONICAL],
    [' https://client.example.com/id', CANONICAL],
    ['https://client.example.com/id\n', CANONICAL],
    ['https://client.example.com/i d', CANONICAL],
    ['https://@client.example.com/id', CANONICAL],
    ['https://bücher.example/id', CANONICAL],
    ['https://client.example.com/ü', CANONICAL],
    ['https://0x7f.1/id', CANONICAL],
    ['https://①②⑦.0.0.1/id', CANONICAL],
    [`https://client.example.com/${'a'.repeat(2000)}`, 'longer than 2000 letters'],
  ])('S5 refuses %j', (id, why) => {
    expect(refuseClientIdUrl(id, true)).toBe(why)
    expect(refuseClientIdUrl(id, false)).toBe(why)
  })
})
