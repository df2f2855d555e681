// Identity providers whose access tokens are JWTs, each against its documented endpoints and the tokens that it issues.
import { afterEach, describe, expect, it } from '@jest/globals'
import { RemoteAuthProvider, exchangeToken } from 'express-mcp-auth'
import { Auth0MCPProvider, Auth0Provider } from 'express-mcp-auth/providers/auth0'
import { AWSCognitoProvider } from 'express-mcp-auth/providers/aws-cognito'
import {
  AzureJWTVerifier,
  type AzureJWTVerifierOptions,
  AzureProvider,
} from 'express-mcp-auth/providers/azure'
import { AzureB2CProvider } from 'express-mcp-auth/providers/azure-b2c'
import { OCIProvider } from 'express-mcp-auth/providers/oci'
import { OktaProvider } from 'express-mcp-auth/providers/okta'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { testClock } from 'express-mcp-auth/testing'
import { OptionReader } from '../../../lib/protocol/options.js'
import { tokenForm } from '../../../lib/protocol/jws-guard.js'
import { explainEntra } from '../../../lib/providers/entra/errors.js'
import type { ServerProvider } from '../../../lib/providers/server-provider.js'
import { createDeps } from '../../../lib/runtime/deps.js'
import { REDIRECT_URI, type Registered, SECRET } from '../../support/authorization-server.js'
import { configErrorOf } from '../../support/config-error.js'
import { type Json, claimsOf, createKey, signParts } from '../../support/issuer.js'
import { createRecorder } from '../../support/recorder.js'
import { refusalOf, startSite } from '../../support/site.js'
import { type Common, Vendor, type VendorSite, answer, startVendorSite } from '../../support/vendor.js'

const NOW = 1_700_000_000
const TENANT = '72f988bf-86f1-41af-91ab-2d7cd011db47'
const BASIC = `Basic ${Buffer.from('our-app:our-secret').toString('base64')}`
const key = createKey('RS256', 'published')
/** What a spec is given beside its options. */
const APP = { clientId: 'our-app', clientSecret: undefined, deps: createDeps() }
const READ = new OptionReader('Provider', {}, [])

/** One identity provider: what is passed, what its documentation says of its endpoints and tokens, and what is to come of it. */
interface Row {
  readonly name: string
  readonly create: (common: Common) => ServerProvider
  /** URL of its document, and what it says beside the endpoints. */
  readonly discovery?: string
  readonly issuer: string
  readonly endpoints: { readonly authorize: string; readonly token: string; readonly keys: string }
  /** What the client asks for. */
  readonly asks: string
  /** How that is asked there, and what else is in the URL beside the protocol. */
  readonly scope: string
  readonly params?: Readonly<Record<string, string>>
  /** Whether it is told the resource (RFC 8707). Some refuse to be. */
  readonly toldResource?: true
  /** What is repeated when the code is exchanged. */
  readonly repeats?: string
  readonly secret: 'header' | 'form'
  readonly accessToken: Json
  /** Absent where none comes. */
  readonly idToken?: Json
  /** Scopes in its answer. */
  readonly told?: string
  readonly granted: string
  readonly subject: string
  /** Claims for tools, and those that they do not see. */
  readonly claims: Json
  readonly hidden?: readonly string[]
  /** Tokens of the same keys that are not for this app. */
  readonly others: Readonly<Record<string, Json>>
  /** More that are good. */
  readonly alsoGood?: Readonly<Record<string, Json>>
}

const azure = (options: object) => (common: Common) =>
  new AzureProvider({ ...common, tenantId: TENANT, requiredScopes: ['mcp.use'], ...options })

const ENTRA = {
  endpoints: {
    authorize: `https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/authorize`,
    token: `https://login.microsoftonline.com/${TENANT}/oauth2/v2.0/token`,
    keys: `https://login.microsoftonline.com/${TENANT}/discovery/v2.0/keys`,
  },
  issuer: `https://login.microsoftonline.com/${TENANT}/v2.0`,
  secret: 'form',
  // A token of version 2.
  accessToken: {
    iss: `https://login.microsoftonline.com/${TENANT}/v2.0`,
    aud: 'our-app',
    azp: 'our-app',
    azpacr: '1',
    name: 'Ada Lovelace',
    oid: 'object-1',
    preferred_username: 'ada@contoso.com',
    rh: '0.AS',
    roles: ['Reader'],
    scp: 'mcp.use',
    sub: 'pairwise-1',
    tid: TENANT,
    uti: 'x',
    ver: '2.0',
  },
  subject: 'pairwise-1',
  claims: { sub: 'pairwise-1', oid: 'object-1', tid: TENANT, name: 'Ada Lovelace', roles: ['Reader'] },
  hidden: ['rh', 'uti', 'ver'],
} as const

const COGNITO = 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbC123xyz'

