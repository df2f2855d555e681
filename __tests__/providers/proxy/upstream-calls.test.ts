import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { UpstreamRefusal, type UpstreamTokens } from '../../../lib/authorization-server/upstream.js'
import type { UpstreamDescription } from '../../../lib/providers/proxy/description.js'
import { type Answer, jsonAnswer } from '../../support/issuer.js'
import { createRecorder } from '../../support/recorder.js'
import {
  CLIENT_ID,
  CLIENT_SECRET,
  REDIRECT_URI,
  TRIP,
  type TokenEndpoint,
  bytesAnswer,
  startTokenEndpoint,
} from '../../support/token-endpoint.js'

const VERIFIER = { verifyToken: () => null }
const TOKENS = { accessToken: 'old-access', refreshToken: 'old-refresh' }
const SECRETS = [
  CLIENT_SECRET,
  encodeURIComponent(CLIENT_SECRET),
  TRIP.verifier,
  'code-of-the-trip',
  TOKENS.refreshToken,
  TOKENS.accessToken,
]

let idp: TokenEndpoint

beforeEach(async () => {
  idp = await startTokenEndpoint()
})

afterEach(() => idp.close())

const PLAIN: Partial<UpstreamDescription> = { identification: { by: 'access_token', verifier: VERIFIER } }

function exchange(
  changes: Partial<UpstreamDescription> = {},
  callback: URLSearchParams = idp.callback(),
  trip: Partial<typeof TRIP> = {},
): Promise<UpstreamTokens> {
  const client = idp.client({ ...PLAIN, ...changes })
  return client.exchange(callback, { ...TRIP, ...trip }, REDIRECT_URI, createRecorder().context)
}

function refresh(
  changes: Partial<UpstreamDescription> = {},
  tokens: UpstreamTokens = TOKENS,
  resource?: string,
): Promise<UpstreamTokens> {
  const origin = { scopes: ['openid', 'read', 'offline_access'], resource }
  return idp.client({ ...PLAIN, ...changes }).refresh(tokens, origin, createRecorder().context)
}

/** What was thrown, whatever it is. */
async function thrownBy(asked: Promise<unknown>): Promise<Error> {
  const thrown = await asked.then(
    () => new Error('nothing was thrown'),
    (error: unknown) => error as Error,
  )
  for (const secret of SECRETS) {
    expect(thrown.message).not.toContain(secret)
    expect(String((thrown as UpstreamRefusal).code)).not.toContain(secret)
  }
  return thrown
}

async function refusalOf(asked: Promise<unknown>): Promise<{ code: string; message: string }> {
  const thrown = await thrownBy(asked)
  if (!(thrown instanceof UpstreamRefusal)) throw new Error(`no refusal: ${thrown.message}`)
  return { code: thrown.code, message: thrown.message }
}

async function outageOf(asked: Promise<unknown>): Promise<string> {
  const thrown = await thrownBy(asked)
  if (thrown instanceof UpstreamRefusal) throw new Error(`a refusal: ${thrown.code}`)
  return thrown.message
}

