// RFC 9728 1.2, RFC 8414 2, RFC 8252 8.3: identifiers and endpoints are https, or http on this machine.
import { ConfigError } from './errors.js'

/** Where a URL came from, for the words of a refusal. */
export interface UrlRules {
  /** e.g. `JWTVerifier: "jwksUri"`. */
  readonly name: string
  /** Lets http through to other machines. */
  readonly allowInsecureHttp?: boolean
  /** Identifiers of issuers and resources carry no query. */
  readonly identifier?: boolean
}

/** Checks a URL from configuration and returns it byte for byte: normalising it would change an identifier. */
export function checkUrl(
  value: unknown,
  { name, allowInsecureHttp = false, identifier = false }: UrlRules,
): string {
  if (value instanceof URL) {
    throw invalid(
      `${name} must be a string. A URL object has already added or dropped a slash: write the identifier as text`,
    )
  }
  if (typeof value !== 'string' || !/^[a-z][a-z0-9+.-]*:\/\/[\x21\x23-\x5b\x5d-\x7e]+$/i.test(value)) {
    throw invalid(
      `${name} must be an absolute URL such as "https://api.example.com", not ${JSON.stringify(value)}`,
    )
  }
  let url: URL
  try {
    url = new URL(value)
  } catch {
    throw invalid(`${name} is not a URL: ${JSON.stringify(value)}`)
  }
  if (url.username !== '' || url.password !== '')
    throw invalid(`${name} must not carry a user name or password`)
  if (value.includes('#')) throw invalid(`${name} must not have a fragment`)
  if (identifier && value.includes('?')) throw invalid(`${name} must not have a query`)
  if (url.protocol === 'https:') return value
  if (url.protocol === 'http:' && (allowInsecureHttp || isLoopback(url.hostname))) return value
  throw new ConfigError(
    'ERR_MCP_AUTH_INSECURE_URL',
    `${name} must be an https URL, not ${JSON.stringify(value)}. http is for loopback addresses; ` +
      'on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
  )
}

/** Whether a host name, as a parsed URL has it, is this machine. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    /^127(?:\.\d+){3}$/.test(hostname)
  )
}

function invalid(message: string): ConfigError {
  return new ConfigError('ERR_MCP_AUTH_INVALID_OPTION', message)
}