const ROWS: readonly Row[] = [
  {
    ...ENTRA,
    name: 'Azure',
    create: azure({
      additionalAuthorizeScopes: ['https://graph.microsoft.com/User.Read'],
      scopesSupported: ['openid', 'profile'],
    }),
    asks: 'mcp.use openid profile',
    scope: 'api://our-app/mcp.use openid profile offline_access https://graph.microsoft.com/User.Read',
    repeats: 'api://our-app/mcp.use openid profile offline_access',
    idToken: { sub: 'pairwise-1', name: 'Ada Lovelace' },
    told: 'api://our-app/mcp.use',
    granted: 'mcp.use openid profile',
    others: {
      'for Microsoft Graph': { aud: '00000003-0000-0000-c000-000000000000' },
      'for another app': { aud: 'another-app' },
      'of another tenant': {
        iss: 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0',
      },
      'of another cloud': { iss: `https://login.microsoftonline.us/${TENANT}/v2.0` },
    },
    alsoGood: {
      'of version 1': {
        iss: `https://sts.windows.net/${TENANT}/`,
        aud: 'api://our-app',
        azp: undefined,
        appid: 'our-app',
        ver: '1.0',
      },
    },
  },
  {
    ...ENTRA,
    name: 'Azure for every tenant',
    create: azure({ tenantId: 'organizations', identifierUri: 'https://contoso.com/notes/' }),
    endpoints: {
      authorize: 'https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize',
      token: 'https://login.microsoftonline.com/organizations/oauth2/v2.0/token',
      keys: 'https://login.microsoftonline.com/organizations/discovery/v2.0/keys',
    },
    asks: 'mcp.use',
    scope: 'https://contoso.com/notes/mcp.use offline_access',
    repeats: 'https://contoso.com/notes/mcp.use offline_access',
    told: 'https://contoso.com/notes/mcp.use',
    granted: 'mcp.use',
    others: {
      'that names another tenant than its issuer': { tid: '9188040d-6c67-4c5b-b112-36a304b66dad' },
      'that names no tenant': { tid: undefined },
      'of another cloud': { iss: `https://login.microsoftonline.us/${TENANT}/v2.0` },
    },
    alsoGood: {
      'of another tenant': {
        iss: 'https://login.microsoftonline.com/5ba552d6-0000-0000-0000-000000000000/v2.0',
        tid: '5ba552d6-0000-0000-0000-000000000000',
      },
      'of version 1': { iss: `https://sts.windows.net/${TENANT}/` },
    },
  },
  {
    ...ENTRA,
    name: 'Azure for personal accounts',
    create: azure({ tenantId: 'consumers' }),
    endpoints: {
      authorize: 'https://login.microsoftonline.com/consumers/oauth2/v2.0/authorize',
      token: 'https://login.microsoftonline.com/consumers/oauth2/v2.0/token',
      keys: 'https://login.microsoftonline.com/consumers/discovery/v2.0/keys',
    },
    issuer: 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0',
    asks: 'mcp.use',
    scope: 'api://our-app/mcp.use offline_access',
    repeats: 'api://our-app/mcp.use offline_access',
    accessToken: {
      ...ENTRA.accessToken,
      iss: 'https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0',
    },
    granted: 'mcp.use',
    others: { 'of a tenant': { iss: ENTRA.issuer } },
  },
  {
    ...ENTRA,
    name: 'Azure for external users',
    create: azure({ baseAuthority: 'contoso.ciamlogin.com' }),
    endpoints: {
      authorize: `https://contoso.ciamlogin.com/${TENANT}/oauth2/v2.0/authorize`,
      token: `https://contoso.ciamlogin.com/${TENANT}/oauth2/v2.0/token`,
      keys: `https://contoso.ciamlogin.com/${TENANT}/discovery/v2.0/keys`,
    },
    issuer: `https://${TENANT}.ciamlogin.com/${TENANT}/v2.0`,
    asks: 'mcp.use',
    scope: 'api://our-app/mcp.use offline_access',
    repeats: 'api://our-app/mcp.use offline_access',
    accessToken: { ...ENTRA.accessToken, iss: `https://${TENANT}.ciamlogin.com/${TENANT}/v2.0` },
    granted: 'mcp.use',
    others: { 'of employees': { iss: ENTRA.issuer } },
  },
  {
    ...ENTRA,
    name: 'Azure AD B2C',
    create: (common) =>
      new AzureB2CProvider({
        ...common,
        tenantName: 'contoso',
        policyName: 'B2C_1_in',
        requiredScopes: ['mcp.use'],
      }),
    discovery:
      'https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_in/v2.0/.well-known/openid-configuration',
    issuer: `https://contoso.b2clogin.com/${TENANT}/v2.0/`,
    endpoints: {
      authorize: 'https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_in/oauth2/v2.0/authorize',
      token: 'https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_in/oauth2/v2.0/token',
      keys: 'https://contoso.b2clogin.com/contoso.onmicrosoft.com/B2C_1_in/discovery/v2.0/keys',
    },
    asks: 'mcp.use',
    scope: 'https://contoso.onmicrosoft.com/our-app/mcp.use offline_access',
    repeats: 'https://contoso.onmicrosoft.com/our-app/mcp.use offline_access',
    accessToken: {
      iss: `https://contoso.b2clogin.com/${TENANT}/v2.0/`,
      aud: 'our-app',
      azp: 'our-app',
      scp: 'mcp.use',
      // As a user flow without a subject claim writes it for everybody.
      sub: 'Not supported currently. Use oid claim.',
      oid: 'object-1',
      tfp: 'B2C_1_in',
      name: 'Ada Lovelace',
    },
    granted: 'mcp.use',
    subject: 'object-1',
    claims: { sub: 'object-1', oid: 'object-1', name: 'Ada Lovelace' },
    hidden: ['tfp'],
    others: {
      'for another app': { aud: 'another-app' },
      'of another tenant': { iss: ENTRA.issuer },
      'P9 that names nobody by its object ID': { oid: undefined, sub: 'object-1' },
    },
  },
  {
    name: 'Auth0',
    create: (common) =>
      new Auth0Provider({
        ...common,
        domain: 'notes.eu.auth0.com',
        audience: 'https://api.example.com/mcp',
        scopesSupported: ['read:notes', 'write:notes'],
      }),
    discovery: 'https://notes.eu.auth0.com/.well-known/openid-configuration',
    issuer: 'https://notes.eu.auth0.com/',
    endpoints: {
      authorize: 'https://notes.eu.auth0.com/authorize',
      token: 'https://notes.eu.auth0.com/oauth/token',
      keys: 'https://notes.eu.auth0.com/.well-known/jwks.json',
    },
    asks: 'read:notes write:notes',
    scope: 'openid read:notes write:notes offline_access',
    params: { audience: 'https://api.example.com/mcp' },
    secret: 'header',
    accessToken: {
      iss: 'https://notes.eu.auth0.com/',
      sub: 'auth0|ada',
      aud: ['https://api.example.com/mcp', 'https://notes.eu.auth0.com/userinfo'],
      azp: 'our-app',
      scope: 'openid read:notes offline_access',
      permissions: ['write:notes'],
      gty: 'password',
    },
    idToken: { sub: 'auth0|ada', name: 'Ada Lovelace' },
    granted: 'openid read:notes write:notes',
    subject: 'auth0|ada',
    claims: { sub: 'auth0|ada', name: 'Ada Lovelace' },
    // They count as scopes, and what a token of ours allows only its own scopes say.
    hidden: ['permissions'],
    others: {
      'for another API': { aud: ['https://other.example.com', 'https://notes.eu.auth0.com/userinfo'] },
      'of another tenant': { iss: 'https://other.eu.auth0.com/' },
      'whose issuer lacks its slash': { iss: 'https://notes.eu.auth0.com' },
    },
  },
  {
    name: 'Amazon Cognito',
    create: (common) => new AWSCognitoProvider({ ...common, userPoolId: 'eu-central-1_AbC123xyz' }),
    discovery: `${COGNITO}/.well-known/openid-configuration`,
    issuer: COGNITO,
    endpoints: {
      authorize: 'https://notes.auth.eu-central-1.amazoncognito.com/oauth2/authorize',
      token: 'https://notes.auth.eu-central-1.amazoncognito.com/oauth2/token',
      keys: `${COGNITO}/.well-known/jwks.json`,
    },
    asks: 'openid',
    scope: 'openid',
    secret: 'header',
    accessToken: {
      sub: 'aaaaaaaa-bbbb',
      'cognito:groups': ['admins'],
      iss: COGNITO,
      version: 2,
      client_id: 'our-app',
      aud: undefined,
      origin_jti: 'x',
      token_use: 'access',
      scope: 'openid',
      username: 'ada',
    },
    idToken: {
      sub: 'aaaaaaaa-bbbb',
      token_use: 'id',
      'cognito:username': 'ada',
      'cognito:groups': ['admins'],
    },
    granted: 'openid',
    subject: 'aaaaaaaa-bbbb',
    claims: { sub: 'aaaaaaaa-bbbb', username: 'ada', 'cognito:groups': ['admins'] },
    hidden: ['version', 'origin_jti', 'cognito:username'],
    others: {
      'for another app client': { client_id: 'another-app' },
      'for no app client': { client_id: undefined },
      'of another pool': { iss: 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other' },
      'that is an ID token': { token_use: 'id' },
      'that does not say what it is': { token_use: undefined },
    },
  },
  {
    name: 'Okta',
    create: (common) =>
      new OktaProvider({ ...common, oktaDomain: 'https://example.okta.com/', scopesSupported: ['notes'] }),
    discovery: 'https://example.okta.com/oauth2/default/.well-known/openid-configuration',
    issuer: 'https://example.okta.com/oauth2/default',
    endpoints: {
      authorize: 'https://example.okta.com/oauth2/default/v1/authorize',
      token: 'https://example.okta.com/oauth2/default/v1/token',
      keys: 'https://example.okta.com/oauth2/default/v1/keys',
    },
    asks: 'openid notes',
    scope: 'openid notes offline_access',
    secret: 'header',
    accessToken: {
      ver: 1,
      iss: 'https://example.okta.com/oauth2/default',
      aud: 'api://default',
      cid: 'our-app',
      uid: '00uid4BxXw6I6TV4m0g3',
      scp: ['openid', 'notes', 'offline_access'],
      sub: 'ada@example.com',
    },
    idToken: { sub: '00uid4BxXw6I6TV4m0g3', name: 'Ada Lovelace' },
    granted: 'openid notes',
    subject: '00uid4BxXw6I6TV4m0g3',
    claims: { sub: '00uid4BxXw6I6TV4m0g3', name: 'Ada Lovelace' },
    others: {
      'for another app of the same server': { cid: 'another-app' },
      'for another audience': { aud: 'api://other' },
      'of another server': { iss: 'https://example.okta.com/oauth2/aus1' },
      'of the organization': { iss: 'https://example.okta.com', aud: 'https://example.okta.com' },
      'of nobody': { uid: undefined },
    },
  },
  {
    name: 'Oracle Cloud',
    create: (common) =>
      new OCIProvider({
        ...common,
        clientSecret: 'our-secret',
        configUrl: 'https://idcs-0a1b.identity.oraclecloud.com/.well-known/openid-configuration',
      }),
    discovery: 'https://idcs-0a1b.identity.oraclecloud.com/.well-known/openid-configuration',
    issuer: 'https://identity.oraclecloud.com/',
    endpoints: {
      authorize: 'https://idcs-0a1b.identity.oraclecloud.com/oauth2/v1/authorize',
      token: 'https://idcs-0a1b.identity.oraclecloud.com/oauth2/v1/token',
      keys: 'https://idcs-0a1b.identity.oraclecloud.com/admin/v1/SigningCert/jwk',
    },
    asks: 'openid',
    scope: 'openid offline_access',
    toldResource: true,
    secret: 'header',
    accessToken: {
      iss: 'https://identity.oraclecloud.com/',
      aud: ['https://idcs-0a1b.identity.oraclecloud.com', 'urn:opc:lbaas:logicalguid=idcs-0a1b'],
      client_id: 'our-app',
      sub: 'ada@example.com',
      sub_type: 'user',
      sub_mappingattr: 'userName',
      tok_type: 'AT',
      user_id: '81c6aeb7e29d4c30',
      user_displayname: 'Ada Lovelace',
      scope: 'openid offline_access',
    },
    idToken: { sub: 'ada@example.com', user_id: '81c6aeb7e29d4c30' },
    granted: 'openid',
    subject: '81c6aeb7e29d4c30',
    claims: { sub: '81c6aeb7e29d4c30', user_displayname: 'Ada Lovelace' },
    others: {
      'for another app': { client_id: 'another-app' },
      'of another issuer': { iss: 'https://idcs-0000.identity.oraclecloud.com/' },
      'of an app alone': { user_id: undefined, sub: 'our-app', sub_type: 'client' },
    },
    alsoGood: { 'whose issuer has no slash': { iss: 'https://identity.oraclecloud.com' } },
  },
]

const sites: VendorSite[] = []

afterEach(async () => {
  for (const site of sites.splice(0)) await site.close()
})

async function start(row: Row, options: object = {}): Promise<VendorSite> {
  const { authorize, token, keys } = row.endpoints
  const document = {
    issuer: row.issuer,
    authorization_endpoint: authorize,
    token_endpoint: token,
    jwks_uri: keys,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
  }
  const site = await startVendorSite((common) => row.create({ ...common, ...options }), {
    ...(row.discovery !== undefined && { [`GET ${row.discovery}`]: document }),
    [`GET ${keys}`]: { keys: [key.jwk] },
  })
  sites.push(site)
  return site
}

/** A token of its keys. */
const accessTokenOf = (row: Row, changes: Json = {}): string =>
  signParts(
    { alg: 'RS256', kid: key.kid, typ: 'JWT' },
    claimsOf({ client_id: undefined, ...row.accessToken, ...changes }, NOW),
    key,
  )

/** From the client's first request to tokens of ours, or the error that it is told. */
async function signIn(
  site: VendorSite,
  row: Row,
  changes: Json = {},
): Promise<Readonly<Record<string, string>>> {
  const client: Registered = await site.register()
  const { url, browser, verifier } = await site.leave(client, row.asks)
  const idToken = { iss: row.issuer, aud: 'our-app', nonce: url.searchParams.get('nonce'), ...row.idToken }
  site.vendor.answers.set(`POST ${row.endpoints.token}`, {
    access_token: accessTokenOf(row, changes),
    refresh_token: 'their-refresh',
    token_type: 'Bearer',
    expires_in: 3600,
    ...(row.told !== undefined && { scope: row.told }),
    ...(row.idToken !== undefined && {
      id_token: signParts({ alg: 'RS256', kid: key.kid }, claimsOf(idToken, NOW), key),
    }),
  })
  const back = new URL(site.callbackUrl)
  back.searchParams.set('code', 'their-code')
  back.searchParams.set('state', url.searchParams.get('state') ?? '')
  const { url: told } = await browser.go(back, REDIRECT_URI)
  const code = told.searchParams.get('code')
  if (code === null) return Object.fromEntries(told.searchParams)
  const form = {
    grant_type: 'authorization_code',
    client_id: client.client_id,
    code,
    code_verifier: verifier,
  }
  return (await site.post('/token', form)).body as Readonly<Record<string, string>>
}

const PROTOCOL = [
  'response_type',
  'client_id',
  'redirect_uri',
  'state',
  'scope',
  'code_challenge',
  'code_challenge_method',
  'nonce',
]

describe.each(ROWS)('$name', (row) => {
  it('is asked for what the client asks for, in its own words', async () => {
    const site = await start(row)
    const { url } = await site.leave(await site.register(), row.asks)
    const params = [...url.searchParams].filter(([name]) => !PROTOCOL.includes(name))
    expect(url.origin + url.pathname).toBe(row.endpoints.authorize)
    expect(url.searchParams.get('scope')).toBe(row.scope)
    expect(url.searchParams.get('redirect_uri')).toBe(site.callbackUrl)
    expect(Object.fromEntries(params)).toEqual(row.params ?? {})
    expect(site.vendor.take()).toEqual(row.discovery === undefined ? [] : [`GET ${row.discovery}`])
  })

  it(`is ${row.toldResource === true ? '' : 'not '}told the resource`, async () => {
    const site = await start(row)
    const resource = site.provider.resourceUrl
    const trip = { state: 's', verifier: 'v'.repeat(43), nonce: 'n', scopes: ['openid'], resource }
    const url = await site.provider.authorizationServer.upstream?.authorizationUrl(trip, site.callbackUrl)
    expect(new URL(url ?? '').searchParams.get('resource')).toBe(row.toldResource === true ? resource : null)
  })

  it('P9 lets people in, as who they are for good', async () => {
    const site = await start(row)
    const tokens = await signIn(site, row)
    expect(tokens).toMatchObject({ token_type: 'Bearer', scope: row.granted })
    const response = await site.call(tokens['access_token'] ?? '')
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({ subject: row.subject, scopes: row.granted.split(' ') })
    const { claims } = (await site.provider.verifyToken(tokens['access_token'] ?? '')) ?? {}
    expect(claims).toMatchObject({ ...row.claims, sub: row.subject })
    for (const name of row.hidden ?? []) expect(claims).not.toHaveProperty([name])
  })

  it('is sent the code with the secret, and scopes only where it wants them', async () => {
    const site = await start(row)
    await signIn(site, row)
    const call = site.vendor.asked.find(({ to }) => to === `POST ${row.endpoints.token}`)
    expect(call?.body).toMatchObject({ grant_type: 'authorization_code', code: 'their-code' })
    expect(call?.body['scope']).toBe(row.repeats)
    expect(call?.headers['authorization']).toBe(row.secret === 'header' ? BASIC : undefined)
    expect(call?.body['client_secret']).toBe(row.secret === 'form' ? 'our-secret' : undefined)
  })

  it.each(Object.entries(row.others))('P5 gives no entry with a token %s', async (_rule, changes) => {
    const site = await start(row)
    const told = await signIn(site, row, changes)
    expect(told).not.toHaveProperty('access_token')
    expect(told).toHaveProperty('error')
  })

  it.each(Object.entries({ 'as documented': {}, ...row.alsoGood }))(
    'takes a token %s',
    async (_rule, changes) => {
      const site = await start(row)
      expect(await signIn(site, row, changes)).toMatchObject({ scope: row.granted })
    },
  )

  it('asks for nothing while it is built', async () => {
    const site = await start(row)
    expect(site.vendor.asked).toEqual([])
  })

  it('gives no entry with a token that it did not sign', async () => {
    const site = await start(row)
    site.vendor.answers.set(`GET ${row.endpoints.keys}`, { keys: [createKey('RS256', 'published').jwk] })
    expect(await signIn(site, row)).toMatchObject({ error: 'access_denied' })
  })

  it('K2 gives no entry with a token whose key it does not publish', async () => {
    const site = await start(row)
    site.vendor.answers.set(`GET ${row.endpoints.keys}`, { keys: [createKey('RS256', 'other').jwk] })
    // An ID token that cannot be verified is a refusal; of an access token nothing is known.
    const error = row.idToken === undefined ? 'temporarily_unavailable' : 'access_denied'
    expect(await signIn(site, row)).toMatchObject({ error })
  })

  it('does not take an outage of its keys for a refusal', async () => {
    const site = await start(row)
    site.vendor.answers.set(`GET ${row.endpoints.keys}`, answer(500))
    expect(await signIn(site, row)).toMatchObject({ error: 'temporarily_unavailable' })
  })
})

const rowOf = (name: string): Row => ROWS.find((row) => row.name === name) as Row

describe('AzureProvider', () => {
  it('lets people choose an account where that is said', async () => {
    const site = await start(rowOf('Azure'), { extraAuthorizeParams: { prompt: 'select_account' } })
    const { url } = await site.leave(await site.register(), 'mcp.use')
    expect(url.searchParams.get('prompt')).toBe('select_account')
  })

  it('takes the issuer that is stated, and then no other', async () => {
    const row = rowOf('Azure')
    const site = await start(row, { tokenIssuer: 'https://issuer.example/v2.0', scopesSupported: [] })
    const asking = { ...row, asks: 'mcp.use', idToken: undefined } as unknown as Row
    expect(await signIn(site, asking)).toMatchObject({ error: 'access_denied' })
    expect(await signIn(site, asking, { iss: 'https://issuer.example/v2.0' })).toMatchObject({
      scope: 'mcp.use',
    })
  })

  it('lets a tool act for the user at another API, with the token behind that of the caller', async () => {
    const row = rowOf('Azure')
    const site = await start(row)
    const tokens = await signIn(site, row)
    const caller = await site.provider.verifyToken(tokens['access_token'] ?? '')
    const [, upstreamToken] = [site.vendor.take(), await caller?.upstream?.getToken()]
    const graph = { access_token: 'for-graph', token_type: 'Bearer', expires_in: 4000, scope: 'User.Read' }
    site.vendor.answers.set(`POST ${ENTRA.endpoints.token}`, graph)
    const exchanged = await exchangeToken({
      kind: 'on_behalf_of',
      tokenUrl: ENTRA.endpoints.token,
      clientId: 'our-app',
      clientSecret: 'our-secret',
      subjectToken: caller?.upstream ?? '',
      scopes: ['https://graph.microsoft.com/User.Read'],
      deps: { ...site.clock, fetch: site.vendor.fetch },
    })
    expect(exchanged).toEqual({ accessToken: 'for-graph', expiresAt: NOW + 4000, scopes: ['User.Read'] })
    expect(upstreamToken).toBe(accessTokenOf(row))
    expect(site.vendor.asked).toMatchObject([
      { body: { assertion: upstreamToken, requested_token_use: 'on_behalf_of' } },
    ])
  })

  it('tells the operator what an error means, and the client nothing of it', async () => {
    const site = await start(rowOf('Azure'))
    const client = await site.register()
    const { url, browser } = await site.leave(client, 'mcp.use')
    const description = 'AADSTS7000215: Invalid client secret provided.'
    site.vendor.answers.set(
      `POST ${ENTRA.endpoints.token}`,
      answer(401, { error: 'invalid_client', error_description: description }),
    )
    const back = new URL(site.callbackUrl)
    back.searchParams.set('code', 'their-code')
    back.searchParams.set('state', url.searchParams.get('state') ?? '')
    const { url: told } = await browser.go(back, REDIRECT_URI)
    expect(told.href).not.toContain('AADSTS')
    expect(JSON.stringify(site.events)).toContain('copy its Value, not its Secret ID')
    expect(JSON.stringify(site.events)).not.toContain('our-secret')
  })
})

describe('Entra errors in plain words:', () => {
  it.each([
    ['28000', 'additionalAuthorizeScopes'],
    ['28003', 'requiredScopes'],
    ['50011', 'redirect URI is not registered'],
    ['50105', 'Enterprise applications'],
    ['65001', 'consent'],
    ['70011', 'Expose an API'],
    ['700016', '"clientId" and "tenantId"'],
    ['7000215', 'its Value'],
    ['900144', '"scope"'],
    ['901002', 'forwardResource'],
    ['9010010', 'forwardResource'],
  ])('AADSTS%s', (code, words) => {
    expect(explainEntra('invalid_request', `AADSTS${code}: Something. Trace ID: 1`)).toContain(words)
  })

  it('nothing of others', () => {
    expect(explainEntra('invalid_request', 'AADSTS1: Something')).toBeUndefined()
    expect(explainEntra('invalid_request', '')).toBeUndefined()
  })
})

describe('OktaProvider', () => {
  it('says what a refused scope is mostly about', () => {
    const { explain } = OktaProvider.spec.facts({ oktaDomain: 'https://a.okta.com' }, APP, READ)
    expect(explain?.('invalid_scope', '')).toContain('tick "Refresh Token"')
    expect(explain?.('invalid_client', '')).toBeUndefined()
  })

  it('uses the authorization server that is stated', () => {
    const own = { oktaDomain: 'https://a.okta.com', authorizationServerId: 'aus1' }
    expect(OktaProvider.spec.facts(own, APP, READ).endpoints).toMatchObject({
      configUrl: 'https://a.okta.com/oauth2/aus1/.well-known/openid-configuration',
    })
  })
})

describe('AWSCognitoProvider', () => {
  it('takes the region from the user pool, or as it is stated', () => {
    const at = (own: object): unknown =>
      AWSCognitoProvider.spec.facts({ userPoolId: 'us-west-2_abc', ...own }, APP, READ).endpoints
    expect(at({})).toMatchObject({
      configUrl: 'https://cognito-idp.us-west-2.amazonaws.com/us-west-2_abc/.well-known/openid-configuration',
    })
    expect(at({ awsRegion: 'eu-west-1' })).toMatchObject({
      configUrl: 'https://cognito-idp.eu-west-1.amazonaws.com/us-west-2_abc/.well-known/openid-configuration',
    })
  })
})

describe('Auth0Provider', () => {
  it('takes the URL of the document as well, and has the provider for MCP beside it', () => {
    const configUrl = 'https://login.notes.example/.well-known/openid-configuration'
    const facts = Auth0Provider.spec.facts({ configUrl, audience: 'a' }, APP, READ)
    expect(facts.endpoints).toMatchObject({ configUrl, strict: true })
    expect(Auth0MCPProvider.name).toBe('Auth0MCPProvider')
  })
})

describe('AzureJWTVerifier', () => {
  const verifier = (options: Partial<AzureJWTVerifierOptions> = {}): AzureJWTVerifier =>
    new AzureJWTVerifier({
      clientId: 'our-app',
      tenantId: TENANT,
      requiredScopes: ['mcp.use', 'openid'],
      deps: { now: () => NOW * 1000, fetch: vendor.fetch },
      ...options,
    })
  const vendor = new Vendor({ [`GET ${ENTRA.endpoints.keys}`]: { keys: [key.jwk] } })

  it('holds tokens against short scopes, and has clients ask for long ones', async () => {
    const provider = new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: [ENTRA.issuer],
      tokenVerifier: verifier(),
      requiredScopes: ['other'],
    })
    expect(provider).toMatchObject({
      requiredScopes: ['mcp.use', 'other'],
      challengeScopes: ['api://our-app/mcp.use', 'openid', 'other'],
    })
    const token = accessTokenOf(rowOf('Azure'))
    expect(await provider.verifyToken(token)).toMatchObject({ subject: 'pairwise-1', scopes: ['mcp.use'] })
    expect(provider.recall(token)).toMatchObject({ subject: 'pairwise-1' })
    expect(provider.claimsToken(token, tokenForm(token))).toBe('mine')
  })

  it('tells clients so when it refuses them', async () => {
    const provider = new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: [ENTRA.issuer],
      tokenVerifier: verifier(),
    })
    const site = await startSite(provider, { deps: testClock(NOW * 1000) })
    try {
      const poor = accessTokenOf(rowOf('Azure'), { scp: 'other' })
      const headers = { authorization: `Bearer ${poor}` }
      expect(await refusalOf(await fetch(`${site.url}/mcp`, { headers }))).toMatchObject({
        status: 403,
        challenge: expect.stringContaining('scope="api://our-app/mcp.use openid"'),
        body: { error: 'insufficient_scope' },
        cache: 'no-store',
      })
    } finally {
      await site.close()
    }
  })

  it.each<[rule: string, changes: Json]>([
    ['P5 of another app', { aud: 'another-app' }],
    ['P5 of another tenant', { iss: ENTRA.issuer.replace(TENANT, '9188040d-6c67-4c5b-b112-36a304b66dad') }],
  ])('refuses a token %s', async (_rule, changes) => {
    expect(await verifier().verifyToken(accessTokenOf(rowOf('Azure'), changes))).toBeNull()
  })

  it('takes tokens of every tenant where that is said, each under its own', async () => {
    const answers = {
      'GET https://login.microsoftonline.com/common/discovery/v2.0/keys': { keys: [key.jwk] },
    }
    const many = verifier({
      tenantId: 'common',
      deps: { now: () => NOW * 1000, fetch: new Vendor(answers).fetch },
    })
    await many.warmUp()
    expect(await many.verifyToken(accessTokenOf(rowOf('Azure')))).not.toBeNull()
    expect(await many.verifyToken(accessTokenOf(rowOf('Azure'), { tid: 'another' }))).toBeNull()
  })

  it('is of an API, a national cloud and an issuer as they are stated', async () => {
    const answers = {
      [`GET https://login.microsoftonline.us/${TENANT}/discovery/v2.0/keys`]: { keys: [key.jwk] },
    }
    const deps = { now: () => NOW * 1000, fetch: new Vendor(answers).fetch }
    const national = {
      baseAuthority: 'login.microsoftonline.us',
      identifierUri: 'https://contoso.com/notes',
      deps,
    }
    const token = accessTokenOf(rowOf('Azure'), {
      iss: `https://login.microsoftonline.us/${TENANT}/v2.0`,
      aud: 'https://contoso.com/notes',
    })
    expect(verifier(national).challengeScopes).toEqual(['https://contoso.com/notes/mcp.use', 'openid'])
    expect(await verifier(national).verifyToken(token)).not.toBeNull()
    expect(await verifier({ ...national, tokenIssuer: ENTRA.issuer }).verifyToken(token)).toBeNull()
  })

  it.each([[undefined], [[]], [['openid', 'profile']]])(
    'J20 needs a scope of the API, or any app of the tenant could come by itself: not %j',
    (requiredScopes) => {
      const given = { clientId: 'our-app', tenantId: TENANT, ...(requiredScopes && { requiredScopes }) }
      expect(configErrorOf(() => new AzureJWTVerifier(given))).toEqual({
        code: 'ERR_MCP_AUTH_MISSING_OPTION',
        message:
          'AzureJWTVerifier: "requiredScopes" is missing: name a scope under "Expose an API" of the app registration, e.g. ["mcp.use"]; ' +
          "without one, any app's own token would do",
      })
      const open = new AzureJWTVerifier({ ...given, allowAppTokens: true })
      expect(open.requiredScopes).toEqual([])
    },
  )

  it.each<[rule: string, changes: Json]>([
    ['says so', { idtyp: 'app', roles: ['Notes.All'] }],
    ['has no scopes', { scp: undefined, roles: ['Notes.All'] }],
  ])(
    'J20 refuses the token of an app by itself, which %s, unless that is allowed',
    async (_rule, changes) => {
      const token = accessTokenOf(rowOf('Azure'), changes)
      const picky = verifier()
      const { context, reasons } = createRecorder()
      for (let time = 0; time < 2; time++) {
        expect(picky.recall(token)).toBeUndefined()
        expect(await picky.verifyToken(token, context)).toBeNull()
      }
      const reason = { stage: 'type', expected: 'a token of a user', got: 'one of an app alone' }
      expect(reasons).toEqual([reason, reason])
      expect(await picky.verifyToken(token)).toBeNull()
      const open = verifier({ allowAppTokens: true })
      expect(await open.verifyToken(token)).toMatchObject({ claims: { roles: ['Notes.All'] } })
      expect(open.recall(token)).toMatchObject({ subject: 'pairwise-1' })
    },
  )

  it('takes the token of a user that says so', async () => {
    const token = accessTokenOf(rowOf('Azure'), { idtyp: 'user' })
    expect(await verifier().verifyToken(token)).toMatchObject({ subject: 'pairwise-1' })
  })
})