describe('the exchange of a code', () => {
  it('sends the code, where it was sent, and the verifier', async () => {
    expect(await exchange()).toMatchObject({ accessToken: 'upstream-access' })
    expect(idp.asked()).toMatchObject([
      {
        method: 'POST',
        url: '/token',
        headers: {
          accept: 'application/json',
          'content-type': 'application/x-www-form-urlencoded;charset=UTF-8',
        },
      },
    ])
    expect(idp.form()).toEqual({
      grant_type: 'authorization_code',
      code: 'code-of-the-trip',
      redirect_uri: REDIRECT_URI,
      code_verifier: TRIP.verifier,
    })
  })

  it('sends no verifier where we use none', async () => {
    await exchange({ usesPkce: false })
    expect(idp.form()).not.toHaveProperty('code_verifier')
  })

  it('sends what options add, the resource and scopes, where it is told to', async () => {
    const tokenParams = {
      audience: 'https://api.example.com',
      grant_type: 'evil',
      code: 'evil',
      redirect_uri: 'evil',
    }
    const resource = 'https://api.example.com/mcp'
    await exchange(
      { tokenParams, tokenScopes: 'always', extraScopes: ['email', 'api://other/x'] },
      undefined,
      { resource },
    )
    expect(idp.form()).toMatchObject({
      audience: 'https://api.example.com',
      resource,
      scope: 'openid read email',
    })
    expect(Object.values(idp.form())).not.toContain('evil')
    await exchange({ tokenScopes: 'refresh', forwardsResource: false }, undefined, { resource })
    expect(Object.keys(idp.form())).toEqual(['redirect_uri', 'code', 'code_verifier', 'grant_type'])
  })

  it('P8 puts nothing secret into a URL', async () => {
    await exchange()
    for (const { url } of idp.asked()) for (const secret of SECRETS) expect(url).not.toContain(secret)
  })

  it.each<[rule: string, clientId: string, clientSecret: string, pair: string]>([
    ['as they are', CLIENT_ID, CLIENT_SECRET, `${CLIENT_ID}:${CLIENT_SECRET}`],
    ['with a colon', 'a:p', 's:t', 'a%3Ap:s%3At'],
    ['with percent signs', 'a%70p', '%', 'a%2570p:%25'],
    ['beyond ASCII', 'café', 'ключ', 'caf%C3%A9:%D0%BA%D0%BB%D1%8E%D1%87'],
  ])('FM 8.1.6 shows ID and secret form-encoded: %s', async (_rule, clientId, clientSecret, pair) => {
    await exchange({ clientId, clientSecret })
    const [scheme, encoded] = String(idp.asked()[0]?.headers['authorization']).split(' ')
    expect([scheme, Buffer.from(String(encoded), 'base64').toString()]).toEqual(['Basic', pair])
    expect(idp.form()).not.toHaveProperty('client_secret')
  })

  it('shows the secret in the body where it has to', async () => {
    await exchange({ authMethod: 'client_secret_post' })
    expect(idp.form()).toMatchObject({ client_id: CLIENT_ID, client_secret: CLIENT_SECRET })
    expect(idp.asked()[0]?.headers).not.toHaveProperty('authorization')
  })

  it.each(['none', 'client_secret_basic', 'client_secret_post'] as const)(
    'FM 8.1.6 of a public client shows no secret, and no header: %s',
    async (authMethod) => {
      await exchange({ authMethod, clientSecret: undefined })
      expect(idp.form()).toMatchObject({ client_id: CLIENT_ID })
      expect(idp.form()).not.toHaveProperty('client_secret')
      expect(idp.asked()[0]?.headers).not.toHaveProperty('authorization')
    },
  )

  it('shows no secret where the app is public, even if there is one', async () => {
    await exchange({ authMethod: 'none' })
    expect(idp.asked()[0]?.headers).not.toHaveProperty('authorization')
    expect(idp.asked()[0]?.body).not.toContain(CLIENT_SECRET)
  })
})

