// Attacks on the authorization endpoint: threat rows A1 to A16. Who is not known gets a page, and nobody is sent where no client registered.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import fc from 'fast-check'
import {
  type Answer,
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  answerOf,
  pkce,
  startAuthorizationSite,
} from '../support/authorization-server.js'
import { formOf } from '../support/browser-session.js'
import { startServer } from '../support/site.js'

const WEB = 'https://app.example.com/oauth/callback'
const QUERIED = 'https://app.example.com/cb?tenant=a%2Fb&iss=https%3A%2F%2Fevil.example&code=x&state=y'
const { challenge } = pkce()

let site: AuthorizationSite
/** Registered by itself, with a URI on loopback and one on the web. */
let client: Registered
let outgoing: string[]

beforeAll(async () => {
  outgoing = []
  site = await startAuthorizationSite({
    clients: [
      { clientId: 'reader', redirectUris: [WEB], scopes: ['notes:read'] },
      { clientId: 'queried', redirectUris: [QUERIED] },
      {
        clientId: 'robot',
        clientSecret: 'a secret that nobody guesses',
        redirectUris: [WEB],
        grantTypes: ['client_credentials'],
      },
    ],
    deps: {
      fetch: (input) => {
        outgoing.push(String(input instanceof Request ? input.url : input))
        return Promise.reject(new TypeError('no network'))
      },
    },
  })
  client = await site.register({ redirect_uris: [REDIRECT_URI, WEB] })
})
afterAll(() => site.close())

type Pairs = readonly (readonly [string, string])[]

/** A request with nothing wrong in it, as pairs: some are replaced, left out, or come again. */
function ordinary(more: Record<string, string | undefined> = {}): [string, string][] {
  const parameters = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: WEB,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'a state',
    scope: 'notes:read',
    ...more,
  }
  return Object.entries(parameters).filter((pair): pair is [string, string] => pair[1] !== undefined)
}

function send(query: string | Pairs, init: RequestInit = {}): Promise<Answer> {
  const text = typeof query === 'string' ? query : new URLSearchParams(query as [string, string][]).toString()
  return fetch(`${site.url}/authorize?${text}`, { redirect: 'manual', ...init }).then(answerOf)
}

/** PAGE: 400 and HTML that names the reason, and no way anywhere. */
function expectPage(answer: Answer, reason: string): void {
  expect(answer).toMatchObject({ status: 400, body: expect.stringContaining(`<code>400 ${reason}</code>`) })
  expect(answer.headers.get('location')).toBeNull()
  expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('refresh')).toBeNull()
  expect(answer.body).not.toMatch(/http-equiv="refresh"/i)
  expect(answer.headers.getSetCookie()).toEqual([])
}

/** RE(error): on to the registered URI, with each of error, state and issuer once. */
function expectSent(
  answer: Answer,
  error: string,
  redirectUri = WEB,
  state: string | null = 'a state',
): void {
  const location = answer.headers.get('location') ?? ''
  expect({ status: answer.status, body: answer.body }).toEqual({ status: 302, body: '' })
  expect(location.slice(0, redirectUri.length + 1)).toBe(`${redirectUri}?`)
  const sent = [...new URLSearchParams(location.slice(redirectUri.length + 1))]
  const said = sent.filter(([name]) => name !== 'error_description')
  const stated = state === null ? [] : [['state', state]]
  expect(said).toEqual([['error', error], ...stated, ['iss', site.issuer]])
  expect(answer.headers.get('cache-control')).toBe('no-store')
  expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
  expect(answer.headers.getSetCookie()).toEqual([])
}

/** A request that goes on to the page where somebody signs in. */
function expectAsked(answer: Answer): void {
  expect(answer.status).toBe(302)
  expect(answer.headers.get('location')).toMatch(new RegExp(`^${site.url}/sign-in\\?transaction=[\\w-]{24}$`))
}

test('an ordinary request goes on to the page where somebody signs in', async () => {
  expectAsked(await send(ordinary()))
})

test('a request may come as a form, and the way on is then 303', async () => {
  const body = new URLSearchParams(ordinary())
  const answer = await answerOf(
    await fetch(`${site.url}/authorize`, { method: 'POST', body, redirect: 'manual' }),
  )
  expect(answer.status).toBe(303)
  expect(answer.headers.get('location')).toMatch(new RegExp(`^${site.url}/sign-in\\?transaction=`))
})

