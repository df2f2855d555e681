import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  MultiAuth,
  RemoteAuthProvider,
  type RemoteAuthProviderOptions,
  StaticTokenVerifier,
} from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { configErrorOf } from '../support/config-error.js'
import { type Json, type Stub, jsonAnswer, startStub } from '../support/issuer.js'
import { type Site, startSite } from '../support/site.js'

const BASE = 'https://api.example.com'
const METADATA = '/.well-known/oauth-authorization-server'
const OPENID = '/.well-known/openid-configuration'

let server: Stub
let clock: TestClock
let document: Json
let site: Site | undefined

beforeEach(async () => {
  server = await startStub(jsonAnswer({}, {}, 404))
  clock = testClock()
  document = metadataOf(server.url)
  server.answer = jsonAnswer(document)
})

afterEach(async () => {
  await site?.close()
  site = undefined
  await server.close()
})

function metadataOf(issuer: string): Json {
  return {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    registration_endpoint: `${issuer}/register`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
    'x-vendor': { kept: [1, 'é', null] },
  }
}

const create = (options: Partial<RemoteAuthProviderOptions> = {}): RemoteAuthProvider =>
  new RemoteAuthProvider({
    baseUrl: BASE,
    authorizationServers: [server.url],
    tokenVerifier: new StaticTokenVerifier({ tokens: ['token'] }),
    forwardAuthorizationServerMetadata: true,
    deps: clock,
    ...options,
  })

async function get(path: string, init: RequestInit = {}): Promise<Response> {
  site ??= await startSite(create())
  return fetch(site.url + path, init)
}

