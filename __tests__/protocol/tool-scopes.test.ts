import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  type ToolScopes,
  parseToolScopes,
  readOperations,
  refuseRoutingHeaders,
  scopesOfOperations,
} from '../../lib/protocol/tool-scopes.js'
import { configErrorOf } from '../support/config-error.js'

const call = (name: unknown): object => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: {} },
})
const read = (uri: string): object => ({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri } })
const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
const response = { jsonrpc: '2.0', id: 1, result: {} }

const needed = (body: unknown, scopes: ToolScopes): string[] => {
  const operations = readOperations(body)
  if ('refused' in operations) throw new Error(operations.refused)
  return scopesOfOperations(operations.operations, parseToolScopes('mcpAuth.toolScopes', scopes))
}

describe('parseToolScopes', () => {
  it('takes an empty map, and one of every kind', () => {
    expect(needed(list, {})).toEqual([])
    const scopes = {
      tools: { a: ['t'] },
      resources: {},
      prompts: { p: [] },
      methods: { 'tools/list': ['m'] },
    }
    expect(needed([list, call('a')], scopes)).toEqual(['m', 't'])
  })

  it('takes scopes as one text', () => {
    expect(needed(call('a'), { tools: { a: 'x y' as never } })).toEqual(['x', 'y'])
  })

  it.each<[rule: string, scopes: unknown, code: string, message: string]>([
    [
      'a kind that there is not',
      { tool: {} },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'mcpAuth.toolScopes has no option "tool". Did you mean "tools"?',
    ],
    [
      'a kind in the singular',
      { resource: {} },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'mcpAuth.toolScopes has no option "resource". Did you mean "resources"?',
    ],
    [
      'tools that were put on the top level',
      { delete_note: ['a'] },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'mcpAuth.toolScopes has no option "delete_note". Known: tools, resources, prompts, methods',
    ],
    [
      'a list of tools',
      { tools: ['a'] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth.toolScopes: "tools" must be an object such as { name: ["scope"] }',
    ],
    [
      'null',
      { prompts: null },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth.toolScopes: "prompts" must be an object such as { name: ["scope"] }',
    ],
    [
      'text',
      { methods: 'a' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth.toolScopes: "methods" must be an object such as { name: ["scope"] }',
    ],
    [
      'a scope that is none',
      { tools: { a: ['x y'] } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth.toolScopes.tools: "a" must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'a flag instead of scopes',
      { tools: { a: true } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth.toolScopes.tools: "a" must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'scopes that are null',
      { tools: { a: null } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth.toolScopes.tools: "a" must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'scopes that are undefined, as by a typo in a constant: the tool would stand open',
      { tools: { a: undefined } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth.toolScopes.tools: "a" must be a list of scopes, [] for none',
    ],
  ])('refuses %s', (_rule, scopes, code, message) => {
    expect(configErrorOf(() => parseToolScopes('mcpAuth.toolScopes', scopes))).toEqual({ code, message })
  })
})

describe('readOperations', () => {
  const listen = (notifications: unknown): object => ({
    method: 'subscriptions/listen',
    params: { notifications },
  })
  const complete = (ref: unknown): object => ({
    method: 'completion/complete',
    params: { ref, argument: {} },
  })

  it.each<[rule: string, body: unknown, operations: string[][]]>([
    ['a call', call('delete_note'), [['tools/call', 'tools delete_note']]],
    ['a prompt', { method: 'prompts/get', params: { name: 'p' } }, [['prompts/get', 'prompts p']]],
    ['a resource', read('file:///a'), [['resources/read', 'resources file:///a']]],
    [
      'a subscription',
      { method: 'resources/subscribe', params: { uri: 'a:b' } },
      [['resources/subscribe', 'resources a:b']],
    ],
    [
      'its end',
      { method: 'resources/unsubscribe', params: { uri: 'a:b' } },
      [['resources/unsubscribe', 'resources a:b']],
    ],
    [
      'subscriptions to several resources',
      listen({ resourceSubscriptions: ['a:b', 'c:d'] }),
      [['subscriptions/listen', 'resources a:b', 'resources c:d']],
    ],
    ['subscriptions to none', listen({ toolsListChanged: true }), [['subscriptions/listen']]],
    ['subscriptions without anything', { method: 'subscriptions/listen' }, [['subscriptions/listen']]],
    [
      'a completion for a prompt',
      complete({ type: 'ref/prompt', name: 'p' }),
      [['completion/complete', 'prompts p']],
    ],
    [
      'a completion for a resource',
      complete({ type: 'ref/resource', uri: 'a:{b}' }),
      [['completion/complete', 'resources a:{b}']],
    ],
    [
      'a method without a target, whatever its parameters are',
      { method: 'tools/list', params: { name: 7 } },
      [['tools/list']],
    ],
    ['a notification', { method: 'notifications/initialized' }, [['notifications/initialized']]],
    ['a method called constructor', { method: 'constructor' }, [['constructor']]],
    ['a response, which asks for nothing', response, []],
    ['an error response', { jsonrpc: '2.0', id: 1, error: { code: 1, message: '' } }, []],
    ['a batch, responses left out', [call('a'), response, list], [['tools/call', 'tools a'], ['tools/list']]],
    ['an empty batch', [], []],
  ])('reads %s', (_rule, body, operations) => {
    const found = readOperations(body)
    if ('refused' in found) throw new Error(found.refused)
    const described = found.operations.map(({ method, targets }) => [
      method,
      ...targets.map(({ kind, name }) => `${kind} ${name}`),
    ])
    expect(described).toEqual(operations)
  })

  it.each<[rule: string, body: unknown, refused: string]>([
    ['text', 'tools/call', 'The body is not a JSON-RPC message'],
    ['null', null, 'The body is not a JSON-RPC message'],
    ['a number', 7, 'The body is not a JSON-RPC message'],
    ['nothing', undefined, 'The body is not a JSON-RPC message'],
    ['a batch within a batch', [[call('a')]], 'The body is not a JSON-RPC message'],
    ['a batch with null in it', [call('a'), null], 'The body is not a JSON-RPC message'],
    ['a method that is a list', { method: ['tools/call'] }, 'The JSON-RPC method is not a string'],
    ['a method that is null', { method: null }, 'The JSON-RPC method is not a string'],
    ['a call without parameters', { method: 'tools/call' }, 'tools/call does not say what it is for'],
    [
      'a call whose parameters are null',
      { method: 'tools/call', params: null },
      'tools/call does not say what it is for',
    ],
    [
      'a call whose parameters are a list',
      { method: 'tools/call', params: ['a'] },
      'tools/call does not say what it is for',
    ],
    ['a call by a list of names', call(['delete_note']), 'tools/call does not say what it is for'],
    ['a call by an object', call({}), 'tools/call does not say what it is for'],
    [
      'a resource without a URI',
      { method: 'resources/read', params: { name: 'a' } },
      'resources/read does not say what it is for',
    ],
    [
      'subscriptions that are no list',
      listen({ resourceSubscriptions: 'a:b' }),
      'subscriptions/listen does not say what it is for',
    ],
    [
      'subscriptions with something else among them',
      listen({ resourceSubscriptions: ['a:b', {}] }),
      'subscriptions/listen does not say what it is for',
    ],
    ['a completion for nothing', complete(undefined), 'completion/complete does not say what it is for'],
    ['a completion for null', complete(null), 'completion/complete does not say what it is for'],
    [
      'a completion for a number and a resource',
      complete({ name: 7, uri: 'a:b' }),
      'completion/complete does not say what it is for',
    ],
    [
      'a completion for a prompt and a number',
      complete({ name: 'p', uri: 7 }),
      'completion/complete does not say what it is for',
    ],
    [
      'a completion by a number',
      complete({ type: 'ref/resource', uri: 7 }),
      'completion/complete does not say what it is for',
    ],
    ['a bad message behind a good one', [call('a'), call(7)], 'tools/call does not say what it is for'],
  ])('refuses %s', (_rule, body, refused) => {
    expect(readOperations(body)).toEqual({ refused })
  })
})

describe('scopesOfOperations', () => {
  const scopes: ToolScopes = {
    tools: {
      delete_note: ['notes:write'],
      'admin_*': ['admin'],
      admin_read: ['admin:read'],
      'admin_users_*': ['users'],
      free: [],
    },
    resources: { 'file:///secret': ['s'], 'https://api.example.com/data': ['d'], 'db://*': ['db'] },
    prompts: { delete_note: ['prompts'] },
    methods: { 'tools/call': ['tools'], 'resources/*': ['resources'] },
  }

  it.each<[rule: string, body: unknown, needs: string[]]>([
    ['names the scopes of method and target', call('delete_note'), ['tools', 'notes:write']],
    ['names only those of the method for a target without a rule', call('other'), ['tools']],
    ['does not mix kinds', { method: 'prompts/get', params: { name: 'delete_note' } }, ['prompts']],
    ['takes an exact name before a pattern', call('admin_read'), ['tools', 'admin:read']],
    ['takes a pattern for every name with that beginning', call('admin_x'), ['tools', 'admin']],
    ['takes a pattern for the beginning itself', call('admin_'), ['tools', 'admin']],
    ['takes the longest of several patterns', call('admin_users_delete'), ['tools', 'users']],
    ['compares names as they are spelled', call('DELETE_NOTE'), ['tools']],
    ['lets an empty list of scopes stand for none', call('free'), ['tools']],
    ['takes patterns for methods', { method: 'resources/list' }, ['resources']],
    [
      'adds up a batch, each scope once',
      [call('delete_note'), call('admin_x'), read('db://a')],
      ['tools', 'notes:write', 'admin', 'resources', 'db'],
    ],
    ['asks nothing of a response', response, []],
    ['asks nothing where no rule fits', list, []],
  ])('%s', (_rule, body, needs) => {
    expect(needed(body, scopes)).toEqual(needs)
  })

  it('takes a star alone for every name', () => {
    expect(needed([call('a'), call('')], { tools: { '*': ['x'], a: [] } })).toEqual(['x'])
    expect(needed(list, { methods: { '*': ['x'] } })).toEqual(['x'])
  })

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'knows no rule for a tool called %s',
    (name) => {
      expect(needed(call(name), scopes)).toEqual(['tools'])
    },
  )

  it.each(['constructor', '__proto__'])('keeps a rule for a tool called %s', (name) => {
    const tools = Object.fromEntries([[name, ['x']]])
    expect(needed(call(name), { tools })).toEqual(['x'])
  })

  it.each([
    'file:///secret',
    'FILE:///secret',
    'file:/secret',
    'file://localhost/secret',
    'file:///a/../secret',
    'file:///a/%2e%2e/secret',
    'file:///./secret',
    ' file:///secret ',
    'file:///sec\nret',
    'fi\tle:///secret',
    'file:\\\\\\secret',
  ])('finds the rule for a resource also where its URI is spelled %j', (uri) => {
    expect(needed(read(uri), scopes)).toEqual(['resources', 's'])
  })

  it.each([
    'https://api.example.com:443/data',
    'HTTPS://API.EXAMPLE.COM/data',
    'https://api%2Eexample.com/data',
  ])('finds it also for %j', (uri) => {
    expect(needed(read(uri), scopes)).toEqual(['resources', 'd'])
  })

  it.each([
    ['HTTPS://API.example.com/data', 'https://api.example.com/data'],
    ['https://api.example.com', 'https://api.example.com/'],
    ['https://api.example.com:443/*', 'https://api.example.com/data'],
  ])('finds the rule %j for %j: it is the rule that is spelled otherwise', (rule, uri) => {
    expect(needed(read(uri), { resources: { [rule]: ['d'] } })).toEqual(['d'])
  })

  it.each([
    'file:///%73ecret',
    'file:///secre%74',
    'file:///secret?',
    'file:///secret?a=b',
    'file:///secret#a',
    'FILE:///a/%2E%2e/%73ecret?a#b',
  ])('finds it for %j too: a server may decode it, or drop what follows the path', (uri) => {
    expect(needed(read(uri), scopes)).toContain('s')
  })

  it('lets no rule in another spelling take a rule away', () => {
    const rules = { 'file:///secret': ['admin'], 'file:///secret?preview': [], 'FILE:///secret#a': ['other'] }
    expect(needed(read('file:///secret'), { resources: rules })).toContain('admin')
    expect(needed(read('file:///secret?preview=1'), { resources: rules })).toContain('admin')
  })

  it('asks for the scopes of prompt and resource where a completion names both', () => {
    const ref = { type: 'ref/prompt', name: 'delete_note', uri: 'x:y' }
    expect(needed({ method: 'completion/complete', params: { ref } }, scopes)).toEqual(['prompts'])
  })

  it('asks for the scopes of every resource that is subscribed to', () => {
    const notifications = { resourceSubscriptions: ['db://a', 'FILE:///secret'] }
    expect(needed({ method: 'subscriptions/listen', params: { notifications } }, scopes)).toEqual(['db', 's'])
  })

  it.each([
    'file:///secretx',
    'file:///SECRET',
    'https://api.example.com/data/',
    'urn:x',
    'no uri',
    'https://[/data',
    'file:///%zz',
    'file:///%73ecret%',
  ])('finds none for %j', (uri) => {
    expect(needed(read(uri), scopes)).toEqual(['resources'])
  })

  it('holds a batch to all that its messages need one by one', () => {
    const name = fc.constantFrom('delete_note', 'admin_read', 'admin_users_x', 'free', 'other', 'constructor')
    fc.assert(
      fc.property(fc.array(name), (names) => {
        const together = needed(names.map(call), scopes)
        expect(together).toEqual([...new Set(names.flatMap((one) => needed(call(one), scopes)))])
      }),
    )
  })
})

describe('refuseRoutingHeaders', () => {
  const refuse = (body: unknown, method?: string, name?: string): string | undefined => {
    const operations = readOperations(body)
    if ('refused' in operations) throw new Error(operations.refused)
    return refuseRoutingHeaders(operations.operations, method, name)
  }

  it.each<[rule: string, body: unknown, method: string | undefined, name: string | undefined]>([
    ['none', call('a'), undefined, undefined],
    ['headers that say what the body says', call('a'), 'tools/call', 'a'],
    ['a URI as name', read('file:///a'), 'resources/read', 'file:///a'],
    ['a method without a name', list, 'tools/list', undefined],
    [
      'a name beyond ASCII, encoded',
      call('löschen'),
      'tools/call',
      `=?base64?${Buffer.from('löschen').toString('base64')}?=`,
    ],
    ['an encoding in other letters', call('a'), undefined, '=?BASE64?YQ==?='],
    ['a batch of one and the same', [call('a'), call('a')], 'tools/call', 'a'],
    ['anything beside a response', response, 'tools/call', 'a'],
    ['a name where the method has none', list, undefined, 'a'],
  ])('takes %s', (_rule, body, method, name) => {
    expect(refuse(body, method, name)).toBeUndefined()
  })

  const METHOD = 'The Mcp-Method header does not agree with the body'
  const NAME = 'The Mcp-Name header does not agree with the body'

  it.each<
    [rule: string, body: unknown, method: string | undefined, name: string | undefined, refused: string]
  >([
    ['another method', call('a'), 'tools/list', 'a', METHOD],
    ['a method in other letters', call('a'), 'Tools/Call', 'a', METHOD],
    ['an empty method', call('a'), '', undefined, METHOD],
    ['a batch of several methods', [call('a'), list], 'tools/call', undefined, METHOD],
    ['another name', call('a'), 'tools/call', 'b', NAME],
    ['an empty name', call('a'), undefined, '', NAME],
    ['a batch of several names', [call('a'), call('b')], 'tools/call', 'a', NAME],
    ['another name, encoded', call('a'), undefined, '=?base64?Yg==?=', NAME],
    ['the encoded text of something else', call('=?base64?YQ==?='), undefined, '=?base64?YQ==?=', NAME],
  ])('refuses %s', (_rule, body, method, name, refused) => {
    expect(refuse(body, method, name)).toBe(refused)
  })
})
