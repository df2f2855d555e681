// An identity provider on loopback that answers as it is told to, however oddly, and a description of one app there.
import type { UpstreamTokens, UpstreamTrip, UpstreamUser } from '../../lib/authorization-server/upstream.js'
import type { UpstreamDescription, UpstreamEndpoints } from '../../lib/providers/proxy/description.js'
import { UpstreamClient } from '../../lib/providers/proxy/upstream-client.js'
import { type Deps, createDeps } from '../../lib/runtime/deps.js'
import { type TestClock, testClock } from '../../lib/testing/clock.js'
import {
  type Answer,
  type Json,
  type SigningKey,
  type Stub,
  createKey,
  encode,
  jsonAnswer,
  signInput,
  startStub,
} from './issuer.js'

export const REDIRECT_URI = 'https://api.example.com/auth/callback'
export const CLIENT_ID = 'app-1.example'
export const CLIENT_SECRET = 'the-secret-of-the-app'

export const TRIP: UpstreamTrip = {
  state: 'state-of-the-trip',
  verifier: 'verifier-of-the-trip-verifier-of-the-trip-verif',
  nonce: 'nonce-of-the-trip',
  scopes: ['openid', 'read'],
}

/** One that answers. */
export interface TokenEndpoint {
  readonly url: string
  readonly clock: TestClock
  readonly deps: Deps
  /** Its published key. */
  readonly key: SigningKey
  /** What came, but for requests of the key set and the document. */
  asked(): Stub['requests']
  /** The form of the last request. */
  form(): Record<string, string>
  /** By path. A path without one answers 404. */
  readonly answers: Map<string, Answer>
  readonly endpoints: UpstreamEndpoints
  describe(changes?: Partial<UpstreamDescription>): UpstreamDescription
  client(changes?: Partial<UpstreamDescription>): UpstreamClient
  /** Of a good one; `undefined` drops a claim. */
  idToken(claims?: Json, header?: Json, key?: SigningKey): string
  /** What a browser brings back. */
  callback(changes?: Record<string, string | undefined>): URLSearchParams
  close(): Promise<void>
}

const key = createKey('ES256', 'upstream-key')

/** Starts one whose token endpoint gives tokens. */
export async function startTokenEndpoint(): Promise<TokenEndpoint> {
  const clock = testClock()
  const answers = new Map<string, Answer>([
    ['/token', jsonAnswer({ access_token: 'upstream-access', token_type: 'Bearer' })],
    ['/keys', jsonAnswer({ keys: [key.jwk] })],
    ['/revoke', (_request, response) => response.writeHead(200).end()],
  ])
  const stub = await startStub((request, response, body) => {
    const answer = answers.get((request.url ?? '').split('?', 1)[0] as string)
    if (answer === undefined) response.writeHead(404).end()
    else answer(request, response, body)
  })
  const { url } = stub
  const deps = createDeps({ now: clock.now, after: clock.after })
  const endpoints: UpstreamEndpoints = {
    issuer: url,
    authorizationEndpoint: `${url}/authorize`,
    tokenEndpoint: `${url}/token`,
    revocationEndpoint: `${url}/revoke`,
    jwksUri: `${url}/keys`,
  }
  const describe = (changes: Partial<UpstreamDescription> = {}): UpstreamDescription => ({
    name: 'Example',
    endpoints,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    authMethod: 'client_secret_basic',
    callbackPath: '/auth/callback',
    usesPkce: true,
    forwardsResource: true,
    scopeNames: { toUpstream: (scopes) => scopes, fromUpstream: (scopes) => scopes },
    extraScopes: [],
    authorizeParams: {},
    tokenParams: {},
    tokenScopes: 'never',
    identification: { by: 'id_token' },
    expiryThresholdSeconds: 30,
    timeoutSeconds: 10,
    allowInsecureHttp: false,
    ...changes,
  })
  const asked = (): Stub['requests'] =>
    stub.requests.filter(({ url: path }) => path !== '/keys' && !path.includes('.well-known'))
  return {
    url,
    clock,
    deps,
    key,
    asked,
    form: () => Object.fromEntries(new URLSearchParams(asked().at(-1)?.body)),
    answers,
    endpoints,
    describe,
    client: (changes) => new UpstreamClient(describe(changes), deps),
    idToken(claims = {}, header = {}, signer = key) {
      const now = Math.floor(clock.now() / 1000)
      const good = { iss: url, aud: CLIENT_ID, sub: 'user-1', nonce: TRIP.nonce, iat: now, exp: now + 300 }
      const present = Object.entries({ ...good, ...claims }).filter(([, value]) => value !== undefined)
      const parts = [{ alg: signer.alg, kid: signer.kid, ...header }, Object.fromEntries(present)]
      const input = parts.map(encode).join('.')
      return `${input}.${signInput(input, signer).toString('base64url')}`
    },
    callback(changes = {}) {
      const parameters = { code: 'code-of-the-trip', state: TRIP.state, ...changes }
      const present = Object.entries(parameters).filter(([, value]) => value !== undefined)
      return new URLSearchParams(present)
    },
    close: () => stub.close(),
  }
}

/** An answer of any bytes. */
export function bytesAnswer(
  body: string | Buffer,
  contentType: string | undefined,
  status = 200,
  headers: Record<string, string> = {},
): Answer {
  return (_request, response) => {
    response.writeHead(status, {
      ...(contentType !== undefined && { 'content-type': contentType }),
      ...headers,
    })
    response.end(body)
  }
}

export const NO_TOKENS: UpstreamTokens = { accessToken: 'upstream-access' }
export const NOBODY: UpstreamUser = { subject: 'user-1', claims: {} }
