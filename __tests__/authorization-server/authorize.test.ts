import { beforeAll, describe, expect, it } from '@jest/globals'
import { checkAuthorization, wantsSignIn } from '../../lib/authorization-server/authorize.js'
import { parseParameters } from '../../lib/protocol/parameters.js'
import { REDIRECT_URI, pkce } from '../support/authorization-server.js'
import { BASE_URL, type TestServer, createServer } from '../support/server.js'

const { challenge } = pkce()
const GOOD = {
  response_type: 'code',
  client_id: 'app',
  redirect_uri: REDIRECT_URI,
  code_challenge: challenge,
  code_challenge_method: 'S256',
  state: 'a state',
}

let test: TestServer

beforeAll(() => {
  test = createServer({
    clients: [
      { clientId: 'app', redirectUris: [REDIRECT_URI] },
      { clientId: 'limited', redirectUris: [REDIRECT_URI], scopes: ['read'] },
      {
        clientId: 'service',
        clientSecret: 'x',
        redirectUris: [REDIRECT_URI],
        grantTypes: ['client_credentials'],
      },
    ],
  })
})

/** `undefined` leaves a parameter out; `more` is put behind. */
const check = (
  changes: Readonly<Record<string, string | undefined>> = {},
  more = '',
): ReturnType<typeof checkAuthorization> => {
  const present = Object.entries({ ...GOOD, ...changes }).filter(([, value]) => value !== undefined)
  const query = new URLSearchParams(present).toString()
  return checkAuthorization(parseParameters(query + more), test.server, test.report)
}

describe('checkAuthorization', () => {
  it('takes a request with nothing wrong in it', async () => {
    expect(await check({ scope: 'read', resource: `${BASE_URL}/mcp` })).toEqual({
      client: expect.objectContaining({ clientId: 'app' }),
      request: {
        clientId: 'app',
        redirectUri: REDIRECT_URI,
        state: 'a state',
        scopes: ['read'],
        challenge,
        prompt: undefined,
        namesResource: true,
      },
    })
  })

  it('takes what may be left out', async () => {
    const outcome = await check({ state: undefined, response_mode: 'query' })
    expect(outcome).toMatchObject({ request: { scopes: ['read', 'write'] } })
  })

  it.each([
    ['no client', { client_id: undefined }, '', 'malformed_request', '"client_id" is missing'],
    ['an unknown client', { client_id: 'nobody' }, '', 'unknown_client', 'There is no client nobody'],
    ['two clients', {}, '&client_id=app', 'malformed_request', '"client_id" is there more than once'],
    ['two redirect URIs', {}, `&redirect_uri=${REDIRECT_URI}`, 'malformed_request', '"redirect_uri" is there more than once'],
    ['no redirect URI', { redirect_uri: undefined }, '', 'malformed_request', '"redirect_uri" is missing'],
    ['another redirect URI', { redirect_uri: 'https://evil.example/' }, '', 'redirect_uri_mismatch', 'This client did not register https://evil.example/'],
    ['a long state', { state: 'ü'.repeat(1025) }, '', 'malformed_request', '"state" is longer than 2048 bytes'],
  ] as const)('A1 shows a page for %s', async (_name, changes, more, page, detail) => {
    expect(await check(changes, more)).toEqual({ page, detail })
  }) // prettier-ignore

  it.each<[string, string, Record<string, string | undefined>, string, string]>([
    ['A6', 'a parameter twice', {}, '&scope=read&scope=write', 'invalid_request'],
    ['A15', 'a request object', { request: 'a.b.c' }, '', 'request_not_supported'],
    ['A15', 'a request URI', { request_uri: 'https://evil.example' }, '', 'request_uri_not_supported'],
    ['A8', 'no response type', { response_type: undefined }, '', 'invalid_request'],
    ['A8', 'tokens', { response_type: 'token' }, '', 'unsupported_response_type'],
    ['A8', 'another response mode', { response_mode: 'fragment' }, '', 'invalid_request'],
    ['T11', 'a client without this grant', { client_id: 'service' }, '', 'unauthorized_client'],
    ['A9', 'no challenge', { code_challenge: undefined }, '', 'invalid_request'],
    ['A9', 'no method', { code_challenge_method: undefined }, '', 'invalid_request'],
    ['A9', 'the method plain', { code_challenge_method: 'plain' }, '', 'invalid_request'],
    ['A9', 'a short challenge', { code_challenge: 'x' }, '', 'invalid_request'],
    ['A13', 'another resource', { resource: 'https://other.example' }, '', 'invalid_target'],
    ['A14', 'a scope beyond the client', { client_id: 'limited', scope: 'write' }, '', 'invalid_scope'],
    ['A8', 'prompt none and login', { prompt: 'none login' }, '', 'invalid_request'],
  ])('%s tells the client of %s', async (_id, _name, changes, more, code) => {
    expect(await check(changes, more)).toEqual({
      redirectUri: REDIRECT_URI,
      state: 'a state',
      error: expect.objectContaining({ code }),
    })
  }) // prettier-ignore

  it('A6 tells no state where there are two', async () => {
    expect(await check({}, '&state=another')).toMatchObject({ state: undefined, error: { code: 'invalid_request' } }) // prettier-ignore
  })

  it('reads what a client wants people to be asked', async () => {
    const prompts = ['none', 'login', 'select_account', 'consent', 'login consent', 'create', '']
    const read = await Promise.all(
      prompts.map(async (prompt) => {
        const outcome = await check({ prompt })
        return 'request' in outcome ? outcome.request.prompt : 'refused'
      }),
    )
    expect(read).toEqual(['none', 'login', 'select_account', 'consent', 'login', undefined, undefined])
  })

  it('G7 an outage is no refusal', async () => {
    test.store.before = () => {
      throw new Error('away')
    }
    await expect(check({ client_id: 'x'.repeat(24) })).rejects.toThrow('away')
    test.store.before = undefined
  })

  it('lets a mistake of ours through to whoever answers for it', async () => {
    const broken = { get: () => 'app', all: () => [], has: () => toss(new TypeError('ours')), repeated: [] }
    const parameters = { ...broken, get: (name: string) => GOOD[name as keyof typeof GOOD] }
    await expect(checkAuthorization(parameters as never, test.server, test.report)).rejects.toThrow('ours')
  })
})

function toss(error: Error): never {
  throw error
}

describe('wantsSignIn', () => {
  it('is true where somebody has to sign in anew, or as somebody else', async () => {
    const wanted = async (prompt?: string): Promise<boolean> => {
      const outcome = await check({ prompt })
      if (!('request' in outcome)) throw new Error('the request is refused')
      return wantsSignIn(outcome.request)
    }
    expect(await Promise.all(['login', 'consent login', 'select_account'].map(wanted))).toEqual([true, true, true]) // prettier-ignore
    expect(await Promise.all(['consent', 'none', undefined].map(wanted))).toEqual([false, false, false])
  })
})
