// Exchanging a user's token: what is asked, what of the answer is kept and for how long, and what a no is made of.
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type ExchangeTokenOptions, OAuthError, TokenExchangeError, exchangeToken } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { type Answer, type Json, type Stub, jsonAnswer, startStub } from '../support/issuer.js'

const SECRET = 'secret-of~the.app'
const GRAPH = 'https://graph.microsoft.com/User.Read'
const GOOD = { access_token: 'for-the-other-api', token_type: 'Bearer', expires_in: 3600 }

let service: Stub
let clock: TestClock
let counter = 0
/** One that no other test has exchanged. */
let subjectToken: string

beforeEach(async () => {
  service = await startStub(jsonAnswer(GOOD))
  clock = testClock()
  subjectToken = `token-of-the-user-${counter++}`
})

afterEach(() => service.close())

const exchange = (options: Partial<ExchangeTokenOptions> = {}): ReturnType<typeof exchangeToken> =>
  exchangeToken({
    tokenUrl: `${service.url}/token`,
    clientId: 'app:1',
    clientSecret: SECRET,
    subjectToken,
    deps: clock,
    ...options,
  })

const formOf = (index = 0): Record<string, string[]> => {
  const form = new URLSearchParams(service.requests[index]?.body)
  return Object.fromEntries([...form.keys()].map((name) => [name, form.getAll(name)]))
}

const refusalOf = async (options: Partial<ExchangeTokenOptions> = {}): Promise<unknown> =>
  exchange(options).then(
    (exchanged) => {
      throw new Error(`exchanged: ${JSON.stringify(exchanged)}`)
    },
    (error: unknown) => error,
  )

