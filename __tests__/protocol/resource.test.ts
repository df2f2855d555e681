import { describe, expect, it } from '@jest/globals'
import { audienceMatches } from '../../lib/protocol/resource.js'

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