describe('the mirror of authorization server metadata', () => {
  it.each([METADATA, `${METADATA}/mcp`, OPENID, `${OPENID}/mcp`, `/mcp${OPENID}`])(
    'is served at %s as the server wrote it, to any origin',
    async (path) => {
      const response = await get(path, { headers: { origin: 'https://app.example' } })
      expect(response.status).toBe(200)
      expect(await response.json()).toEqual(document)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': expect.stringMatching(/^application\/json/),
        'cache-control': 'public, max-age=3600',
        'access-control-allow-origin': '*',
      })
      expect(server.requests.map(({ url }) => url)).toEqual([METADATA])
    },
  )

  it('is served for a base URL and a resource with paths, wherever either is probed for', async () => {
    site = await startSite(create({ baseUrl: `${BASE}/v1`, resourceUrl: `${BASE}/v1/tools` }))
    const paths = [
      METADATA,
      `${METADATA}/v1`,
      `${METADATA}/v1/tools`,
      OPENID,
      `/v1${OPENID}`,
      `/v1/tools${OPENID}`,
    ]
    for (const path of paths) expect((await get(path)).status).toBe(200)
    expect((await get(`${METADATA}/v2`)).status).toBe(404)
    expect(server.requests).toHaveLength(1)
  })

  it('answers HEAD and nothing but reading', async () => {
    const head = await get(METADATA, { method: 'HEAD' })
    expect([head.status, await head.text()]).toEqual([200, ''])
    const post = await get(METADATA, { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  })

  it('is there under MultiAuth too', async () => {
    site = await startSite(new MultiAuth({ server: create(), verifiers: [] }))
    expect(await (await get(METADATA)).json()).toEqual(document)
  })

  it.each([undefined, false])('is not there with %j', async (asked) => {
    const provider = create({ forwardAuthorizationServerMetadata: asked as never })
    expect(provider.routes).toEqual([])
    site = await startSite(provider)
    expect((await get(METADATA)).status).toBe(404)
    expect(server.requests).toEqual([])
  })

  it.each<[rule: string, issuer: string, asked: string[]]>([
    ['', '', [METADATA]],
    ['/', '/', [METADATA]],
    ['of a path', '/realms/a', [`${METADATA}/realms/a`]],
  ])('is fetched where an issuer %s says', async (_rule, path, asked) => {
    const issuer = server.url + path
    server.answer = jsonAnswer(metadataOf(issuer))
    site = await startSite(create({ authorizationServers: [issuer, 'https://other.example'] }))
    expect(await (await get(METADATA)).json()).toMatchObject({ issuer })
    expect(server.requests.map(({ url }) => url)).toEqual(asked)
  })

  it('is fetched by OpenID Connect Discovery where the server knows that alone', async () => {
    const issuer = `${server.url}/realms/a`
    server.answer = (request, response, body) => {
      const found = request.url === `/realms/a${OPENID}`
      ;(found ? jsonAnswer(metadataOf(issuer)) : jsonAnswer({}, {}, 404))(request, response, body)
    }
    site = await startSite(create({ authorizationServers: [issuer] }))
    expect(await (await get(METADATA)).json()).toEqual(metadataOf(issuer))
    expect(site.events.map(({ type }) => type)).not.toContain('service.failed')
  })

  it('is fetched from elsewhere when told so', async () => {
    const url = `${server.url}/odd/place?tenant=1`
    site = await startSite(create({ forwardAuthorizationServerMetadata: { url } }))
    expect((await get(METADATA)).status).toBe(200)
    expect(server.requests.map((request) => request.url)).toEqual(['/odd/place?tenant=1'])
  })

  it('with no more than an empty object is fetched where the issuer says', async () => {
    site = await startSite(create({ forwardAuthorizationServerMetadata: {} }))
    expect((await get(METADATA)).status).toBe(200)
    expect(server.requests.map((request) => request.url)).toEqual([METADATA])
  })

  it('is asked for once under all paths together, and served stale while the server is down', async () => {
    await get(METADATA)
    clock.advance(3599)
    expect((await get(OPENID)).headers.get('cache-control')).toBe('public, max-age=1')
    expect(server.requests).toHaveLength(1)
    server.answer = jsonAnswer({}, {}, 500)
    clock.advance(1)
    const stale = await get(OPENID)
    expect([stale.status, stale.headers.get('cache-control')]).toEqual([200, 'public, max-age=30'])
    expect(await stale.json()).toEqual(document)
  })

  it('lets others keep it for an hour at most', async () => {
    server.answer = jsonAnswer(document, { 'cache-control': 'max-age=86400' })
    expect((await get(METADATA)).headers.get('cache-control')).toBe('public, max-age=3600')
  })

  it.each<[rule: string, change: (url: string) => unknown, message: (url: string) => string]>([
    [
      'of another issuer',
      () => metadataOf('https://evil.example'),
      (url) => `its issuer is "https://evil.example", not ${url}`,
    ],
    [
      'of an issuer that is spelt otherwise',
      (url) => metadataOf(`${url}/`),
      (url) => `its issuer is "${url}/", not ${url}`,
    ],
    ['without an issuer', () => ({}), (url) => `its issuer is undefined, not ${url}`],
    ['that is a list', () => [], () => 'not a JSON object'],
    ['that is null', () => null, () => 'not a JSON object'],
  ])('is not a document %s: 503, and why in an event', async (_rule, change, message) => {
    server.answer = jsonAnswer(change(server.url))
    const response = await get(METADATA)
    expect(response.status).toBe(503)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'retry-after': '30',
      'cache-control': 'no-store',
      'access-control-allow-origin': '*',
    })
    expect(response.headers.has('www-authenticate')).toBe(false)
    expect(await response.json()).toEqual({
      error: 'temporarily_unavailable',
      error_description:
        'The metadata of the authorization server cannot be had right now, try again shortly',
    })
    const why = message(server.url)
    const [failed] = site?.events.filter(({ type }) => type === 'service.failed') ?? []
    expect(failed).toEqual({
      type: 'service.failed',
      url: server.url + METADATA,
      message: `${server.url}${METADATA}: ${why}; ${server.url}${OPENID}: ${why}`,
    })
    expect((await get(OPENID)).status).toBe(503)
    expect(server.requests).toHaveLength(2)
  })

  it.each<[rule: string, value: unknown, message: string]>([
    ['text', 'yes', '"forwardAuthorizationServerMetadata" must be true, false or { url }'],
    [
      'another member',
      { uri: 'https://a.example' },
      '"forwardAuthorizationServerMetadata" has no option "uri". Did you mean "url"?',
    ],
    [
      'a URL over http',
      { url: 'http://a.example' },
      '"forwardAuthorizationServerMetadata": "url" must be an https URL, not "http://a.example". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
    ],
  ])('refuses %s as an option', (_rule, value, message) => {
    const build = (): unknown => create({ forwardAuthorizationServerMetadata: value as never })
    expect(configErrorOf(build).message).toBe(`RemoteAuthProvider: ${message}`)
  })

  it('takes a URL over http with dangerouslyAllowInsecureHttp', () => {
    const { routes } = create({
      forwardAuthorizationServerMetadata: { url: 'http://sso:8080/metadata' },
      dangerouslyAllowInsecureHttp: true,
    })
    expect(routes).toHaveLength(5)
  })
})
