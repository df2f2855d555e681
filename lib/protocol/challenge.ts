// RFC 6750 3 and RFC 9728 5.1: the WWW-Authenticate challenge, safe for any text.
import { formatScopes } from './scopes.js'

/** What a challenge says; parts that are absent are left out. */
export interface Challenge {
  readonly error?: string
  readonly description?: string
  readonly scopes?: readonly string[]
  /** Absolute URL of the protected resource metadata. */
  readonly resourceMetadataUrl?: string | undefined
}

/** Writes one Bearer challenge. Bearer comes first and alone, since clients of the first SDK read no further. */
export function buildChallenge({ error, description, scopes = [], resourceMetadataUrl }: Challenge): string {
  const parts: string[] = []
  if (error !== undefined) parts.push(`error="${error}"`)
  if (description !== undefined) parts.push(`error_description="${plainText(description)}"`)
  const scope = formatScopes(scopes)
  if (scope !== '') parts.push(`scope="${scope}"`)
  if (resourceMetadataUrl !== undefined) parts.push(`resource_metadata="${resourceMetadataUrl}"`)
  return parts.length === 0 ? 'Bearer' : `Bearer ${parts.join(', ')}`
}

/**
 * Text within `%x20-21 / %x23-5B / %x5D-7E`, the letters that RFC 6750 3 allows in error_description: a quote or a line
 * break in a verifier's message must not end the parameter or start a header.
 */
export function plainText(text: string): string {
  return text
    .slice(0, 500)
    .replace(/"/g, "'")
    .replace(/\\/g, '/')
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e]/g, '?')
}
