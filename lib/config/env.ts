// providerFromEnv(): a provider from environment variables, the one reader of process.env.
import { ConfigError } from '../protocol/errors.js'
import { unknownName } from '../protocol/options.js'
import { Auth0MCPProvider } from '../providers/idp/auth0-mcp.js'
import { Auth0Provider } from '../providers/idp/auth0.js'
import { AuthKitProvider } from '../providers/idp/authkit.js'
import { AWSCognitoProvider } from '../providers/idp/aws-cognito.js'
import { AzureB2CProvider } from '../providers/idp/azure-b2c.js'
import { AzureProvider } from '../providers/idp/azure.js'
import { ClerkProvider } from '../providers/idp/clerk.js'
import { DescopeProvider } from '../providers/idp/descope.js'
import { DiscordProvider } from '../providers/idp/discord.js'
import { GitHubProvider } from '../providers/idp/github.js'
import { GitLabProvider } from '../providers/idp/gitlab.js'
import { GoogleProvider } from '../providers/idp/google.js'
import { HuggingFaceProvider } from '../providers/idp/hugging-face.js'
import { KeycloakAuthProvider } from '../providers/idp/keycloak.js'
import { OCIProvider } from '../providers/idp/oci.js'
import { OktaProvider } from '../providers/idp/okta.js'
import { PropelAuthProvider } from '../providers/idp/propelauth.js'
import { ScalekitProvider } from '../providers/idp/scalekit.js'
import { SupabaseProvider } from '../providers/idp/supabase.js'
import { WorkOSProvider } from '../providers/idp/workos.js'
import { OAuthProxy } from '../providers/oauth-proxy.js'
import { OIDCProxy } from '../providers/oidc-proxy.js'
import type { TextForm } from '../providers/own-options.js'
import type { AuthProvider } from '../providers/provider.js'
import { PROXY_FROM_TEXT } from '../providers/proxy/proxy-from-text.js'
import { RemoteAuthProvider } from '../providers/remote.js'
import { IntrospectionTokenVerifier } from '../verifiers/introspection.js'
import { JWTVerifier } from '../verifiers/jwt.js'
import { RemoteTokenVerifier } from '../verifiers/remote.js'
import { StaticTokenVerifier } from '../verifiers/static.js'
import type { Verifier } from '../verifiers/verifier.js'

type Environment = Readonly<Record<string, string | undefined>>
type Reader = (value: string, name: string) => unknown
type Values = Readonly<Record<string, unknown>>

