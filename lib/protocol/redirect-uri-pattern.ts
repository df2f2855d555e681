// Which redirect URIs clients may bring: patterns of the operator, matched part by part, so that `a.com.evil` is not `a.com*`.
import { ConfigError } from './errors.js'
import { refuseRedirectUri } from './redirect-uri.js'

const WEB_PATTERN =
  /^(?<scheme>https?):\/\/(?<host>(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(?::(?<port>\d{1,5}|\*))?(?<rest>[/?][^]*)?$/

const APP_PATTERN = /^(?<scheme>[a-z][a-z0-9+.-]*):(?<rest>\/[^*]+\*?)$/

const LOOPBACK_HOSTS = new Set(['localhost', '127.0.0.1', '[::1]'])

/**
 * Reads one pattern of `allowedClientRedirectUris`.
 *
 * - `https://app.example.com/callback` is that URI
 * - `https://*.example.com/callback` any host under the domain, at any depth, but not the domain itself
 * - `http://localhost:*` any port; a loopback host without a port means any port too
 * - `https://app.example.com/oauth/*` anything under the path; without a path, any path
 *
 * @throws ConfigError for what is no such pattern
 */
export function parseRedirectPattern(pattern: string): (uri: string) => boolean {
  const web = WEB_PATTERN.exec(pattern)?.groups
  if (web !== undefined) return matchWeb(pattern, web)
  const app = APP_PATTERN.exec(pattern)?.groups
  if (
    app === undefined ||
    /^(?:https?|javascript|data|vbscript|file|blob|about)$/.test(String(app['scheme']))
  ) {
    throw invalid(pattern, 'write e.g. "https://*.example.com/callback" or "http://localhost:*"')
  }
  const fits = glob(pattern)
  return (uri) => refuseRedirectUri(uri) === undefined && fits(uri)
}

function matchWeb(
  pattern: string,
  parts: Readonly<Record<string, string | undefined>>,
): (uri: string) => boolean {
  const { scheme, port, rest } = parts
  const host = String(parts['host'])
  if (/^\*\.[^.]+$/.test(host)) {
    throw invalid(pattern, 'a wildcard needs a domain of your own after it, such as "*.example.com"')
  }
  const anyPort = port === '*' || (port === undefined && scheme === 'http' && LOOPBACK_HOSTS.has(host))
  // A URL leaves out the port that its scheme has anyway.
  const only = port === (scheme === 'https' ? '443' : '80') ? '' : (port ?? '')
  const fits = rest === undefined ? undefined : glob(rest)
  return (uri) => {
    if (refuseRedirectUri(uri) !== undefined) return false
    const url = new URL(uri)
    return (
      url.protocol === `${scheme}:` &&
      (host.startsWith('*.') ? url.hostname.endsWith(host.slice(1)) : url.hostname === host) &&
      (anyPort || url.port === only) &&
      (fits === undefined || fits(url.pathname + url.search))
    )
  }
}

/** Text in which `*` stands for any letters, except for a disguised step out of the path. */
function glob(pattern: string): (text: string) => boolean {
  if (!pattern.includes('*')) return (text) => text === pattern
  const pieces = pattern.split('*').map((piece) => piece.replace(/[\\^$.|?+()[\]{}/-]/g, String.raw`\$&`))
  const expression = new RegExp(`^${pieces.join('.*')}$`)
  return (text) =>
    !/%(?:2e|2f|5c)/i.test(text) && !/(?:^|\/)\.\.?(?:[/?]|$)/.test(text) && expression.test(text)
}

function invalid(pattern: string, advice: string): ConfigError {
  return new ConfigError(
    'ERR_MCP_AUTH_INVALID_OPTION',
    `"allowedClientRedirectUris" cannot use ${JSON.stringify(pattern)}: ${advice}`,
  )
}
