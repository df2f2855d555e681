// What every cell of the matrix does with the package as it is installed: a guard, an authorization server of one's own, a proxy and a client.
import { createServer } from 'node:http'
import {
  JWTVerifier,
  OAuthProvider,
  OIDCProxy,
  RemoteAuthProvider,
  getAccessToken,
  mcpAuth,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { RSAKeyPair } from 'express-mcp-auth/testing'

const secret = 'a secret of thirty-two bytes or more, for the matrix'

/** A host without a framework. A host makes a listener of handlers, where the last one answers. */
export const bare = (handlers) => (request, response) => {
  const run = (index) => handlers[index](request, response, () => run(index + 1))
  run(0)
}

function expect(what, got, wanted) {
  if (JSON.stringify(got) !== JSON.stringify(wanted))
    throw new Error(`${what}: ${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`)
}

async function serve(listener) {
  const server = createServer((request, response) => listener.handle(request, response))
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

const answer = (request, response) => {
  const token = getAccessToken()
  response.end(JSON.stringify([token?.clientId, token === request.auth]))
}

/** Runs an app with a guard, and gives what it answers to a token or to nobody. */
async function withApp(host, makeProvider, use) {
  const listener = {}
  const { url, close } = await serve(listener)
  try {
    const provider = await makeProvider(url)
    listener.handle = host([mcpAuth(provider, { onEvent: () => undefined }), answer])
    const call = async (token) => {
      const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
      const response = await fetch(`${url}/mcp`, { headers })
      return [response.status, await response.text(), response.headers.get('www-authenticate')]
    }
    await use({ url, call, provider })
  } finally {
    close()
  }
}

/** Tokens of somebody else. */
export async function checkGuard(host) {
  const keys = await RSAKeyPair.generate()
  const issuer = 'https://login.example.com'
  const audience = 'https://api.example.com/mcp'
  const tokenVerifier = new JWTVerifier({ publicKey: keys.publicKey, issuer, audience })
  const makeProvider = () =>
    new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: [issuer],
      tokenVerifier,
    })
  await withApp(host, makeProvider, async ({ call }) => {
    const metadata = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'
    expect('nobody', (await call()).at(2), `Bearer resource_metadata="${metadata}"`)
    expect('a bad token', (await call('bad')).at(0), 401)
    const claims = { issuer, audience, subject: 'ada', additionalClaims: { client_id: 'app' } }
    const token = keys.createToken(claims)
    expect('a good token', (await call(token)).slice(0, 2), [200, '["app",true]'])
  })
}

/** Tokens of one's own, kept in a store; without one, in the default. */
export async function checkServer(host, store) {
  const clients = [{ clientId: 'job', clientSecret: 'x'.repeat(32), grantTypes: ['client_credentials'] }]
  const signIn = { verifyCredentials: () => null }
  const post = (url, form) => fetch(url, { method: 'POST', body: new URLSearchParams(form) })
  const makeProvider = (baseUrl) =>
    new OAuthProvider({ baseUrl, secret, signIn, clients, ...(store !== undefined && { store }) })
  await withApp(host, makeProvider, async ({ url, call, provider }) => {
    const form = { grant_type: 'client_credentials', client_id: 'job', client_secret: 'x'.repeat(32) }
    const answered = await post(`${url}/token`, form)
    expect('the token endpoint', answered.status, 200)
    const { access_token: token } = await answered.json()
    expect('a token of ours', (await call(token)).slice(0, 2), [200, '["job",true]'])
    const registered = await fetch(`${url}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['http://127.0.0.1:1/cb'], token_endpoint_auth_method: 'none' }),
    })
    expect('a registration, which is kept', registered.status, 201)
    const { client_id: clientId } = await registered.json()
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: clientId,
      redirect_uri: 'http://127.0.0.1:1/cb',
      code_challenge: 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM',
      code_challenge_method: 'S256',
    })
    const left = await fetch(`${url}/authorize?${query}`, { redirect: 'manual' })
    const location = left.headers.get('location') ?? ''
    expect('an authorization request', [left.status, location.split('?')[0]], [302, `${url}/sign-in`])
    const page = await fetch(location, { headers: { cookie: left.headers.get('set-cookie').split(';')[0] } })
    expect('a page', [page.status, (await page.text()).includes('name="password"')], [200, true])
    await provider.close()
  })
}

/** In memory, for where there is no file to keep anything in. */
export async function checkServerInMemory(host) {
  await checkServer(host, new MemoryStore())
}

/** In front of an identity provider, which is asked only when somebody comes. */
export function checkProxy() {
  new OIDCProxy({
    configUrl: 'https://login.example.com/.well-known/openid-configuration',
    clientId: 'id',
    clientSecret: 'secret',
    baseUrl: 'https://api.example.com',
    secret,
    store: new MemoryStore(),
  })
}