const text: Reader = (value) => value
const list: Reader = (value) => value.split(/[\s,]+/).filter((entry) => entry !== '')
const seconds: Reader = (value, name) => {
  const number = Number(value)
  if (value.trim() === '' || !Number.isFinite(number))
    throw environmentError(`${name} must be a number of seconds, not ${JSON.stringify(value)}`)
  return number
}
const flag: Reader = (value, name) => {
  if (value === 'true' || value === 'false') return value === 'true'
  throw environmentError(`${name} must be true or false, not ${JSON.stringify(value)}`)
}
const json: Reader = (value, name) => {
  try {
    return JSON.parse(value) as unknown
  } catch {
    throw environmentError(`${name} is not JSON`)
  }
}
const any: Reader = (value, name) => {
  if (/^\s*[[{]/.test(value)) return json(value, name)
  return value === 'true' || value === 'false' ? value === 'true' : value
}
const FORMS: Readonly<Record<TextForm, Reader>> = { text, list, seconds, flag, json, any }
/** PEM in one line keeps its line breaks as \n; a JWK or JWK set is JSON. */
const key: Reader = (value, name) =>
  value.trimStart().startsWith('{') ? json(value, name) : value.replaceAll('\\n', '\n')
/** Tokens with what they stand for as JSON, or a list of bare tokens. */
const tokens: Reader = (value, name) => (/^\s*[[{]/.test(value) ? json(value, name) : list(value, name))

// By option, as FastMCP's users know them; the variable is MCP_AUTH_ and the option in upper snake case.
const JWT = {
  jwksUri: text, publicKey: key, secret: text, issuer: list, audience: list, algorithms: list, requiredScopes: list,
  clockToleranceSeconds: seconds, jwksCacheSeconds: seconds, dangerouslyAllowAnyAudience: flag,
} // prettier-ignore
const INTROSPECTION = {
  introspectionUrl: text, clientId: text, clientSecret: text, clientAuthMethod: text, issuer: list, audience: list,
  requiredScopes: list, timeoutSeconds: seconds, cacheTtlSeconds: seconds,
} // prettier-ignore
const STATIC = { tokens, requiredScopes: list }
const REMOTE_TOKEN = {
  verifyUrl: text,
  headers: json,
  timeoutSeconds: seconds,
  cacheTtlSeconds: seconds,
  requiredScopes: list,
}
/** What makes discovery out of any verifier. */
const DISCOVERY = {
  baseUrl: text, resourceUrl: text, authorizationServers: list, scopesSupported: list, challengeScopes: list, resourceName: text,
  resourceDocumentation: text, resourcePolicyUri: text, resourceTosUri: text,
} // prettier-ignore
const SHARED = { dangerouslyAllowInsecureHttp: flag }
const OIDC = {
  configUrl: 'text', strict: 'flag', clientId: 'text', clientSecret: 'text', audience: 'text', algorithm: 'text', verifyIdToken: 'flag',
  ...PROXY_FROM_TEXT,
} as const // prettier-ignore
const OAUTH = {
  upstreamAuthorizationEndpoint: 'text', upstreamTokenEndpoint: 'text', upstreamRevocationEndpoint: 'text', upstreamIssuer: 'text',
  upstreamClientId: 'text', upstreamClientSecret: 'text', ...PROXY_FROM_TEXT,
} as const // prettier-ignore
/** How the tokens behind an OAuthProxy are verified. */
const OAUTH_TOKENS = { jwksUri: 'text', introspectionUrl: 'text', audience: 'list' } as const

/** A class that knows how its options are read from text. */
interface Configurable {
  new (options: never): AuthProvider
  readonly envOptions: Readonly<Record<string, TextForm>>
}

/** By name, as in `express-mcp-auth/providers/…`. */
const CLASSES: ReadonlyMap<string, Configurable> = new Map<string, Configurable>([
  ['github', GitHubProvider],
  ['google', GoogleProvider],
  ['azure', AzureProvider],
  ['azure-b2c', AzureB2CProvider],
  ['workos', WorkOSProvider],
  ['authkit', AuthKitProvider],
  ['auth0', Auth0Provider],
  ['auth0-mcp', Auth0MCPProvider],
  ['aws-cognito', AWSCognitoProvider],
  ['clerk', ClerkProvider],
  ['discord', DiscordProvider],
  ['hugging-face', HuggingFaceProvider],
  ['keycloak', KeycloakAuthProvider],
  ['oci', OCIProvider],
  ['descope', DescopeProvider],
  ['scalekit', ScalekitProvider],
  ['supabase', SupabaseProvider],
  ['propelauth', PropelAuthProvider],
  ['okta', OktaProvider],
  ['gitlab', GitLabProvider],
])

interface Kind {
  readonly options: Readonly<Record<string, Reader>>
  readonly build: (values: Values) => AuthProvider
}

const KINDS: ReadonlyMap<string, Kind> = new Map<string, Kind>([
  [
    'jwt',
    {
      options: { ...JWT, ...DISCOVERY, ...SHARED },
      build: (values) => discoverable(values, jwtVerifier(values)),
    },
  ],
  [
    'introspection',
    {
      options: { ...INTROSPECTION, ...DISCOVERY, ...SHARED },
      build: (values) => discoverable(values, introspection(values)),
    },
  ],
  ['static', { options: STATIC, build: (values) => new StaticTokenVerifier(values as never) }],
  [
    'remote',
    { options: { ...JWT, ...INTROSPECTION, ...REMOTE_TOKEN, ...DISCOVERY, ...SHARED }, build: buildRemote },
  ],
  ['oidc', { options: readersOf(OIDC), build: (values) => new OIDCProxy(values as never) }],
  ['oauth-proxy', { options: readersOf({ ...OAUTH, ...OAUTH_TOKENS }), build: buildOAuthProxy }],
])

function kindOf(name: string): Kind | undefined {
  const Class = CLASSES.get(name)
  if (Class === undefined) return KINDS.get(name)
  return { options: readersOf(Class.envOptions), build: (values) => new Class(values as never) }
}

function readersOf(forms: Readonly<Record<string, TextForm>>): Kind['options'] {
  return Object.fromEntries(Object.entries(forms).map(([option, form]) => [option, FORMS[form]]))
}

/**
 * Builds a provider from `MCP_AUTH_PROVIDER` (`jwt`, `introspection`, `static`, `remote`, `oidc`, `oauth-proxy`, or an identity provider: `github`,
 * `azure` …) and `MCP_AUTH_<OPTION>`, the options of the class in upper snake case: `MCP_AUTH_JWKS_URI`, `MCP_AUTH_BASE_URL` … Lists are separated
 * by commas or spaces; an object is JSON.
 *
 * @param env default: `process.env`
 * @throws ConfigError that names what is missing or unknown
 * @example app.use(mcpAuth(providerFromEnv()))
 */
export function providerFromEnv(env: Environment = process.env): AuthProvider {
  const given = Object.keys(env).filter(
    (name) => name.startsWith('MCP_AUTH_') && env[name] !== undefined && env[name] !== '',
  )
  const known = [...KINDS.keys(), ...CLASSES.keys()]
  const name = env['MCP_AUTH_PROVIDER']
  if (name === undefined || name === '')
    throw environmentError(`MCP_AUTH_PROVIDER is missing: set it to one of ${known.join(', ')}`)
  const kind = kindOf(name)
  if (kind === undefined)
    throw unknownName(`MCP_AUTH_PROVIDER has no provider ${JSON.stringify(name)}`, name, known)
  const readers = new Map(
    Object.entries(kind.options).map(([option, reader]) => [variableOf(option), { option, reader }]),
  )
  const values: Record<string, unknown> = {}
  for (const variable of given) {
    if (variable === 'MCP_AUTH_PROVIDER') continue
    const entry = readers.get(variable)
    if (entry === undefined)
      throw unknownName(`${variable} means nothing to the provider ${name}`, variable, [...readers.keys()])
    values[entry.option] = entry.reader(env[variable] as string, variable)
  }
  try {
    return kind.build(values)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    // The class speaks of its options; whoever reads this set variables.
    const message = error.message.replace(/"(\w+)(: true)?"/g, (quoted, option: string, value?: string) => {
      if (!(option in kind.options)) return quoted
      return value === undefined ? variableOf(option) : `${variableOf(option)}=true`
    })
    throw new ConfigError(error.code, message)
  }
}

function variableOf(option: string): string {
  return `MCP_AUTH_${option.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()}`
}

function jwtVerifier(values: Values): Verifier {
  return new JWTVerifier(pick(values, { ...JWT, ...SHARED }) as never)
}

function introspection(values: Values): Verifier {
  return new IntrospectionTokenVerifier(pick(values, { ...INTROSPECTION, ...SHARED }) as never)
}

/** A base URL is what discovery needs; without one the verifier guards by itself. The issuers are the authorization servers. */
function discoverable(values: Values, tokenVerifier: Verifier): AuthProvider {
  if (values['baseUrl'] === undefined) {
    const [stray] = Object.keys(values).filter((option) => option in DISCOVERY)
    if (stray === undefined) return tokenVerifier
    throw environmentError(`${variableOf(stray)} needs MCP_AUTH_BASE_URL too, the public URL of this app`)
  }
  const authorizationServers = values['authorizationServers'] ?? values['issuer']
  return new RemoteAuthProvider({
    ...pick(values, { ...DISCOVERY, ...SHARED }),
    authorizationServers,
    tokenVerifier,
  } as never)
}

/** RemoteAuthProvider over whatever verifier the variables describe. */
function buildRemote(values: Values): AuthProvider {
  if (values['baseUrl'] === undefined)
    throw environmentError('MCP_AUTH_BASE_URL is missing: the public URL of this app')
  const ways = ['introspectionUrl', 'verifyUrl', 'jwksUri', 'publicKey', 'secret'].filter(
    (option) => option in values,
  )
  if (ways.length > 1)
    throw environmentError(`${ways.map(variableOf).join(' and ')} are two ways to verify: leave one`)
  if (values['introspectionUrl'] !== undefined) return discoverable(values, introspection(values))
  if (values['verifyUrl'] !== undefined) {
    return discoverable(
      values,
      new RemoteTokenVerifier(pick(values, { ...REMOTE_TOKEN, ...SHARED }) as never),
    )
  }
  const { baseUrl, resourceUrl, authorizationServers } = values as {
    baseUrl: string
    resourceUrl?: string
    authorizationServers?: string[]
  }
  // Stated once: the issuer is the authorization server, the audience the resource.
  const issuer = values['issuer'] ?? authorizationServers
  const audience = values['audience'] ?? [resourceUrl ?? `${baseUrl.replace(/\/$/, '')}/mcp`]
  return discoverable({ ...values, issuer, audience }, jwtVerifier({ ...values, issuer, audience }))
}

/** OAuthProxy over whatever says whose upstream tokens are. */
function buildOAuthProxy(values: Values): AuthProvider {
  const { jwksUri, introspectionUrl, audience } = values
  const { upstreamIssuer: issuer, upstreamClientId: clientId, upstreamClientSecret: clientSecret } = values
  if ((jwksUri === undefined) === (introspectionUrl === undefined)) {
    const advice = 'one of them says whose upstream tokens are'
    throw environmentError(`set either MCP_AUTH_JWKS_URI or MCP_AUTH_INTROSPECTION_URL: ${advice}`)
  }
  if (jwksUri !== undefined && issuer === undefined)
    throw environmentError('MCP_AUTH_UPSTREAM_ISSUER is missing: the "iss" of upstream tokens, byte for byte')
  const shared = { audience, ...pick(values, SHARED) }
  const tokenVerifier =
    jwksUri === undefined
      ? new IntrospectionTokenVerifier({ introspectionUrl, clientId, clientSecret, ...shared } as never)
      : new JWTVerifier({ jwksUri, issuer, ...shared } as never)
  return new OAuthProxy({ ...pick(values, OAUTH), tokenVerifier } as never)
}

function pick(values: Values, options: object): Values {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name in options))
}

function environmentError(message: string): ConfigError {
  return new ConfigError('ERR_MCP_AUTH_ENVIRONMENT', message)
}