describe('what is missing or does not fit is said:', () => {
  const common = {
    clientId: 'our-app',
    clientSecret: 'our-secret',
    baseUrl: 'https://api.example.com',
    secret: SECRET,
    store: new MemoryStore(),
  }

  it.each<
    [rule: string, create: new (options: never) => unknown, options: Json, code: string, message: string]
  >([
    [
      'Azure without a tenant',
      AzureProvider,
      { requiredScopes: ['a'] },
      'MISSING',
      '"Directory (tenant) ID"',
    ],
    [
      'Azure without scopes',
      AzureProvider,
      { tenantId: TENANT },
      'MISSING',
      'tokens are for Microsoft Graph',
    ],
    [
      'Azure with scopes of nobody',
      AzureProvider,
      { tenantId: TENANT, requiredScopes: ['openid', 'profile'] },
      'MISSING',
      'tokens are for Microsoft Graph',
    ],
    [
      'Azure with a domain for a tenant',
      AzureProvider,
      { tenantId: 'contoso.onmicrosoft.com', requiredScopes: ['a'] },
      'INVALID',
      '"tenantId" must be a GUID',
    ],
    [
      'B2C without a policy',
      AzureB2CProvider,
      { tenantName: 'contoso', requiredScopes: ['a'] },
      'MISSING',
      'user flow',
    ],
    [
      'B2C without a tenant',
      AzureB2CProvider,
      { policyName: 'p', requiredScopes: ['a'] },
      'MISSING',
      '"contoso"',
    ],
    ['Auth0 without an audience', Auth0Provider, { domain: 'a.auth0.com' }, 'MISSING', 'opaque or encrypted'],
    ['Auth0 without a domain', Auth0Provider, { audience: 'a' }, 'MISSING', 'domain of your tenant'],
    ['Cognito without a pool', AWSCognitoProvider, {}, 'MISSING', '"userPoolId" is missing'],
    ['Okta without a domain', OktaProvider, {}, 'MISSING', '"oktaDomain" is missing'],
    ['Oracle Cloud without a domain', OCIProvider, {}, 'MISSING', '"configUrl" is missing'],
    [
      'Oracle Cloud without a secret',
      OCIProvider,
      { configUrl: 'https://a.example/.well-known/openid-configuration', clientSecret: undefined },
      'MISSING',
      'the secret that Oracle Cloud gave',
    ],
    ['AzureJWTVerifier without a tenant', AzureJWTVerifier, {}, 'MISSING', '"tenantId" is missing'],
  ])('%s', (_rule, Provider, options, code, message) => {
    const given = Provider === AzureJWTVerifier ? { clientId: 'our-app' } : { ...common, ...options }
    expect(configErrorOf(() => new Provider(given as never))).toEqual({
      code: `ERR_MCP_AUTH_${code}_OPTION`,
      message: expect.stringContaining(message),
    })
  })
})
