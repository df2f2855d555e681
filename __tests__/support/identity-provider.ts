// The identity provider of a company, on loopback: oidc-provider with one client that was registered beforehand, pages where
// people sign in and consent, and what such a service does to those who depend on it: it fails, rotates, revokes and goes away.
// One thing despite its length: the double of one service. All of it is here so that a test reads one type to know what there is.
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createLocalJWKSet, jwtVerify } from 'jose'
import type * as OidcPackage from 'oidc-provider'
import type { Adapter, AdapterFactory, AdapterPayload, Configuration, Provider } from 'oidc-provider'
import { type SafeHtml, html } from '../../lib/protocol/html.js'
import { type Browser, type Shown, formOf } from './browser-session.js'
import { type SigningKey, createKey } from './issuer.js'
import { startServer } from './site.js'

const PATHS = {
  authorization: '/authorize',
  token: '/token',
  revocation: '/revoke',
  introspection: '/introspect',
  userinfo: '/userinfo',
  jwks: '/jwks',
  discovery: '/.well-known/openid-configuration',
} as const

/** An endpoint that can be broken. */
export type IdentityProviderEndpoint = keyof typeof PATHS

/**
 * What a broken endpoint does: answers a status (3xx leads to `/elsewhere`), says nothing, cuts the line unheard, answers a page
 * with status 200, or does what it is asked and cuts the line instead of saying so.
 */
export type IdentityProviderFailure = number | 'hang' | 'reset' | 'html' | 'lost'

/** What is known of a person. */
export interface AccountClaims {
  readonly sub: string
  readonly [claim: string]: unknown
}

export interface IdentityProviderOptions {
  /** The one place where people are sent back to. */
  readonly redirectUri: string
  readonly clientId?: string
  readonly clientSecret?: string
  /** How the client has to show who it is. The other ways are refused, save that nobody looks at a secret in a form without need. */
  readonly clientAuth?: 'client_secret_basic' | 'client_secret_post' | 'none'
  /** Scopes beside openid, profile, email and offline_access. */
  readonly scopes?: readonly string[]
  /** People by login. The password is the login with an exclamation mark. */
  readonly accounts?: Readonly<Record<string, AccountClaims>>
  /** Without it, access tokens are JWTs for what has a resource or a default audience, and opaque otherwise. */
  readonly accessTokens?: 'jwt' | 'opaque'
  /** Whom access tokens are for when no resource is asked for. Stands in `aud` as it is. */
  readonly defaultAudience?: string
  /** Whether a `resource` other than the default audience is taken; refused with invalid_target unless `accept`. */
  readonly resources?: 'accept' | 'refuse'
  /** Refuses authorization requests without a code challenge. One that is sent is held against the verifier in any case. */
  readonly requirePkce?: boolean
  /** `localhost` makes it another site than 127.0.0.1 to a browser. */
  readonly hostname?: '127.0.0.1' | 'localhost'
}

/** A request as it came. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** The header, with whatever secret is in it. */
  readonly authorization: string | undefined
  /** What was posted, once it was read. */
  readonly form?: Readonly<Record<string, string>>
}

/** A running identity provider. */
export interface TestIdentityProvider {
  readonly issuer: string
  readonly configUrl: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly revocationEndpoint: string
  readonly introspectionEndpoint: string
  readonly userinfoEndpoint: string
  readonly jwksUri: string
  readonly clientId: string
  /** Not registered, and so of no use, where the client authenticates by `none`. */
  readonly clientSecret: string
  /** What it was asked, in order. */
  readonly requests: SeenRequest[]
  /** People by login; whoever is deleted is gone. */
  readonly accounts: Map<string, AccountClaims>
  /** Changed by whoever runs the service, when the app has moved. */
  redirectUri: string
  /** How long the access tokens live that are issued from now on. */
  accessTokenSeconds: number
  /** Whether refresh tokens are issued at all. */
  issueRefreshTokens: boolean
  /** Whether every refresh brings another refresh token; the one before then kills the grant when it comes again. */
  rotateRefreshTokens: boolean
  /** What a person allows of what is asked, whenever a consent page is answered; undefined is all of it. */
  grantedScopes: readonly string[] | undefined
  /** Signs with a new key from now on; those before stay published. */
  rotateKeys(): void
  /** Breaks an endpoint until it is told `undefined`. */
  failWith(endpoint: IdentityProviderEndpoint, failure: IdentityProviderFailure | undefined): void
  /** Forgets who is signed in and everything that was granted, to everybody. JWTs stay good until they expire. */
  endSessions(): void
  /** Takes back what one person granted, who stays signed in. JWTs stay good until they expire. */
  revokeGrantsOf(login: string): void
  /** Stops listening; its records are kept. */
  stop(): Promise<void>
  /** Listens again, on the same port. */
  start(): Promise<void>
  /** Stops listening, for good. */
  close(): Promise<void>
}

