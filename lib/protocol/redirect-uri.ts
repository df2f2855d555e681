// RFC 6749 3.1.2, RFC 8252 7, RFC 9700 4.1: where an answer may be sent. Compared letter by letter, never normalised.
import { isLoopback } from './urls.js'

const MAX_LENGTH = 2000

/** Letters that a URI is written in (RFC 3986 2). What is outside is read differently by different parsers. */
const URI = /^(?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+$/

const WEB = /^https?:\/\/(?<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?(?:[/?]|$)/

const LOOPBACK = /^http:\/\/(?<host>localhost|127\.0\.0\.1|\[::1\])(?::(?<port>\d{1,5}))?(?<rest>[/?][^]*)?$/

/** RFC 8252 7.1: the reverse of a domain name, so that it has a dot. */
const DOTTED_APP = /^[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+:\/[^]*$/i

/** Apps with a scheme of their own that is no domain name, and what they are known to listen to. */
const KNOWN_APPS: readonly RegExp[] = [
  /^cursor:\/\/anysphere\.cursor-(?:mcp|retrieval)\/oauth\/callback$/,
  /^vscode(?:-insiders)?:\/\/[a-z0-9-]+\.[a-z0-9-]+\/[\w./-]+$/i,
  /^claude:\/\/claude\.ai\/[\w./-]+$/,
]

/** Why a redirect URI cannot be registered, or undefined. */
export function refuseRedirectUri(uri: string): string | undefined {
  if (uri.length > MAX_LENGTH) return `longer than ${MAX_LENGTH} letters`
  if (!URI.test(uri)) return 'not written in the letters of a URI'
  if (uri.includes('#')) return 'with a fragment'
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*(?=:)/.exec(uri)?.[0]
  if (scheme === undefined) return 'not absolute'
  // The browser decides by this parser, so whatever it sees counts as much as what is written.
  if (!URL.canParse(uri)) return 'not a URL'
  if (/^[^/]*\/\/[^/?]*@/.test(uri)) return 'with a user name or password'
  if (/^https?$/i.test(scheme)) return refuseWeb(uri)
  if (DOTTED_APP.test(uri) || KNOWN_APPS.some((known) => known.test(uri))) return undefined
  return 'of a scheme that is neither https nor the reverse of a domain name'
}

function refuseWeb(uri: string): string | undefined {
  if (!WEB.test(uri)) return 'not in the form https://host/path'
  if (uri.startsWith('http:') && !LOOPBACK.test(uri)) {
    return 'http, which only localhost, 127.0.0.1 and [::1] may use'
  }
  return undefined
}

/**
 * Whether a requested URI is the registered one. An app that listens on this machine picks its port anew each time, so on
 * loopback everything but the port has to be the same (RFC 8252 7.3).
 */
export function matchesRedirectUri(registered: string, requested: string): boolean {
  if (registered === requested) return true
  const known = LOOPBACK.exec(registered)?.groups
  const asked = known && LOOPBACK.exec(requested)?.groups
  if (asked === undefined) return false
  return known?.['host'] === asked['host'] && known?.['rest'] === asked['rest'] && isPort(asked['port'])
}

function isPort(port: string | undefined): boolean {
  return port === undefined || (!port.startsWith('0') && Number(port) <= 65535)
}

/** Where an answer goes, for a page. */
export interface RedirectTarget {
  /** Host and port in ASCII, as a browser would show them; for an app its scheme, and the host where it has one, e.g. `cursor://anysphere.cursor-mcp`. */
  readonly host: string
  readonly kind: 'web' | 'loopback' | 'app'
}

/** Describes a registered redirect URI to whoever is asked for consent. */
export function describeRedirect(uri: string): RedirectTarget {
  const { protocol, host, hostname } = new URL(uri)
  if (protocol !== 'https:' && protocol !== 'http:') {
    return { host: host === '' ? protocol : `${protocol}//${host}`, kind: 'app' }
  }
  return { host, kind: isLoopback(hostname) ? 'loopback' : 'web' }
}