describe('what the browser brought back', () => {
  it.each<[rule: string, iss: string | undefined, sendsIssuer: boolean]>([
    ['names the identity provider', 'same', true],
    ['names it unasked', 'same', false],
    ['names none where none was promised', undefined, false],
  ])('is taken where it %s', async (_rule, iss, sendsIssuer) => {
    const callback = idp.callback({ iss: iss && idp.url })
    expect(await exchange({ endpoints: { ...idp.endpoints, sendsIssuer } }, callback)).toHaveProperty(
      'accessToken',
    )
  })

  it.each<[rule: string, changes: Record<string, string | undefined>, sendsIssuer: boolean]>([
    ['of another identity provider', { iss: 'https://evil.example.com' }, false],
    ['of another, where this one promised to say', { iss: 'https://evil.example.com' }, true],
    ['of nobody, where it promised to say', {}, true],
    ['of nobody by name, where it promised to say', { iss: '' }, true],
    [
      'that is a no of another',
      { iss: 'https://evil.example.com', code: undefined, error: 'access_denied' },
      false,
    ],
  ])('P3 is refused %s, and no code is sent anywhere (RFC 9207)', async (_rule, changes, sendsIssuer) => {
    const asked = exchange({ endpoints: { ...idp.endpoints, sendsIssuer } }, idp.callback(changes))
    const { code, message } = await refusalOf(asked)
    expect(code).toBe('invalid_response')
    expect(message).toMatch(/^the browser came back with what is no response to us: .*iss/)
    expect(idp.asked()).toEqual([])
  })

  it.each([[undefined], ['https://login.example.com/{tid}/v2.0']])(
    'is not held against an issuer that is not one: %s',
    async (issuer) => {
      const endpoints = { ...idp.endpoints, issuer, sendsIssuer: true }
      const named = idp.callback({ iss: 'https://any.example.com' })
      expect(await exchange({ endpoints }, named)).toHaveProperty('accessToken')
      expect(await exchange({ endpoints })).toHaveProperty('accessToken')
    },
  )

  it.each<[rule: string, change: (callback: URLSearchParams) => void]>([
    ['of another trip', (callback) => callback.set('state', 'other')],
    ['of no trip', (callback) => callback.delete('state')],
    ['with two states', (callback) => callback.append('state', 'other')],
    ['without a code', (callback) => callback.delete('code')],
    ['with an empty code', (callback) => callback.set('code', '')],
    ['with two codes', (callback) => callback.append('code', 'other')],
    ['with two issuers', (callback) => { callback.append('iss', idp.url); callback.append('iss', idp.url) }],
    ['with an ID token', (callback) => callback.set('id_token', 'x')],
    ['that is a JWT', (callback) => callback.set('response', 'x')],
  ])('P1 is refused %s', async (_rule, change) => {
    const callback = idp.callback()
    change(callback)
    expect(await refusalOf(exchange({}, callback))).toMatchObject({ code: 'invalid_response' })
    expect(idp.asked()).toEqual([])
  }) // prettier-ignore

  it('may be a no, and says why to operators', async () => {
    const callback = idp.callback({
      code: undefined,
      error: 'access_denied',
      error_description: 'The user\nsaid no',
    })
    const explain = (error: string, description: string): string =>
      `Explained: ${error}, ${description.length}`
    expect(await refusalOf(exchange({ explain }, callback))).toEqual({
      code: 'access_denied',
      message:
        'the identity provider refused signing in: access_denied. The user said no. Explained: access_denied, 16',
    })
    expect(idp.asked()).toEqual([])
  })

  it('P2 may not be a no to another trip', async () => {
    const callback = idp.callback({ code: undefined, error: 'access_denied', state: 'other' })
    expect(await refusalOf(exchange({}, callback))).toMatchObject({ code: 'invalid_response' })
  })

  it.each([['temporarily_unavailable'], ['server_error'], ['login_required'], ['AADSTS65004']])(
    'may be a no by the code %s',
    async (error) => {
      expect(await refusalOf(exchange({}, idp.callback({ code: undefined, error })))).toMatchObject({
        code: error,
      })
    },
  )

  it.each([['"quoted"'], ['x'.repeat(101)], ['zeilen\numbruch'], [CLIENT_SECRET], [TRIP.verifier]])(
    'has no code that is none, and quotes no secret: %j',
    async (error) => {
      const callback = idp.callback({ code: undefined, error, error_description: `It was ${CLIENT_SECRET}` })
      expect(await refusalOf(exchange({}, callback))).toMatchObject({ code: 'unknown_error' })
    },
  )
})

const page = bytesAnswer('<html>down</html>', 'text/html')

const OUTAGES: readonly (readonly [rule: string, answer: Answer])[] = [
  ['500', jsonAnswer({}, {}, 500)],
  ['500 with a definite error', jsonAnswer({ error: 'invalid_grant' }, {}, 500)],
  ['503', bytesAnswer('', undefined, 503)],
  ['429', jsonAnswer({ error: 'invalid_grant' }, {}, 429)],
  ['408', bytesAnswer('', undefined, 408)],
  ['a page', page],
  ['a page of a gateway', bytesAnswer('<html>', 'text/html', 502)],
  ['a page that forbids', bytesAnswer('<html>', 'text/html', 403)],
  ['nothing at all', bytesAnswer('', undefined, 204)],
  ['success without a token', jsonAnswer({ ok: true })],
  ['a token of another type', jsonAnswer({ access_token: 'a', token_type: 'DPoP' })],
  ['broken JSON', bytesAnswer(`{"access_token":"${CLIENT_SECRET}"`, 'application/json')],
  ['no UTF-8', bytesAnswer(Buffer.from([0xff, 0xfe, 0x00]), 'application/json')],
  ['too much', bytesAnswer(`{"access_token":"${'x'.repeat(600 * 1024)}"}`, 'application/json')],
  ['a redirect', bytesAnswer('', undefined, 307, { location: '/elsewhere' })],
  ['a word that it will pass', jsonAnswer({ error: 'temporarily_unavailable' }, {}, 400)],
  ['another word that it will pass', jsonAnswer({ error: 'server_error' })],
  ['a broken connection', (_request, response) => response.destroy()],
]