describe('A1 nobody is sent anywhere before client and address are known to belong together', () => {
  test.each([
    ['an unknown client', { client_id: 'stranger' }, 'unknown_client'],
    ['a client ID of the right form', { client_id: 'A'.repeat(24) }, 'unknown_client'],
    ['no client', { client_id: undefined }, 'malformed_request'],
    ['an empty client', { client_id: '' }, 'malformed_request'],
    ['a client named like a member of every object', { client_id: 'constructor' }, 'unknown_client'],
    ['a client named __proto__', { client_id: '__proto__' }, 'unknown_client'],
    ['an address that is not registered', { redirect_uri: 'https://evil.example/' }, 'redirect_uri_mismatch'],
    ['no address, even where only one is registered', { redirect_uri: undefined }, 'malformed_request'],
    ['an empty address', { redirect_uri: '' }, 'malformed_request'],
    ["another client's address", { client_id: 'queried' }, 'redirect_uri_mismatch'],
  ])('A1 %s is a page, whatever else is wrong', async (_, wrong, reason) => {
    expectPage(await send(ordinary(wrong)), reason)
    expectPage(await send(ordinary({ ...wrong, response_type: 'token', scope: '"', prompt: 'none' })), reason)
  })

  test('A1 what is asked for appears on the page as text', async () => {
    const { body } = await send(ordinary({ redirect_uri: 'https://a.example/"><script>alert(1)</script>' }))
    expect(body).toContain('https://a.example/&#34;&#62;&#60;script&#62;')
    expect(body).not.toContain('<script')
  })

  test('A1 the operator is told why', async () => {
    const from = site.events.length
    await send(ordinary({ redirect_uri: 'https://evil.example/' }))
    expect(site.events.slice(from)).toEqual([
      {
        type: 'authorization.refused',
        error: 'redirect_uri_mismatch',
        detail: 'This client did not register https://evil.example/',
      },
    ])
  })
})

describe('A2 an address is compared letter by letter', () => {
  test.each([
    'https://app.example.com@evil.example/oauth/callback',
    'https://evil.example@app.example.com/oauth/callback',
    'https://user:password@app.example.com/oauth/callback',
    'https://app.example.com\\@evil.example/oauth/callback',
    'https://evil.example\\.app.example.com/oauth/callback',
    'https://app.example.com/oauth/callback#',
    'https://app.example.com/oauth/callback#/evil',
    'https://app.example.com/oauth/callback?',
    'https://app.example.com/oauth/callback?next=https://evil.example',
    'https://app.example.com/oauth/callback/',
    'https://app.example.com/oauth/callback/..',
    'https://app.example.com/oauth/../oauth/callback',
    'https://app.example.com/oauth/x/%2e%2e/callback',
    'https://app.example.com/oauth/./callback',
    'https://app.example.com/%6fauth/callback',
    'https://app.example.com//oauth/callback',
    'https://app.example.com/OAuth/callback',
    'https://APP.example.com/oauth/callback',
    'HTTPS://app.example.com/oauth/callback',
    'http://app.example.com/oauth/callback',
    'https://app.example.com:443/oauth/callback',
    'https://app.example.com:8443/oauth/callback',
    'https://app.example.com./oauth/callback',
    'https://app.example.com.evil.example/oauth/callback',
    'https://www.app.example.com/oauth/callback',
    'https://аpp.example.com/oauth/callback',
    'https://xn--pp-7lc.example.com/oauth/callback',
    'https://app.example.com/oauth/call\tback',
    'https://app.example.com/oauth/callback\n',
    ' https://app.example.com/oauth/callback',
    'https:app.example.com/oauth/callback',
    'https:/app.example.com/oauth/callback',
    '//app.example.com/oauth/callback',
    '/oauth/callback',
    'javascript:alert(1)//https://app.example.com/oauth/callback',
    'https://app.example.com/oauth/callback\0',
  ])('A2 %j is a page', async (redirectUri) => {
    expectPage(await send(ordinary({ redirect_uri: redirectUri })), 'redirect_uri_mismatch')
  })

  test('A2 no change of a registered address is ever followed', async () => {
    const letters = fc.constantFrom(
      ...'/\\@:?#.%&=;,+ -_~\t\r\n\0aé%2e2F'.split(''),
      '%2e',
      '%00',
      '//',
      '..',
      '%0d%0a',
    )
    const mutated = fc
      .tuple(fc.nat(WEB.length), fc.nat(3), fc.array(letters, { maxLength: 4 }))
      .map(([at, cut, inserted]) => WEB.slice(0, at) + inserted.join('') + WEB.slice(at + cut))
      .filter((uri) => uri !== WEB && uri !== '')
    await fc.assert(
      fc.asyncProperty(mutated, async (redirectUri) => {
        const answer = await send(ordinary({ redirect_uri: redirectUri }))
        expect([answer.status, answer.headers.get('location')]).toEqual([400, null])
      }),
      { numRuns: 300 },
    )
  })
})

