import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { AuthEvent } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import {
  DiscoveredEndpoints,
  type DiscoverySettings,
  issuerOfConfigUrl,
  readDiscovery,
} from '../../../lib/providers/proxy/discovery.js'
import { createDeps } from '../../../lib/runtime/deps.js'
import { type Json, type Stub, jsonAnswer, startStub } from '../../support/issuer.js'

const HOUR = 3600
const ISSUER = 'https://login.example.com'
const CONFIG_URL = `${ISSUER}/.well-known/openid-configuration`

function documentOf(issuer: string, changes: Json = {}): Json {
  const base = issuer.replace(/\/$/, '')
  const document: Json = {
    issuer,
    authorization_endpoint: `${base}/authorize`,
    token_endpoint: `${base}/token`,
    jwks_uri: `${base}/keys`,
    response_types_supported: ['code', 'id_token'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    ...changes,
  }
  return Object.fromEntries(Object.entries(document).filter(([, value]) => value !== undefined))
}

const STRICT = { configUrl: CONFIG_URL, strict: true, allowInsecureHttp: false }
const LENIENT = { ...STRICT, strict: false }

const READ = {
  issuer: ISSUER,
  authorizationEndpoint: `${ISSUER}/authorize`,
  tokenEndpoint: `${ISSUER}/token`,
  revocationEndpoint: undefined,
  jwksUri: `${ISSUER}/keys`,
  sendsIssuer: false,
}

describe('a document of an identity provider', () => {
  it('tells where it is spoken to', () => {
    const document = documentOf(ISSUER, {
      revocation_endpoint: `${ISSUER}/revoke`,
      authorization_response_iss_parameter_supported: true,
      claims_supported: ['sub'],
    })
    const expected = { ...READ, revocationEndpoint: `${ISSUER}/revoke`, sendsIssuer: true }
    expect(readDiscovery(document, STRICT)).toEqual(expected)
  })

  it.each<[rule: string, issuer: string, configUrl: string]>([
    ['OpenID Connect', ISSUER, CONFIG_URL],
    ['an issuer that ends in a slash', `${ISSUER}/`, CONFIG_URL],
    ['an issuer with a path', `${ISSUER}/tenant`, `${ISSUER}/tenant/.well-known/openid-configuration`],
    [
      'an issuer with a path that ends in a slash',
      `${ISSUER}/t/`,
      `${ISSUER}/t/.well-known/openid-configuration`,
    ],
    ['RFC 8414', `${ISSUER}/tenant`, `${ISSUER}/.well-known/oauth-authorization-server/tenant`],
    ['RFC 8414 without a path', ISSUER, `${ISSUER}/.well-known/oauth-authorization-server`],
    ['RFC 8414 5', `${ISSUER}/tenant`, `${ISSUER}/.well-known/openid-configuration/tenant`],
    ['a URL with a query', ISSUER, `${CONFIG_URL}?appid=7`],
  ])('is that of the issuer it names, by %s', (_rule, issuer, configUrl) => {
    expect(readDiscovery(documentOf(issuer), { ...STRICT, configUrl })).toMatchObject({ issuer })
  })

  it.each<[rule: string, issuer: unknown]>([
    ['of another host', 'https://evil.example.com'],
    ['of another path', `${ISSUER}/other`],
    ['in other letters', 'https://LOGIN.example.com'],
    ['that is no URL', 'login.example.com'],
    ['that is no text', 7],
    ['with a query', `${ISSUER}?x`],
  ])('K6 is refused where it names an issuer %s', (_rule, issuer) => {
    expect(() => readDiscovery({ ...documentOf(ISSUER), issuer }, STRICT)).toThrow(
      `the document names the issuer ${JSON.stringify(issuer)}, not the one whose document ${CONFIG_URL} is; ` +
        'if that is how it has to be, set "strict: false"',
    )
  })

  it.each([
    'issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri', 'response_types_supported', 'subject_types_supported',
    'id_token_signing_alg_values_supported',
  ])('is refused without %s', (name) => {
    for (const value of [undefined, null])
      expect(() => readDiscovery(documentOf(ISSUER, { [name]: value }), STRICT)).toThrow(`the document lacks "${name}"`)
  }) // prettier-ignore

  it('names all that is missing', () => {
    const document = documentOf(ISSUER, { jwks_uri: undefined, subject_types_supported: undefined })
    expect(() => readDiscovery(document, STRICT)).toThrow(
      'the document lacks "jwks_uri", "subject_types_supported"',
    )
  })

  it('of OAuth without OpenID Connect needs no keys', () => {
    const document = documentOf(ISSUER, {
      jwks_uri: undefined,
      subject_types_supported: undefined,
      id_token_signing_alg_values_supported: undefined,
    })
    const configUrl = `${ISSUER}/.well-known/oauth-authorization-server`
    expect(readDiscovery(document, { ...STRICT, configUrl })).toEqual({ ...READ, jwksUri: undefined })
  })

  it.each([[['id_token']], ['code'], [{}]])('is refused where codes are no response: %j', (types) => {
    expect(() => readDiscovery(documentOf(ISSUER, { response_types_supported: types }), STRICT)).toThrow(
      '"response_types_supported" does not name "code"',
    )
  })

  it('needs two endpoints where that is all that is asked of it', () => {
    const document = { authorization_endpoint: `${ISSUER}/authorize`, token_endpoint: `${ISSUER}/token` }
    expect(readDiscovery(document, LENIENT)).toEqual({ ...READ, issuer: undefined, jwksUri: undefined })
    for (const name of Object.keys(document))
      expect(() => readDiscovery({ ...document, [name]: undefined }, LENIENT)).toThrow(
        'the document has no "authorization_endpoint" or no "token_endpoint"',
      )
  })

  it.each([['https://other.example.com'], ['https://other.example.com/']])(
    'may name the issuer %s where we are told to let it',
    (issuer) => {
      expect(readDiscovery(documentOf(ISSUER, { issuer }), LENIENT).issuer).toBe(issuer)
    },
  )

  it.each([
    ['https://login.example.com/{region}/v2.0'],
    ['https://{tid}.example.com/{tid}'],
    [''],
    [7],
    [null],
  ])('names none by %j, which nothing can be compared with', (issuer) => {
    expect(readDiscovery(documentOf(ISSUER, { issuer }), LENIENT).issuer).toBeUndefined()
  })

  it('may name a pattern for the issuers of many tenants, as Entra does', () => {
    const issuer = 'https://login.example.com/{tenantid}/v2.0'
    expect(readDiscovery(documentOf(ISSUER, { issuer }), LENIENT).issuer).toBe(
      'https://login.example.com/{tid}/v2.0',
    )
    expect(() => readDiscovery(documentOf(ISSUER, { issuer }), STRICT)).toThrow(
      'the document names the issuer',
    )
  })

  it('is completed and corrected by what is known better', () => {
    const replaced = {
      tokenEndpoint: 'https://other.example.com/token',
      jwksUri: 'https://other.example.com/keys',
      revocationEndpoint: 'https://other.example.com/revoke',
      sendsIssuer: true,
    }
    expect(readDiscovery(documentOf(ISSUER, { jwks_uri: undefined }), { ...STRICT, replaced })).toEqual({
      ...READ,
      ...replaced,
    })
  })

  it('is held against an issuer that is known', () => {
    const other = 'https://tenant.example.com'
    const read = (issuer: unknown, settings: object = STRICT): unknown =>
      readDiscovery(documentOf(ISSUER, { issuer }), { ...STRICT, ...settings, replaced: { issuer: other } })
        .issuer
    expect(read(other)).toBe(other)
    expect(read(undefined)).toBe(other)
    expect(() => read(ISSUER)).toThrow(`the document names the issuer "${ISSUER}", not ${other}`)
    expect(read(ISSUER, LENIENT)).toBe(other)
  })

  it.each(['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'revocation_endpoint'])(
    'K6 is refused where %s is no URL to send anything to',
    (name) => {
      const urls = [
        'http://login.example.com/x',
        'file:///etc/passwd',
        'x',
        7,
        'https://u:p@login.example.com',
      ]
      for (const url of urls)
        for (const settings of [STRICT, LENIENT])
          expect(() => readDiscovery(documentOf(ISSUER, { [name]: url }), settings)).toThrow(`"${name}" must`)
    },
  )

  it.each([
    ['on this machine', 'http://127.0.0.1:8080', false],
    ['where that is allowed', 'http://idp.internal', true],
  ])('may have endpoints without TLS %s, where it came without', (_rule, issuer, allowInsecureHttp) => {
    const configUrl = `${issuer}/.well-known/openid-configuration`
    const { tokenEndpoint } = readDiscovery(documentOf(issuer), { ...STRICT, configUrl, allowInsecureHttp })
    expect(tokenEndpoint).toBe(`${issuer}/token`)
  })

  it.each(['authorization_endpoint', 'token_endpoint', 'jwks_uri', 'revocation_endpoint'])(
    'P8 that came over https has no %s without TLS, neither where that is allowed nor on this machine',
    (name) => {
      for (const url of ['http://idp.internal/x', 'HTTP://127.0.0.1:8080/x']) {
        for (const settings of [STRICT, LENIENT]) {
          const document = documentOf(ISSUER, { [name]: url })
          expect(() => readDiscovery(document, { ...settings, allowInsecureHttp: true })).toThrow(
            `"${name}" must be an https URL, as that of the document is, not "${url}"`,
          )
        }
      }
    },
  )

  it('may be corrected by an endpoint without TLS, which was judged where it is configured', () => {
    const replaced = { tokenEndpoint: 'http://127.0.0.1:8080/token' }
    expect(readDiscovery(documentOf(ISSUER), { ...STRICT, replaced })).toMatchObject(replaced)
  })

  it.each([[undefined], [null], ['x'], [[]], [7]])('is an object, not %j', (document) => {
    expect(() => readDiscovery(document, LENIENT)).toThrow('the document is not a JSON object')
  })
})

describe('the URL of a document', () => {
  it.each([
    [CONFIG_URL, ISSUER],
    [`${ISSUER}/t/.well-known/openid-configuration?x=/y`, `${ISSUER}/t`],
    [`${ISSUER}/.well-known/oauth-authorization-server`, undefined],
    [`${ISSUER}/?/.well-known/openid-configuration`, undefined],
  ])('names its issuer: %s', (url, issuer) => {
    expect(issuerOfConfigUrl(url)).toBe(issuer)
  })
})

describe('discovered endpoints', () => {
  let stub: Stub
  let clock: TestClock
  let events: AuthEvent[]
  let settings: DiscoverySettings

  beforeEach(async () => {
    stub = await startStub((_request, response) => response.writeHead(500).end())
    stub.answer = jsonAnswer(documentOf(stub.url))
    clock = testClock()
    events = []
    settings = { ...STRICT, configUrl: `${stub.url}/.well-known/openid-configuration?key=hidden` }
  })

  afterEach(() => stub.close())

  const create = (): (() => Promise<unknown>) => {
    const discovered = new DiscoveredEndpoints(settings, createDeps({ now: clock.now, after: clock.after }))
    return () => discovered.get((event) => events.push(event))
  }

  it('are asked for when they are needed first, by all at once', async () => {
    const get = create()
    expect(stub.requests).toEqual([])
    const all = await Promise.all(Array.from({ length: 10 }, get))
    expect(all[0]).toMatchObject({ issuer: stub.url, tokenEndpoint: `${stub.url}/token` })
    expect(new Set(all).size).toBe(1)
    expect(stub.requests).toHaveLength(1)
  })

  it('are asked for again after an hour, and may have moved', async () => {
    const get = create()
    await get()
    clock.advance(HOUR - 1)
    await get()
    expect(stub.requests).toHaveLength(1)
    stub.answer = jsonAnswer(documentOf(stub.url, { token_endpoint: `${stub.url}/moved` }))
    clock.advance(1)
    expect(await get()).toMatchObject({ tokenEndpoint: `${stub.url}/moved` })
    expect(stub.requests).toHaveLength(2)
  })

  it('K3 are kept for a day while no document can be had', async () => {
    const get = create()
    const known = await get()
    stub.answer = (_request, response) => response.writeHead(503).end()
    clock.advance(HOUR)
    expect(await get()).toBe(known)
    clock.advance(24 * HOUR - 1)
    expect(await get()).toBe(known)
    clock.advance(1)
    await expect(get()).rejects.toThrow('status 503')
  })

  it('are not asked for again so soon where that failed', async () => {
    stub.answer = (_request, response) => response.writeHead(503).end()
    const get = create()
    const url = `${stub.url}/.well-known/openid-configuration`
    const message = `the endpoints of the identity provider are not known: ${url}: status 503`
    await expect(get()).rejects.toThrow(message)
    clock.advance(29)
    await expect(get()).rejects.toThrow(message)
    expect(stub.requests).toHaveLength(1)
    stub.answer = jsonAnswer(documentOf(stub.url))
    clock.advance(1)
    expect(await get()).toMatchObject({ issuer: stub.url })
    expect(events).toEqual([{ type: 'service.failed', url, message: `${url}: status 503` }])
  })

  it.each<[rule: string, body: string, status: number, headers: Record<string, string>, message: string]>([
    [
      'K5 that is somewhere else',
      '',
      302,
      { location: '/elsewhere' },
      'redirected (302), which is not followed',
    ],
    ['K7 without end', `"${'x'.repeat(600 * 1024)}"`, 200, {}, 'bytes'],
    ['that is a page', '<html>', 200, {}, 'the document is not a JSON object'],
    ['that is another', '{"issuer":"https://evil.example.com"}', 200, {}, 'the document lacks'],
  ])('are not those of a document %s', async (_rule, body, status, headers, message) => {
    stub.answer = (_request, response) => response.writeHead(status, headers).end(body)
    await expect(create()()).rejects.toThrow(message)
    expect(stub.requests).toHaveLength(1)
  })
})