describe('F5 an outage while a code is exchanged', () => {
  it.each(OUTAGES)('is one: %s', async (_rule, answer) => {
    idp.answers.set('/token', answer)
    expect(await outageOf(exchange())).toMatch(/^the identity provider /)
    expect(idp.asked()).toHaveLength(1)
  })

  it('is one: no answer in time', async () => {
    const arrived = new Promise<void>((resolve) => {
      idp.answers.set('/token', () => {
        resolve()
      })
    })
    const asked = exchange({ timeoutSeconds: 3 })
    await arrived
    idp.clock.advance(3)
    expect(await outageOf(asked)).toBe(
      'the identity provider gave no usable answer: no complete answer within 3 s',
    )
  })
})

describe('F5 a no while a code is exchanged', () => {
  it.each<[rule: string, error: string, status: number, code: string]>([
    ['the code', 'invalid_grant', 400, 'invalid_grant'],
    ['the client', 'invalid_client', 401, 'invalid_client'],
    ['the app', 'unauthorized_client', 400, 'unauthorized_client'],
    ['the request', 'invalid_request', 400, 'invalid_request'],
    ['the resource', 'invalid_target', 400, 'invalid_target'],
    ['the scopes', 'invalid_scope', 400, 'invalid_scope'],
    ['the code, by success', 'bad_verification_code', 200, 'invalid_grant'],
    ['the client, by success', 'incorrect_client_credentials', 200, 'invalid_client'],
    ['something, by success', 'redirect_uri_mismatch', 200, 'redirect_uri_mismatch'],
  ])('is final: %s', async (_rule, error, status, code) => {
    const description = `Not ${TRIP.verifier} with code-of-the-trip of ${CLIENT_SECRET}`
    const headers = { 'www-authenticate': 'Basic realm="x"' }
    idp.answers.set('/token', jsonAnswer({ error, error_description: description }, headers, status))
    expect(await refusalOf(exchange())).toEqual({
      code,
      message: `the identity provider refused exchanging a code (${status}): ${code}. Not … with … of …`,
    })
  })

  it('quotes not even half a secret where its words are cut', async () => {
    const description = `${'x'.repeat(290)} ${CLIENT_SECRET}`
    idp.answers.set(
      '/token',
      jsonAnswer({ error: 'invalid_client', error_description: description }, {}, 401),
    )
    const { message } = await refusalOf(exchange())
    expect(message).toMatch(/\. x{290} …$/)
  })

  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    'P8 quotes no secret as it was sent: %s',
    async (authMethod) => {
      const clientSecret = 'abc8Q~Dgn*secret'
      idp.answers.set('/token', (request, response, body) => {
        const description = `bad: ${request.headers.authorization ?? ''} ${body}`
        response.writeHead(400, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ error: 'invalid_client', error_description: description }))
      })
      const { message } = await refusalOf(exchange({ authMethod, clientSecret }))
      const told = decodeURIComponent(message)
      expect(told).toContain('…')
      expect(told).not.toContain(clientSecret)
      expect(told).not.toMatch(/Basic [\w+/]/)
    },
  )

  it('is final for a public client too', async () => {
    idp.answers.set('/token', jsonAnswer({ error: 'invalid_grant' }, {}, 400))
    const asked = exchange({ authMethod: 'none', clientSecret: undefined })
    expect(await refusalOf(asked)).toMatchObject({ code: 'invalid_grant' })
  })

  it('is explained to operators, without any secret', async () => {
    idp.answers.set(
      '/token',
      jsonAnswer({ error: 'invalid_client', error_description: 'AADSTS7000215' }, {}, 401),
    )
    const explain = (error: string, description: string): string | undefined =>
      description.startsWith('AADSTS7000215') ? `Make a new secret: ${error} ${CLIENT_SECRET}` : undefined
    expect(await refusalOf(exchange({ explain }))).toEqual({
      code: 'invalid_client',
      message:
        'the identity provider refused exchanging a code (401): invalid_client. AADSTS7000215. Make a new secret: invalid_client …',
    })
  })
})