/** For characters that mean something in a form or in Basic credentials, and have to be encoded there (RFC 6749 2.3.1). */
const SECRET = 'a+company/secret: 100% of=it & more'

const ACCOUNTS: Readonly<Record<string, AccountClaims>> = {
  ada: { sub: 'idp|ada', name: 'Ada Lovelace', email: 'ada@example.com', email_verified: true },
  grace: { sub: 'idp|grace', name: 'Grace Hopper', email: 'grace@example.com', email_verified: true },
}

/** Stands for the default audience inside of oidc-provider, where a resource has to be a URI. */
const DEFAULT_RESOURCE = 'urn:default-audience'

/** Starts one on a free port. */
export async function startIdentityProvider(options: IdentityProviderOptions): Promise<TestIdentityProvider> {
  const { Provider: OidcProvider, errors } = await loadOidcProvider()
  const { clientId = 'mcp-proxy', clientSecret = SECRET, clientAuth = 'client_secret_basic' } = options
  const { accessTokens, defaultAudience, hostname = '127.0.0.1' } = options
  const scopes = ['openid', 'profile', 'email', 'offline_access', ...(options.scopes ?? [])]
  const records = new Map<string, AdapterPayload>()
  const failures = new Map<string, IdentityProviderFailure>()
  const seen = new WeakMap<IncomingMessage, Writable<SeenRequest>>()
  const keys: SigningKey[] = []
  let { redirectUri } = options
  let provider: Provider

  const listen = (port?: number): ReturnType<typeof startServer> => startServer(answer, port)
  let server: Awaited<ReturnType<typeof listen>> | undefined = await listen()
  const { port } = new URL(server.url)
  const issuer = `http://${hostname}:${port}`

  const running: TestIdentityProvider = {
    issuer,
    configUrl: issuer + PATHS.discovery,
    authorizationEndpoint: issuer + PATHS.authorization,
    tokenEndpoint: issuer + PATHS.token,
    revocationEndpoint: issuer + PATHS.revocation,
    introspectionEndpoint: issuer + PATHS.introspection,
    userinfoEndpoint: issuer + PATHS.userinfo,
    jwksUri: issuer + PATHS.jwks,
    clientId,
    clientSecret,
    requests: [],
    accounts: new Map(Object.entries(options.accounts ?? ACCOUNTS)),
    accessTokenSeconds: 3600,
    issueRefreshTokens: true,
    rotateRefreshTokens: false,
    grantedScopes: undefined,
    get redirectUri() {
      return redirectUri
    },
    set redirectUri(uri) {
      redirectUri = uri
      provider = build()
    },
    rotateKeys() {
      keys.unshift(createKey('RS256', `idp-key-${keys.length + 1}`))
      provider = build()
    },
    failWith(endpoint, failure) {
      if (failure === undefined) failures.delete(PATHS[endpoint])
      else failures.set(PATHS[endpoint], failure)
    },
    endSessions() {
      records.clear()
    },
    revokeGrantsOf(login) {
      const sub = running.accounts.get(login)?.sub
      for (const [key, { kind, accountId }] of records)
        if (accountId === sub && kind !== 'Session') records.delete(key)
    },
    async stop() {
      await server?.close()
      server = undefined
    },
    async start() {
      server ??= await listen(Number(port))
    },
    close: () => running.stop(),
  }
  const adapter = createAdapter(records)
  running.rotateKeys()
  return running

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(request.url ?? '/', issuer)
    const entry: SeenRequest = {
      method: request.method ?? '',
      path: pathname,
      query: Object.fromEntries(searchParams),
      authorization: request.headers.authorization,
    }
    running.requests.push(entry)
    seen.set(request, entry)
    // Whoever asked may be gone before an answer is ready.
    route(pathname, request, response).catch(() => response.destroy())
  }

  async function route(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const failure = failures.get(path)
    if (failure !== undefined && failure !== 'lost') {
      await readForm(request)
      fail(failure, request, response)
      return
    }
    if (failure === 'lost') loseAnswer(request, response)
    // oidc-provider would take a secret either way, and most do not.
    const isBasic = /^basic /i.test(request.headers.authorization ?? '')
    if (isBasic && clientAuth !== 'client_secret_basic') delete request.headers.authorization
    const person = path === PATHS.userinfo ? await personOf(request) : undefined
    if (path.startsWith('/interaction/')) await interact(request, response)
    else if (person !== undefined)
      response.setHeader('content-type', 'application/json').end(JSON.stringify(person))
    else await provider.callback()(request, response)
  }

  async function readForm(request: IncomingMessage): Promise<Readonly<Record<string, string>>> {
    let body = ''
    for await (const chunk of request.setEncoding('utf8')) body += String(chunk)
    return note(request, Object.fromEntries(new URLSearchParams(body)))
  }

  function note<Form extends Readonly<Record<string, string>>>(request: IncomingMessage, form: Form): Form {
    const entry = seen.get(request)
    if (entry !== undefined && request.method === 'POST') entry.form = form
    return form
  }

  function fail(
    failure: Exclude<IdentityProviderFailure, 'lost'>,
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (failure === 'hang') return
    if (failure === 'reset') request.socket.resetAndDestroy()
    else if (failure === 'html') show(response, 200, 'Maintenance', html`<p>We will be back soon.</p>`)
    else {
      const location = failure >= 300 && failure < 400 ? { location: `${issuer}/elsewhere` } : {}
      response.writeHead(failure, { 'content-type': 'application/json', ...location })
      response.end('{"error":"server_error","error_description":"broken for a test"}')
    }
  }

  async function interact(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const found = await provider.interactionDetails(request, response).catch(() => undefined)
    if (found === undefined) {
      show(response, 400, 'Start again', html`<p>Nobody is expected to sign in here any more.</p>`)
      return
    }
    const { prompt, params, session } = found
    const asked = typeof params['scope'] === 'string' ? params['scope'].split(' ') : []
    if (request.method !== 'POST') {
      if (prompt.name === 'login') showSignIn(response, 200)
      else showConsent(response, clientId, asked)
      return
    }

    const form = await readForm(request)
    if (form['decision'] === 'deny') {
      const error = { error: 'access_denied', error_description: 'the person said no' }
      await provider.interactionFinished(request, response, error)
    } else if (prompt.name === 'login') {
      // A browser of the other tests types what it knows as `username`.
      const login = form['login'] || form['username'] || ''
      const account = running.accounts.get(login)
      if (account === undefined || form['password'] !== `${login}!`) {
        showSignIn(response, 401, 'Wrong login or password.')
        return
      }
      await provider.interactionFinished(request, response, { login: { accountId: account.sub } })
    } else {
      const consent = { grantId: await grant(session?.accountId ?? '', asked, params['resource']) }
      await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
    }
  }

  /** A grant of its own for each consent, so that what is allowed now is all that the tokens get. */
  function grant(accountId: string, asked: readonly string[], resource: unknown): Promise<string> {
    const allowed = asked.filter((scope) => running.grantedScopes?.includes(scope) ?? true).join(' ')
    const refused = asked.filter((scope) => running.grantedScopes?.includes(scope) === false).join(' ')
    const made = new provider.Grant({ accountId, clientId })
    if (allowed !== '') made.addOIDCScope(allowed)
    if (refused !== '') made.rejectOIDCScope(refused)
    for (const indicator of [resource].flat().filter((each) => typeof each === 'string')) {
      if (allowed !== '') made.addResourceScope(indicator, allowed)
      if (refused !== '') made.rejectResourceScope(indicator, refused)
    }
    return made.save()
  }

  /** Who a token is about that is for somebody else. oidc-provider keeps userinfo from those; companies' servers do not. */
  async function personOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>> | undefined> {
    const token = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1]
    if (token === undefined) return undefined
    const published = createLocalJWKSet({ keys: keys.map(({ jwk }) => ({ kty: 'RSA', ...jwk })) })
    const opaque = await provider.AccessToken.find(token)
    const { sub, scope } =
      opaque === undefined
        ? await jwtVerify<{ scope?: string }>(token, published, { issuer }).then(
            ({ payload }) => payload,
            () => ({ sub: undefined, scope: undefined }),
          )
        : { sub: opaque.accountId, scope: opaque.scope }
    const account = accountOf(sub)
    const granted = (scope ?? '').split(' ')
    if (account === undefined || !granted.includes('openid')) return undefined
    const names = new Set(granted.flatMap((each) => claimNames().get(each) ?? []))
    return Object.fromEntries(Object.entries(account).filter(([name]) => names.has(name)))
  }

  function accountOf(sub: string | undefined): AccountClaims | undefined {
    return [...running.accounts.values()].find((account) => account.sub === sub)
  }

  /** Which claims a scope shows: whatever is neither `sub` nor about mail belongs to the profile. */
  function claimNames(): ReadonlyMap<string, readonly string[]> {
    const email = ['email', 'email_verified']
    const known = new Set([
      'name',
      ...[...running.accounts.values()].flatMap((claims) => Object.keys(claims)),
    ])
    const profile = [...known].filter((name) => name !== 'sub' && !email.includes(name))
    return new Map(Object.entries({ openid: ['sub'], profile, email }))
  }

  function build(): Provider {
    const built = new OidcProvider(issuer, configure())
    // What the provider has read of a body cannot be read again.
    built.use(async (context, next) => {
      await next()
      const { oidc } = context as unknown as { oidc?: { body?: Record<string, string> } }
      if (oidc?.body !== undefined) note(context.req, { ...oidc.body })
    })
    return built
  }

  function configure(): Configuration {
    const isDefaulted = defaultAudience !== undefined || accessTokens === 'jwt'
    return {
      adapter,
      jwks: {
        keys: keys.map(({ jwk, privateKey }) => ({ ...jwk, ...privateKey.export({ format: 'jwk' }) })),
      },
      clients: [
        {
          client_id: clientId,
          ...(clientAuth !== 'none' && { client_secret: clientSecret }),
          redirect_uris: [redirectUri],
          grant_types: ['authorization_code', 'refresh_token'],
          response_types: ['code'],
          token_endpoint_auth_method: clientAuth,
        },
      ],
      clientAuthMethods: [clientAuth],
      cookies: {
        keys: ['signs the cookies of a test'],
        // A browser does not tell ports apart, so the names must not be those of the app beside it.
        names: { session: 'idp_session', interaction: 'idp_interaction', resume: 'idp_resume' },
      },
      routes: {
        authorization: PATHS.authorization,
        token: PATHS.token,
        revocation: PATHS.revocation,
        introspection: PATHS.introspection,
        userinfo: PATHS.userinfo,
        jwks: PATHS.jwks,
      },
      pkce: { required: () => options.requirePkce === true || clientAuth === 'none' },
      scopes,
      claims: Object.fromEntries([...claimNames()].map(([scope, names]) => [scope, [...names]])),
      conformIdTokenClaims: false,
      findAccount: (_context, id) => {
        const account = accountOf(id)
        return account && { accountId: id, claims: () => account }
      },
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      issueRefreshToken: (_context, client) =>
        running.issueRefreshTokens && client.grantTypeAllowed('refresh_token'),
      expiresWithSession: () => false,
      renderError(context, { error, error_description: description }) {
        context.type = 'html'
        context.body = pageOf('This did not work', html`<p><code>${error}</code> ${description}</p>`)
      },
      rotateRefreshToken: () => running.rotateRefreshTokens,
      ttl: {
        AccessToken: () => running.accessTokenSeconds,
        Grant: 86_400,
        IdToken: 3600,
        Interaction: 3600,
        RefreshToken: 86_400,
        Session: 3600,
      },
      features: {
        devInteractions: { enabled: false },
        registration: { enabled: false },
        revocation: {
          enabled: true,
          allowedPolicy: (_context, client, token) => token.clientId === client.clientId,
        },
        introspection: { enabled: true, allowedPolicy: () => true },
        resourceIndicators: {
          enabled: true,
          defaultResource: (_context, _client, oneOf) =>
            oneOf?.[0] ?? (isDefaulted ? DEFAULT_RESOURCE : undefined),
          getResourceServerInfo: (_context, indicator) => {
            const isDefault = indicator === DEFAULT_RESOURCE || indicator === defaultAudience
            if (!isDefault && options.resources !== 'accept') throw new errors.InvalidTarget()
            return {
              scope: scopes.join(' '),
              audience: isDefault ? (defaultAudience ?? issuer) : indicator,
              accessTokenFormat: accessTokens ?? 'jwt',
              jwt: { sign: { alg: 'RS256' } },
            }
          },
          useGrantedResource: () => true,
        },
      },
    }
  }
}

