// RFC 8707 2 and RFC 7519 4.1.3: which resource a token was issued for. Identifiers are compared byte for byte.

/** Whether an `aud` claim, a string or a list of strings, names one of the accepted audiences. */
export function audienceMatches(aud: unknown, accepted: readonly string[]): boolean {
  if (typeof aud === 'string') return accepted.includes(aud)
  return Array.isArray(aud) && aud.some((entry) => typeof entry === 'string' && accepted.includes(entry))
}