describe('exchangeToken asks', () => {
  it('as RFC 8693 2.1 has it, with the secret in a header', async () => {
    await exchange({
      audience: ['api', 'other'],
      resource: 'https://other.example',
      scopes: ['read', 'write'],
      requestedTokenType: 'urn:ietf:params:oauth:token-type:jwt',
      actorToken: 'token-of-the-actor',
      extraParams: { connection: 'c', grant_type: 'password', absent: undefined as never },
    })
    expect(service.requests).toMatchObject([{ method: 'POST', url: '/token' }])
    expect(service.requests[0]?.headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('app%3A1:secret-of%7Ethe.app').toString('base64')}`,
    })
    expect(formOf()).toEqual({
      grant_type: ['urn:ietf:params:oauth:grant-type:token-exchange'],
      subject_token: [subjectToken],
      subject_token_type: ['urn:ietf:params:oauth:token-type:access_token'],
      requested_token_type: ['urn:ietf:params:oauth:token-type:jwt'],
      audience: ['api', 'other'],
      resource: ['https://other.example'],
      actor_token: ['token-of-the-actor'],
      actor_token_type: ['urn:ietf:params:oauth:token-type:access_token'],
      scope: ['read write'],
      connection: ['c'],
    })
  })

  it('on behalf of the user as Entra has it, with the secret in the form', async () => {
    await exchange({ kind: 'on_behalf_of', scopes: [GRAPH] })
    expect(service.requests[0]?.headers).not.toHaveProperty('authorization')
    expect(formOf()).toEqual({
      grant_type: ['urn:ietf:params:oauth:grant-type:jwt-bearer'],
      requested_token_use: ['on_behalf_of'],
      assertion: [subjectToken],
      scope: [GRAPH],
      client_id: ['app:1'],
      client_secret: [SECRET],
    })
  })

  it.each<
    [rule: string, options: Partial<ExchangeTokenOptions>, inForm: Record<string, string[]>, basic: boolean]
  >([
    ['by name alone without a secret', { clientSecret: undefined }, { client_id: ['app:1'] }, false],
    [
      'by a form where that is said',
      { authMethod: 'client_secret_post' },
      { client_secret: [SECRET] },
      false,
    ],
    ['by name alone where that is said', { authMethod: 'none' }, { client_id: ['app:1'] }, false],
    [
      'by a header where that is said',
      { kind: 'on_behalf_of', scopes: ['a'], authMethod: 'client_secret_basic' },
      {},
      true,
    ],
  ])('%s', async (_rule, options, inForm, basic) => {
    await exchange(options)
    expect(formOf()).toMatchObject(inForm)
    expect('authorization' in (service.requests[0]?.headers ?? {})).toBe(basic)
  })

  it('with the token that stands behind the caller of a proxy', async () => {
    await exchange({ subjectToken: { getToken: async () => Promise.resolve(subjectToken) } })
    expect(formOf()).toMatchObject({ subject_token: [subjectToken] })
  })

  it('with a token of another kind where that is said', async () => {
    await exchange({ subjectTokenType: 'urn:ietf:params:oauth:token-type:id_token' })
    expect(formOf()).toMatchObject({ subject_token_type: ['urn:ietf:params:oauth:token-type:id_token'] })
  })
})

describe('exchangeToken resolves to', () => {
  const nowSeconds = (): number => Math.floor(clock.now() / 1000)

  it.each<[rule: string, answer: Json, expected: (seconds: number) => object]>([
    ['the token and its end', GOOD, (seconds) => ({ expiresAt: seconds + 3600, scopes: ['asked'] })],
    ['no end where none is told', { ...GOOD, expires_in: undefined }, () => ({ scopes: ['asked'] })],
    [
      'scopes as they are told',
      { ...GOOD, scope: 'a b' },
      (seconds) => ({ expiresAt: seconds + 3600, scopes: ['a', 'b'] }),
    ],
    [
      'what is no access token',
      { ...GOOD, token_type: 'N_A', issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag' },
      (seconds) => ({
        expiresAt: seconds + 3600,
        scopes: ['asked'],
        issuedTokenType: 'urn:ietf:params:oauth:token-type:id-jag',
      }),
    ],
  ])('%s', async (_rule, answer, expected) => {
    service.answer = jsonAnswer(answer)
    expect(await exchange({ scopes: ['asked'] })).toEqual({
      accessToken: 'for-the-other-api',
      ...expected(nowSeconds()),
    })
  })
})

describe('exchangeToken remembers', () => {
  it('a token until a minute before its end', async () => {
    const first = await exchange()
    clock.advance(3539)
    expect(await exchange()).toBe(first)
    expect(Object.isFrozen(first)).toBe(true)
    clock.advance(1)
    await exchange()
    expect(service.requests).toHaveLength(2)
  })

  it('a short one for half of its life', async () => {
    service.answer = jsonAnswer({ ...GOOD, expires_in: 10 })
    await exchange()
    clock.advance(4)
    await exchange()
    expect(service.requests).toHaveLength(1)
    clock.advance(1)
    await exchange()
    expect(service.requests).toHaveLength(2)
  })

  it.each<[rule: string, changes: Partial<ExchangeTokenOptions>]>([
    ['for another audience', { audience: 'other' }],
    ['for another resource', { resource: 'https://other.example' }],
    ['for other scopes', { scopes: ['other'] }],
    ['by another secret', { clientSecret: 'guessed' }],
    ['for another client', { clientId: 'app-2' }],
    ['for another user', { subjectToken: 'token-of-another-user' }],
    ['that was not to be remembered', { cache: false }],
  ])('no token %s', async (_rule, changes) => {
    await exchange()
    await exchange(changes)
    expect(service.requests).toHaveLength(2)
  })

  it('none whose end is not told', async () => {
    service.answer = jsonAnswer({ ...GOOD, expires_in: null })
    await exchange()
    await exchange()
    expect(service.requests).toHaveLength(2)
  })

  it('no refusal', async () => {
    service.answer = jsonAnswer({ error: 'invalid_grant' }, {}, 400)
    await refusalOf()
    service.answer = jsonAnswer(GOOD)
    expect(await exchange()).toMatchObject({ accessToken: 'for-the-other-api' })
  })

  it('nothing in vain: who asks the same at the same time is answered together', async () => {
    const answers = await Promise.all([exchange(), exchange(), exchange()])
    expect(new Set(answers).size).toBe(1)
    expect(service.requests).toHaveLength(1)
  })
})

describe('exchangeToken says of a no', () => {
  it.each<[code: string, words: string]>([
    ['invalid_grant', 'the user has to sign in again'],
    ['invalid_target', 'unknown there'],
    ['invalid_client', 'client ID or secret is wrong'],
    ['interaction_required', 'a second factor'],
    ['unsupported_grant_type', 'does not exchange tokens'],
  ])('%s what to do', async (code, words) => {
    service.answer = jsonAnswer({ error: code, error_description: 'Because.' }, {}, 400)
    const error = await refusalOf()
    expect(error).toBeInstanceOf(TokenExchangeError)
    expect(error).toMatchObject({ name: 'TokenExchangeError', code, claims: undefined })
    expect((error as Error).message).toContain(
      `${service.url}/token refused to exchange the token: ${code}. Because.`,
    )
    expect((error as Error).message).toContain(words)
  })

  it("Entra's number in plain words, with what it wants to be asked for", async () => {
    const claims = '{"access_token":{"acrs":{"essential":true,"value":"c1"}}}'
    const description = 'AADSTS50076: Due to a configuration change you must use multi-factor authentication.'
    service.answer = jsonAnswer(
      { error: 'interaction_required', error_description: description, claims },
      {},
      400,
    )
    const error = (await refusalOf({ kind: 'on_behalf_of', scopes: [GRAPH] })) as TokenExchangeError
    expect(error).toMatchObject({ code: 'interaction_required', claims })
    expect(error.message).toContain('the user has to pass multi-factor authentication')
  })

  it('a code of its own without advice', async () => {
    service.answer = jsonAnswer({ error: 'too_bad' }, {}, 400)
    expect(await refusalOf()).toMatchObject({
      message: `${service.url}/token refused to exchange the token: too_bad`,
    })
  })

  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    'P8 nothing that was secret, as it was sent by %s',
    async (authMethod) => {
      service.answer = (request, response, body) => {
        const description = `${request.headers.authorization ?? ''} ${body.slice(-60)}`
        response.writeHead(400, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ error: 'invalid_client', error_description: description }))
      }
      const { message } = (await refusalOf({ authMethod })) as TokenExchangeError
      expect(message).toContain('…')
      expect(decodeURIComponent(message)).not.toContain(SECRET)
      expect(message).not.toMatch(/Basic [\w+/]/)
    },
  )

  it('nothing that was secret', async () => {
    const secrets = [subjectToken, SECRET, 'token-of-the-actor']
    service.answer = jsonAnswer({ error: `bad ${subjectToken}`, error_description: secrets.join() }, {}, 400)
    const error = (await refusalOf({ actorToken: 'token-of-the-actor' })) as TokenExchangeError
    expect(error).toBeInstanceOf(TokenExchangeError)
    for (const secret of secrets) expect(error.message + error.code).not.toContain(secret)
  })
})

describe('exchangeToken calls an outage an outage:', () => {
  it.each<[rule: string, answer: Answer]>([
    ['a failing service', jsonAnswer({ error: 'server_error' }, {}, 500)],
    ['an error with its status', jsonAnswer({ error: 'invalid_request' }, {}, 503)],
    ['too many requests', jsonAnswer({ error: 'whatever' }, {}, 429)],
    ['an error that passes', jsonAnswer({ error: 'temporarily_unavailable' }, {}, 400)],
    ['a page', (_request, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<p>')],
    ['no token', jsonAnswer({ token_type: 'Bearer' })],
    ['a token that is bound to a key', jsonAnswer({ ...GOOD, token_type: 'DPoP' })],
    ['a redirect', (_request, response) => response.writeHead(302, { location: '/' }).end()],
    ['no answer', (request) => request.socket.destroy()],
  ])('%s', async (_rule, answer) => {
    service.answer = answer
    const error = (await refusalOf()) as OAuthError
    expect(error).toBeInstanceOf(OAuthError)
    expect(error).toMatchObject({ code: 'temporarily_unavailable', status: 503, retryAfterSeconds: 1 })
    expect(error.message).toBe('The identity provider cannot exchange a token right now, try again shortly')
    expect(error.detail).toContain(`${service.url}/token`)
    expect(error.detail).not.toContain(subjectToken)
  })

  it('an answer that does not come in time', async () => {
    service.answer = () => {
      clock.advance(10)
    }
    expect(await refusalOf()).toMatchObject({ code: 'temporarily_unavailable' })
  })
})

describe('exchangeToken refuses', () => {
  it.each<[rule: string, options: object, code: string, message: string]>([
    ['no URL', { tokenUrl: undefined }, 'MISSING_OPTION', '"tokenUrl" is missing'],
    ['http', { tokenUrl: 'http://idp.example/token' }, 'INSECURE_URL', 'must be an https URL'],
    ['no client', { clientId: undefined }, 'MISSING_OPTION', '"clientId" is missing'],
    ['no token', { subjectToken: undefined }, 'MISSING_OPTION', 'getAccessToken().upstream'],
    ['a blank token', { subjectToken: ' ' }, 'INVALID_OPTION', 'not blank'],
    ['an AccessToken', { subjectToken: { token: 't' } }, 'INVALID_OPTION', 'getAccessToken().token'],
    ['an unknown kind', { kind: 'obo' }, 'INVALID_OPTION', '"token_exchange" or "on_behalf_of"'],
    ['no scopes on behalf of', { kind: 'on_behalf_of' }, 'MISSING_OPTION', '"scopes" is missing'],
    [
      'an audience on behalf of',
      { kind: 'on_behalf_of', scopes: ['a'], audience: 'b' },
      'INVALID_OPTION',
      '"audience" must be left out',
    ],
    ['an unknown method', { authMethod: 'private_key_jwt' }, 'INVALID_OPTION', '"authMethod" must be'],
    [
      'a method without a secret',
      { authMethod: 'client_secret_post', clientSecret: undefined },
      'INVALID_OPTION',
      'none where there is no client secret',
    ],
    [
      'parameters that are no text',
      { extraParams: { a: 1 } },
      'INVALID_OPTION',
      '"extraParams": "a" must be',
    ],
    ['an unknown option', { scope: 'a' }, 'UNKNOWN_OPTION', 'Did you mean "scopes"?'],
  ])('%s', async (_rule, options, code, message) => {
    expect(await refusalOf(options)).toMatchObject({
      code: `ERR_MCP_AUTH_${code}`,
      message: expect.stringContaining(message),
    })
    expect(service.requests).toEqual([])
  })
})