/**
 * A person at the pages of an identity provider, from a URL that is there or leads there: signs in and decides where that is
 * asked. Returns where they are sent back to, which begins with `destination` and is not asked for.
 */
export async function signInAt(
  browser: Browser,
  url: URL | string,
  login: string,
  { destination, consent = true }: { readonly destination: string; readonly consent?: boolean },
): Promise<URL> {
  let shown = await browser.go(url, destination)
  for (let step = 0; step < 3 && !shown.url.href.startsWith(destination); step++) {
    const typed = typedInto(shown, login, consent)
    if (typed === undefined) break
    const form = formOf(shown)
    shown = await browser.go(form.action, destination, { ...form.fields, ...typed })
  }
  if (!shown.url.href.startsWith(destination))
    throw new Error(`stuck at ${shown.url.href}: ${shown.status} ${shown.html.slice(0, 2000)}`)
  return shown.url
}

function typedInto(
  { html: page }: Shown,
  login: string,
  consent: boolean,
): Readonly<Record<string, string>> | undefined {
  if (page.includes('id="idp-sign-in"')) return { login, password: `${login}!`, decision: 'allow' }
  return page.includes('id="idp-consent"') ? { decision: consent ? 'allow' : 'deny' } : undefined
}

function showSignIn(response: ServerResponse, status: number, problem?: string): void {
  show(
    response,
    status,
    'Sign in to Example Company',
    html`${problem !== undefined && html`<p role="alert">${problem}</p>`}
      <form id="idp-sign-in" method="post" action="">
        <label>Login <input name="login" autocomplete="username" autofocus /></label>
        <label>Password <input name="password" type="password" autocomplete="current-password" /></label>
        <button name="decision" value="allow">Sign in</button>
        <button name="decision" value="deny">Cancel</button>
      </form>`,
  )
}