describe('the renewal of tokens', () => {
  it('sends the refresh token, and no more', async () => {
    expect(await refresh()).toMatchObject({ accessToken: 'upstream-access' })
    expect(idp.form()).toEqual({ grant_type: 'refresh_token', refresh_token: 'old-refresh' })
    expect(idp.asked()[0]?.headers['authorization']).toMatch(/^Basic /)
  })

  it.each(['refresh', 'always'] as const)('repeats scopes, the resource and what options add: %s', async (tokenScopes) => {
    const tokenParams = { audience: 'a', refresh_token: 'evil', grant_type: 'evil' }
    const scopeNames = { toUpstream: (scopes: readonly string[]) => scopes.map((scope) => `x:${scope}`), fromUpstream: (scopes: readonly string[]) => scopes }
    await refresh({ tokenScopes, tokenParams, scopeNames, extraScopes: ['offline_access', 'api://other/x'] }, TOKENS, 'https://r')
    expect(idp.form()).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'old-refresh',
      audience: 'a',
      scope: 'x:openid x:read offline_access',
      resource: 'https://r',
    })
  }) // prettier-ignore

  it('is refused without a refresh token, and asks nobody', async () => {
    const expected = { code: 'invalid_grant', message: 'there is no refresh token to renew them with' }
    expect(await refusalOf(refresh({}, { accessToken: 'a' }))).toEqual(expected)
    expect(idp.asked()).toEqual([])
  })

  it.each([
    ['invalid_grant', 400],
    ['invalid_grant', 401],
    ['invalid_grant', 403],
    ['bad_refresh_token', 200],
  ])('F4 is refused for good by %s (%i)', async (error, status) => {
    idp.answers.set('/token', jsonAnswer({ error, error_description: 'old-refresh is no good' }, {}, status))
    expect(await refusalOf(refresh())).toEqual({
      code: 'invalid_grant',
      message: `the identity provider refused renewing tokens (${status}): invalid_grant. … is no good`,
    })
  })

  it.each<[error: string, status: number]>([
    ['invalid_client', 401],
    ['invalid_client', 400],
    ['unauthorized_client', 400],
    ['unsupported_grant_type', 400],
    ['invalid_request', 400],
    ['invalid_scope', 400],
    ['invalid_target', 400],
    ['interaction_required', 400],
    ['incorrect_client_credentials', 200],
  ])('F4 signs nobody out by %s (%i), which operators can mend', async (error, status) => {
    idp.answers.set('/token', jsonAnswer({ error, error_description: 'Mend me' }, {}, status))
    const named = error === 'incorrect_client_credentials' ? 'invalid_client' : error
    expect(await outageOf(refresh({ explain: () => 'Like so' }))).toBe(
      `the identity provider refused renewing tokens (${status}): ${named}. Mend me. Like so`,
    )
  })

  it.each(OUTAGES)('F4 signs nobody out by an outage: %s', async (_rule, answer) => {
    idp.answers.set('/token', answer)
    expect(await outageOf(refresh())).toMatch(/^the identity provider /)
    expect(idp.asked()).toHaveLength(1)
  })

  it('F4 signs nobody out where nobody listens', async () => {
    const tokenEndpoint = 'http://127.0.0.1:1/token'
    expect(await outageOf(refresh({ endpoints: { ...idp.endpoints, tokenEndpoint } }))).toMatch(
      /^the identity provider gave no usable answer: /,
    )
  })
})

