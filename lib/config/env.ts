// providerFromEnv(): a provider from environment variables, the one reader of process.env.
import { ConfigError } from '../protocol/errors.js'
import { unknownName } from '../protocol/options.js'
import type { AuthProvider } from '../providers/provider.js'
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
])

/**
 * Builds a provider from `MCP_AUTH_PROVIDER` (`jwt`, `introspection`, `static`, `remote`) and `MCP_AUTH_<OPTION>`, the options of the class in
 * upper snake case: `MCP_AUTH_JWKS_URI`, `MCP_AUTH_BASE_URL` … Lists are separated by commas or spaces.
 *
 * @param env default: `process.env`
 * @throws ConfigError that names what is missing or unknown
 * @example app.use(mcpAuth(providerFromEnv()))
 */
export function providerFromEnv(env: Environment = process.env): AuthProvider {
  const given = Object.keys(env).filter(
    (name) => name.startsWith('MCP_AUTH_') && env[name] !== undefined && env[name] !== '',
  )
  const known = [...KINDS.keys()]
  const name = env['MCP_AUTH_PROVIDER']
  if (name === undefined || name === '')
    throw environmentError(`MCP_AUTH_PROVIDER is missing: set it to one of ${known.join(', ')}`)
  const kind = KINDS.get(name)
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

function pick(values: Values, options: object): Values {
  return Object.fromEntries(Object.entries(values).filter(([name]) => name in options))
}

function environmentError(message: string): ConfigError {
  return new ConfigError('ERR_MCP_AUTH_ENVIRONMENT', message)
}