function showConsent(response: ServerResponse, clientId: string, scopes: readonly string[]): void {
  show(
    response,
    200,
    'Example Company asks you',
    html`<p>${clientId} would like:</p>
      <ul>
        ${scopes.map((scope) => html`<li>${scope}</li>`)}
      </ul>
      <form id="idp-consent" method="post" action="">
        <button name="decision" value="allow">Allow</button>
        <button name="decision" value="deny">Deny</button>
      </form>`,
  )
}

function show(response: ServerResponse, status: number, title: string, body: SafeHtml): void {
  response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
  response.end(pageOf(title, body))
}

function pageOf(title: string, body: SafeHtml): string {
  const page = html`<html lang="en">
    <head>
      <meta charset="utf-8" />
      <title>${title}</title>
    </head>
    <body>
      <h1>${title}</h1>
      ${body}
    </body>
  </html>`
  return `<!doctype html>${page.toString()}`
}

/** Everything happens, and whoever asked does not hear of it. */
function loseAnswer(request: IncomingMessage, response: ServerResponse): void {
  response.end = () => {
    request.socket.destroy()
    return response
  }
}

/** Records that outlive the provider, which is made anew when its keys change. */
function createAdapter(records: Map<string, AdapterPayload>): AdapterFactory {
  return (model): Adapter => {
    const find = async (name: 'uid' | 'userCode', value: string): Promise<AdapterPayload | undefined> =>
      [...records.values()].find((payload) => payload.kind === model && payload[name] === value)
    return {
      find: async (id) => records.get(`${model}:${id}`),
      findByUid: (uid) => find('uid', uid),
      findByUserCode: (code) => find('userCode', code),
      async upsert(id, payload) {
        records.set(`${model}:${id}`, payload)
      },
      async consume(id) {
        records.set(`${model}:${id}`, { ...records.get(`${model}:${id}`), consumed: true })
      },
      async destroy(id) {
        records.delete(`${model}:${id}`)
      },
      async revokeByGrantId(grantId) {
        for (const [key, payload] of records) if (payload.grantId === grantId) records.delete(key)
      },
    }
  }
}

/** The package runs on Node 20 as well, but says while it loads that it would rather not. */
export async function loadOidcProvider(): Promise<typeof OidcPackage> {
  const { warn } = console
  console.warn = (message: unknown, ...rest: unknown[]) => {
    if (!String(message).includes('oidc-provider WARNING: Unsupported runtime')) warn(message, ...rest)
  }
  try {
    return await import('oidc-provider')
  } finally {
    console.warn = warn
  }
}

type Writable<Type> = { -readonly [Name in keyof Type]: Type[Name] }