describe('the revocation of tokens', () => {
  const revoke = (
    changes: Partial<UpstreamDescription> = {},
    tokens: UpstreamTokens = TOKENS,
  ): Promise<void> => idp.client({ ...PLAIN, ...changes }).revoke(tokens)

  const forms = (): unknown[] => idp.asked().map(({ body }) => Object.fromEntries(new URLSearchParams(body)))

  const BOTH = [
    { token: 'old-refresh', token_type_hint: 'refresh_token' },
    { token: 'old-access', token_type_hint: 'access_token' },
  ]

  it('gives both back (RFC 7009)', async () => {
    await revoke()
    expect(forms()).toEqual(BOTH)
    for (const { url, headers } of idp.asked())
      expect({ url, authorization: headers['authorization'] }).toEqual({
        url: '/revoke',
        authorization: `Basic ${Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString('base64')}`,
      })
  })

  it('gives the access token back where there is no other', async () => {
    await revoke({ authMethod: 'none', clientSecret: undefined }, { accessToken: 'old-access' })
    expect(forms()).toEqual([{ token: 'old-access', token_type_hint: 'access_token', client_id: CLIENT_ID }])
  })

  it('asks nobody where there is nobody to ask', async () => {
    await revoke({ endpoints: { ...idp.endpoints, revocationEndpoint: undefined } })
    expect(idp.asked()).toEqual([])
  })

  it.each<[rule: string, answer: Answer]>([
    ['no content', bytesAnswer('', undefined, 204)],
    ['a page of success', page],
    ['that it knows no such token', jsonAnswer({ error: 'invalid_token' }, {}, 400)],
  ])('has succeeded with %s', async (_rule, answer) => {
    idp.answers.set('/revoke', answer)
    await revoke()
    expect(forms()).toEqual(BOTH)
  })

  it.each<[rule: string, answer: Answer, message: string]>([
    ['an outage', bytesAnswer('<html>', 'text/html', 503), 'the identity provider refused revoking a token (503): no reason given'],
    ['a client that is refused', jsonAnswer({ error: 'invalid_client' }, {}, 401), 'the identity provider refused revoking a token (401): invalid_client'],
    ['a broken connection', (_request, response) => response.destroy(), 'the identity provider gave no usable answer: '],
  ])('fails after both were tried, with %s', async (_rule, answer, message) => {
    idp.answers.set('/revoke', answer)
    expect(await outageOf(revoke())).toContain(message)
    expect(forms()).toEqual(BOTH)
  }) // prettier-ignore

  it('fails where only one of them did', async () => {
    idp.answers.set('/revoke', (_request, response, body) => {
      response.writeHead(body.includes('old-refresh') ? 500 : 200).end()
    })
    expect(await outageOf(revoke())).toContain('(500)')
    expect(forms()).toEqual(BOTH)
  })

  it('is not held against access tokens that end by themselves (RFC 7009 2.2.1)', async () => {
    const unsupported = jsonAnswer({ error: 'unsupported_token_type' }, {}, 400)
    idp.answers.set('/revoke', unsupported)
    await revoke({}, { accessToken: 'old-access' })
    expect(await outageOf(revoke())).toContain('unsupported_token_type')
  })

  it('goes another way where there is one', async () => {
    const revocation: UpstreamDescription['revocation'] = (token, kind) =>
      kind === 'access_token'
        ? { url: `${idp.url}/apps`, method: 'DELETE', body: JSON.stringify({ token }), timeoutSeconds: 5 }
        : undefined
    idp.answers.set('/apps', bytesAnswer('', undefined, 204))
    await revoke({ revocation })
    expect(idp.asked()).toMatchObject([{ method: 'DELETE', url: '/apps', body: '{"token":"old-access"}' }])
    idp.answers.delete('/apps')
    await revoke({ revocation })
    idp.answers.set('/apps', jsonAnswer({ error: 'x', error_description: 'old-access' }, {}, 422))
    expect(await outageOf(revoke({ revocation }))).toBe(
      'the identity provider refused revoking a token (422): x. …',
    )
    idp.answers.set('/apps', (_request, response) => response.destroy())
    expect(await outageOf(revoke({ revocation }))).toContain('the identity provider gave no usable answer')
  })
})