describe('A3 on loopback only the port may differ', () => {
  test.each([
    'http://127.0.0.1:5555/callback',
    'http://127.0.0.1/callback',
    'http://127.0.0.1:65535/callback',
  ])('A3 %s is the registered address on another port, and answered there', async (redirectUri) => {
    expectAsked(await send(ordinary({ redirect_uri: redirectUri })))
    expectSent(
      await send(ordinary({ redirect_uri: redirectUri, response_type: 'token' })),
      'unsupported_response_type',
      redirectUri,
    )
  })

  test.each([
    'http://localhost:33418/callback',
    'http://[::1]:33418/callback',
    'http://0.0.0.0:33418/callback',
    'http://127.0.0.2:33418/callback',
    'http://127.1:33418/callback',
    'http://2130706433:33418/callback',
    'http://127.0.0.1.evil.example:33418/callback',
    'http://127.0.0.1@evil.example:33418/callback',
    'http://127.0.0.1:33418@evil.example/callback',
    'http://127.0.0.1:33418/other',
    'http://127.0.0.1:33418/callback/',
    'http://127.0.0.1:33418/callback?a=b',
    'http://127.0.0.1:33418/callback#a',
    'http://127.0.0.1:99999/callback',
    'http://127.0.0.1:0/callback',
    'http://127.0.0.1:033418/callback',
    'http://127.0.0.1:/callback',
    'http://127.0.0.1:+33418/callback',
    'https://127.0.0.1:33418/callback',
    'HTTP://127.0.0.1:33418/callback',
  ])('A3 %s is a page', async (redirectUri) => {
    expectPage(await send(ordinary({ redirect_uri: redirectUri })), 'redirect_uri_mismatch')
  })

  test('A3 an address on the web keeps its port', async () => {
    expectPage(
      await send(ordinary({ redirect_uri: 'https://app.example.com:5555/oauth/callback' })),
      'redirect_uri_mismatch',
    )
  })
})

