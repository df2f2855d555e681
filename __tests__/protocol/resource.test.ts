import { describe, expect, it } from '@jest/globals'
import { audienceMatches, meansResource } from '../../lib/protocol/resource.js'

const MCP = 'https://api.example.com/mcp'

describe('audienceMatches', () => {
  it.each<[aud: unknown, accepted: readonly string[]]>([
    [MCP, [MCP]],
    [['https://other.example', MCP], [MCP]],
    [MCP, ['https://other.example', MCP]],
  ])('takes %j for %j', (aud, accepted) => {
    expect(audienceMatches(aud, accepted)).toBe(true)
  })

  it.each<[rule: string, aud: unknown]>([
    ['none', undefined],
    ['a slash too many', `${MCP}/`],
    ['the origin', 'https://api.example.com'],
    ['a longer path', `${MCP}/tools`],
    ['other letters', MCP.toUpperCase()],
    ['text that contains it', `${MCP} https://other.example`],
    ['an empty list', []],
    ['a list of others', ['https://other.example', `${MCP}/`]],
    ['a list within a list', [[MCP]]],
    ['an object', { [MCP]: true }],
    ['an object that has it as text', { toString: () => MCP }],
    ['a list of something else', [1, null, { aud: MCP }]],
  ])('takes no audience that is %s: it is compared byte for byte', (_rule, aud) => {
    expect(audienceMatches(aud, [MCP])).toBe(false)
  })

  it('takes none where none is accepted', () => {
    expect(audienceMatches(MCP, [])).toBe(false)
  })
})

describe('meansResource', () => {
  it.each([
    [MCP, MCP],
    ['https://API.Example.COM/mcp', MCP],
    ['HTTPS://api.example.com/mcp', MCP],
    ['https://api.example.com:443/mcp', MCP],
    [MCP, 'https://api.example.com:443/mcp'],
    ['http://localhost:80/mcp', 'http://localhost/mcp'],
    [`${MCP}/`, MCP],
    [MCP, `${MCP}/`],
    ['https://api.example.com/', 'https://api.example.com'],
    ['https://api.example.com', 'https://api.example.com/'],
    [`${MCP}?utm_source=a`, MCP],
    [`${MCP}/?`, MCP],
    ['https://api.example.com:8443/mcp/', 'https://api.example.com:8443/mcp'],
    ['http://[::1]:3000/mcp/', 'http://[::1]:3000/mcp'],
    [`${MCP}/?tenant=a`, `${MCP}?tenant=a`],
    ['urn:example:mcp', 'urn:example:mcp'],
  ])('takes %s for %s', (requested, resource) => {
    expect(meansResource(requested, resource)).toBe(true)
  })

  it.each([
    '',
    'urn:example:mcp',
    'api.example.com/mcp',
    'http://api.example.com/mcp',
    'https://api.example.com',
    'https://api.example.com/',
    'https://api.example.com/MCP',
    'https://api.example.com/mcp2',
    `${MCP}/tools`,
    `${MCP}//`,
    'https://api.example.com//mcp',
    'https://api.example.com/x/../mcp',
    'https://api.example.com/%6Dcp',
    `${MCP}#`,
    `${MCP}#x`,
    `${MCP}?a#x`,
    'https://api.example.com:80/mcp',
    'https://api.example.com:0443/mcp',
    'https://api.example.com:8443/mcp',
    'https://api.example.com:/mcp',
    'https://api.example.com./mcp',
    'https://user@api.example.com/mcp',
    'https://api.example.com\\mcp',
    'https://api.example.com@evil.example/mcp',
    'https://evil.example/mcp',
    `${MCP}\n`,
    ` ${MCP}`,
  ])('A13 does not take %j for it', (requested) => {
    expect(meansResource(requested, MCP)).toBe(false)
  })

  it('A13 overlooks no query where the resource has one', () => {
    expect(meansResource(MCP, `${MCP}?tenant=a`)).toBe(false)
    expect(meansResource(`${MCP}?tenant=b`, `${MCP}?tenant=a`)).toBe(false)
  })

  it('compares resources that are no web addresses letter by letter', () => {
    expect(meansResource('https://api.example.com/mcp', 'urn:example:mcp')).toBe(false)
    expect(meansResource('urn:example:MCP', 'urn:example:mcp')).toBe(false)
  })
})
