// Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document 3): which URLs may be the ID of a client.
import { isLoopback } from './urls.js'

const MAX_LENGTH = 2000

/** Whether a client ID is meant as the URL of a document. No ID that is issued here looks like one. */
export function isClientIdUrl(id: string): boolean {
  return /^https?:\/\//i.test(id)
}

/**
 * Why a URL cannot be the ID of a client, or undefined. IDs are compared as text, so only the one spelling is taken that
 * a URL parser leaves as it is.
 *
 * @param allowLoopback http on this machine too, while developing
 */
export function refuseClientIdUrl(id: string, allowLoopback: boolean): string | undefined {
  if (id.length > MAX_LENGTH) return `longer than ${MAX_LENGTH} letters`
  // Asked before the parser is: Node 20's canParse takes other letters for broken ones once it runs hot.
  if (/[^\x21-\x7e]/.test(id)) return 'not in its canonical form'
  if (!URL.canParse(id)) return 'not a URL'
  const url = new URL(id)
  const http = url.protocol === 'http:' && allowLoopback && isLoopback(url.hostname)
  if (url.protocol !== 'https:' && !http) return 'not https'
  if (url.username !== '' || url.password !== '') return 'with a user name or password'
  if (id.includes('#')) return 'with a fragment'
  if (id.includes('?')) return 'with a query'
  if (url.href !== id) return 'not in its canonical form'
  if (url.pathname === '/') return 'without a path'
  return undefined
}