describe('A4 an address that runs in the browser cannot be registered', () => {
  test.each([
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    ' javascript:alert(1)',
    'java\tscript:alert(1)',
    'java\nscript:alert(1)',
    '\u0001javascript:alert(1)',
    'javascript://app.example.com/%0aalert(1)',
    'javascript&colon;alert(1)',
    'data:text/html,<script>alert(1)</script>',
    'DATA:text/html;base64,PHNjcmlwdD4=',
    'vbscript:msgbox(1)',
    'blob:https://app.example.com/1',
    'file:///etc/passwd',
    'view-source:https://app.example.com/',
    'about:blank',
    'ftp://app.example.com/',
    'intent://app#Intent;scheme=https;end',
  ])('A4 %j is refused with invalid_redirect_uri', async (redirectUri) => {
    const response = await fetch(`${site.url}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' }),
    })
    const { status, headers, body } = await answerOf(response)
    expect([status, body, headers.get('cache-control')]).toEqual([
      400,
      { error: 'invalid_redirect_uri', error_description: expect.any(String) },
      'no-store',
    ])
  })
})

describe('A6 a parameter comes once', () => {
  test.each(['client_id', 'redirect_uri'])('A6 a repeated %s is a page', async (name) => {
    const pairs = ordinary()
    const again = pairs.find(([known]) => known === name) as [string, string]
    expectPage(await send([...pairs, again]), 'malformed_request')
    expectPage(await send([[name, 'https://evil.example/'], ...pairs]), 'malformed_request')
  })

  test.each(['scope', 'response_type', 'code_challenge', 'code_challenge_method', 'prompt', 'anything'])(
    'A6 a repeated %s is told to the client',
    async (name) => {
      const pairs: Pairs = [...ordinary(), [name, 'a'], [name, 'b']]
      expectSent(await send(pairs), 'invalid_request')
    },
  )

  test('A6 of a repeated state none is sent back', async () => {
    expectSent(await send([...ordinary(), ['state', 'another']]), 'invalid_request', WEB, null)
  })

  test('A6 the resource may be repeated', async () => {
    const resource = `${site.url}/mcp`
    expectAsked(await send([...ordinary(), ['resource', resource], ['resource', resource]]))
  })
})

describe('A7 what a framework would make an object of is a name like any other', () => {
  test.each([
    ['client_id[]', 'malformed_request'],
    ['client_id[x]', 'malformed_request'],
    ['client_id[__proto__]', 'malformed_request'],
  ])('A7 %s is not the client', async (name, reason) => {
    expectPage(await send([...ordinary({ client_id: undefined }), [name, client.client_id]]), reason)
  })

  test.each(['redirect_uri[]', 'redirect_uri[0]', 'redirect_uri[toString]'])(
    'A7 %s is not the address',
    async (name) => {
      expectPage(await send([...ordinary({ redirect_uri: undefined }), [name, WEB]]), 'malformed_request')
    },
  )

  test('A7 beside the real ones such names change nothing', async () => {
    expectAsked(
      await send([...ordinary(), ['client_id[]', 'evil'], ['__proto__[x]', 'y'], ['constructor', 'z']]),
    )
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  test.each(['%', '%zz', 'client_id=%ff%fe', `a=b&`.repeat(60), 'client_id=%C0%80&redirect_uri=%E0%A4'])(
    'A7 the query %j is a page',
    async (query) => {
      expectPage(await send(query), 'malformed_request')
    },
  )

  test('A7 no query at all ends in anything but a page or a registered address', async () => {
    const name = fc.oneof(
      fc.constantFrom(
        'client_id',
        'redirect_uri',
        'state',
        'scope',
        'prompt',
        'resource',
        'response_type',
        'request_uri',
      ),
      fc.string({ maxLength: 12 }),
    )
    const value = fc.oneof(
      fc.constantFrom(
        '',
        'code',
        'none',
        'login',
        WEB,
        REDIRECT_URI,
        'queried',
        'reader',
        '\uFFFD',
        '%',
        '[]',
      ),
      fc.string({ unit: 'binary', maxLength: 40 }),
    )
    const pairs = fc.array(fc.tuple(name, value), { maxLength: 8 })
    await fc.assert(
      fc.asyncProperty(pairs, fc.boolean(), async (extra, complete) => {
        const { status, headers } = await send([...(complete ? ordinary() : []), ...extra])
        const location = headers.get('location')
        if (location === null) expect(status).toBe(400)
        else {
          expect(status).toBe(302)
          expect([`${site.url}/sign-in?`, `${WEB}?`].some((start) => location.startsWith(start))).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })
})

describe('A8 only codes, and only in the query', () => {
  test.each(['token', 'id_token', 'code token', 'none', 'CODE', 'code '])(
    'A8 response_type %j is unsupported',
    async (responseType) => {
      expectSent(await send(ordinary({ response_type: responseType })), 'unsupported_response_type')
    },
  )

  test('A8 without a response_type the request is invalid', async () => {
    expectSent(await send(ordinary({ response_type: undefined })), 'invalid_request')
  })

  test.each(['fragment', 'form_post', 'query.jwt', 'web_message', 'Query'])(
    'A8 response_mode %s is refused, in the query',
    async (responseMode) => {
      expectSent(await send(ordinary({ response_mode: responseMode })), 'invalid_request')
    },
  )

  test('A8 response_mode query says what is so anyway', async () => {
    expectAsked(await send(ordinary({ response_mode: 'query' })))
  })

  test('A8 a client for client_credentials gets no codes', async () => {
    expectSent(await send(ordinary({ client_id: 'robot' })), 'unauthorized_client')
  })
})

describe('A9 every client sends an S256 challenge', () => {
  test.each([
    ['no challenge', { code_challenge: undefined, code_challenge_method: undefined }],
    ['a method without a challenge', { code_challenge: undefined }],
    ['no method, which means plain', { code_challenge_method: undefined }],
    ['the method plain', { code_challenge_method: 'plain' }],
    ['another spelling of the method', { code_challenge_method: 's256' }],
    ['a challenge that is too short', { code_challenge: challenge.slice(1) }],
    ['a challenge that is too long', { code_challenge: `${challenge}a` }],
    ['a challenge in base64', { code_challenge: `${'+'.repeat(42)}=` }],
    ['an empty challenge', { code_challenge: '' }],
  ])('A9 %s is an invalid request', async (_, wrong) => {
    expectSent(await send(ordinary(wrong)), 'invalid_request')
    expectSent(await send(ordinary({ ...wrong, client_id: 'reader' })), 'invalid_request')
  })
})

describe('A11 the state comes back byte for byte', () => {
  test.each([
    '%+&=ü',
    'a b+c',
    '"><script>',
    'a\r\nSet-Cookie: a=b',
    '\0',
    '💥',
    '{"a":[1]}',
    'x'.repeat(2048),
  ])('A11 %j', async (state) => {
    expectSent(
      await send(ordinary({ state, response_type: 'token' })),
      'unsupported_response_type',
      WEB,
      state,
    )
  })

  test('A11 whatever it is made of', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 60 }), async (state) => {
        fc.pre(!state.includes('\uFFFD'))
        expectSent(
          await send(ordinary({ state, response_type: 'token' })),
          'unsupported_response_type',
          WEB,
          state,
        )
      }),
      { numRuns: 100 },
    )
  })

  test('A11 with a code too', async () => {
    const state = '%+&=ü'
    const { params } = await site.authorize(client, { state })
    expect(params.getAll('state')).toEqual([state])
  })

  test.each(['x'.repeat(2049), 'ü'.repeat(1025)])(
    'A11 of more than 2048 bytes it is a page',
    async (state) => {
      expectPage(await send(ordinary({ state })), 'malformed_request')
    },
  )

  test.each([undefined, ''])('A11 without one, none comes back', async (state) => {
    expectSent(
      await send(ordinary({ state, response_type: 'token' })),
      'unsupported_response_type',
      WEB,
      null,
    )
  })
})

describe('A12 the issuer is there exactly once', () => {
  test('A12 where the address has an issuer of its own, an error carries ours', async () => {
    const answer = await send(
      ordinary({ client_id: 'queried', redirect_uri: QUERIED, response_type: 'token' }),
    )
    const location = new URL(answer.headers.get('location') ?? '')
    expect(
      location.href.startsWith('https://app.example.com/cb?tenant=a%2Fb&error=unsupported_response_type&'),
    ).toBe(true)
    expect(location.searchParams.getAll('iss')).toEqual([site.issuer])
    expect(location.searchParams.getAll('state')).toEqual(['a state'])
    expect(location.searchParams.has('code')).toBe(false)
  })

  test('A12 where the address has an issuer and a code of its own, the answer carries ours', async () => {
    const request = new URLSearchParams(ordinary({ client_id: 'queried', redirect_uri: QUERIED }))
    const destination = 'https://app.example.com/cb?'
    const back = await site.browser().grant(`${site.url}/authorize?${request.toString()}`, destination, 'ada')
    const params = back.searchParams
    expect(params.getAll('iss')).toEqual([site.issuer])
    expect(params.getAll('code')).toEqual([expect.stringMatching(/^[\w-]{24}\.[\w-]{43}$/)])
    expect(params.getAll('state')).toEqual(['a state'])
    expect(params.getAll('tenant')).toEqual(['a/b'])
  })

  test('A12 the answer to a decision names the issuer of the metadata', async () => {
    const { params } = await site.authorize(client)
    const metadata = (await (await fetch(`${site.url}/.well-known/oauth-authorization-server`)).json()) as {
      issuer: string
      authorization_response_iss_parameter_supported: boolean
    }
    expect([...params.keys()].toSorted()).toEqual(['code', 'iss', 'state'])
    expect(params.get('iss')).toBe(metadata.issuer)
    expect(metadata.authorization_response_iss_parameter_supported).toBe(true)
  })
})

describe('A13 tokens are asked for this resource only', () => {
  test.each([
    'https://evil.example/mcp',
    'http://127.0.0.1/mcp',
    'mcp',
    'urn:mcp',
    'https://api.example.com/mcp',
  ])('A13 the resource %s is an invalid target', async (resource) => {
    expectSent(await send(ordinary({ resource })), 'invalid_target')
    expectSent(
      await send([...ordinary({ resource: `${site.url}/mcp` }), ['resource', resource]]),
      'invalid_target',
    )
  })

  test.each(['/mcp/evil', '/mcp%2f', '/other', '/mcp#a', '/MCP', '//mcp', ''])(
    'A13 so is %j of this host',
    async (path) => {
      expectSent(await send(ordinary({ resource: site.url + path })), 'invalid_target')
    },
  )

  test.each(['/mcp', '/mcp/', '/mcp?session=1'])('A13 %s is how clients write ours', async (path) => {
    expectAsked(await send(ordinary({ resource: site.url + path })))
  })
})

describe('A14 a client asks for what it may have', () => {
  const reader = { client_id: 'reader' }

  test('A14 a scope beyond its ceiling is an invalid scope', async () => {
    expectSent(await send(ordinary({ ...reader, scope: 'notes:read notes:write' })), 'invalid_scope')
    expectSent(await send(ordinary({ ...reader, scope: 'notes:write' })), 'invalid_scope')
  })

  test('A14 with nothing asked for, the defaults are cut to its ceiling', async () => {
    const { code, verifier } = await site.authorize(reader, { redirect_uri: WEB })
    const form = { grant_type: 'authorization_code', client_id: 'reader', code, code_verifier: verifier }
    expect(await site.post('/token', form)).toMatchObject({ status: 200, body: { scope: 'notes:read' } })
  })

  test('A14 unknown scopes are left out, and never granted', async () => {
    const tokens = await site.signIn(client, { scope: 'claudeai notes:read admin *' })
    expect(tokens.scope).toBe('notes:read')
  })

  test('A14 where only unknown ones are asked for, the defaults hold', async () => {
    const tokens = await site.signIn(client, { scope: 'claudeai' })
    expect(tokens.scope).toBe('notes:read notes:write')
  })
})

describe('A15 a request by reference is not followed', () => {
  test('A15 request_uri is not supported, and nobody fetches it', async () => {
    let connections = 0
    const listener = await startServer((_request, response) => {
      connections++
      response.end()
    })
    try {
      expectSent(
        await send(ordinary({ request_uri: `${listener.url}/request.jwt` })),
        'request_uri_not_supported',
      )
      expectSent(
        await send(ordinary({ request_uri: 'urn:ietf:params:oauth:request_uri:a' })),
        'request_uri_not_supported',
      )
      expect([connections, outgoing]).toEqual([0, []])
    } finally {
      await listener.close()
    }
  })

  test('A15 request is not supported', async () => {
    expectSent(await send(ordinary({ request: 'eyJhbGciOiJub25lIn0.e30.' })), 'request_not_supported')
  })
})

describe('A16 a form is not sent on', () => {
  test('A16 the answers to every form are 303, and hold nothing of it', async () => {
    const browser = site.browser()
    const begun = await browser.request(`${site.url}/authorize`, Object.fromEntries(ordinary()))
    const { fields } = await formAt(begun.headers.get('location') ?? '')
    const signedIn = await browser.request(`${site.url}/sign-in`, {
      ...fields,
      username: 'ada',
      password: 'ada!',
    })
    const consent = await formAt(signedIn.headers.get('location') ?? '')
    const decided = await browser.request(`${site.url}/consent`, { ...consent.fields, decision: 'allow' })

    expect([begun.status, signedIn.status, decided.status]).toEqual([303, 303, 303])
    expect(decided.headers.get('location')).toMatch(new RegExp(`^${WEB}\\?code=`))
    expect(signedIn.headers.get('location')).not.toContain('ada')

    async function formAt(url: string): Promise<{ fields: Readonly<Record<string, string>> }> {
      const response = await browser.request(url)
      return formOf({ html: await response.text(), url: new URL(url) })
    }
  })

  test('A16 an error after a form is 303 too', async () => {
    const body = new URLSearchParams(ordinary({ response_type: 'token' }))
    const response = await fetch(`${site.url}/authorize`, { method: 'POST', body, redirect: 'manual' })
    expect(response.status).toBe(303)
    expect(response.headers.get('location')).toContain('error=unsupported_response_type')
  })
})

describe('M3 no other origin reads what is shown to a person', () => {
  test.each(['/authorize', '/sign-in', '/sign-out', '/consent', '/connections'])(
    'M3 %s answers no preflight and allows no reading',
    async (path) => {
      const headers = { origin: 'https://evil.example', 'access-control-request-method': 'POST' }
      const preflight = await fetch(site.url + path, { method: 'OPTIONS', headers })
      const read = await fetch(site.url + path, { method: 'POST', headers, redirect: 'manual' })
      for (const response of [preflight, read]) {
        const names = [...response.headers.keys()].filter((name) => name.startsWith('access-control'))
        expect(names).toEqual([])
      }
    },
  )
})

describe('M1 no address comes from the request', () => {
  test('M1 a forged Host changes neither the pages nor the issuer', async () => {
    const query = new URLSearchParams(ordinary()).toString()
    const answer = await site.raw(
      `GET /authorize?${query} HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n\r\n`,
    )
    expect(answer).toContain(`Location: ${site.url}/sign-in?transaction=`)
    expect(answer).not.toContain('evil.example')
  })
})
