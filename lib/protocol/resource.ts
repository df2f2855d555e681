// RFC 8707 2 and RFC 7519 4.1.3: which resource a token is asked for, and was issued for.

/** Whether an `aud` claim, a string or a list of strings, names one of the accepted audiences. */
export function audienceMatches(aud: unknown, accepted: readonly string[]): boolean {
  if (typeof aud === 'string') return accepted.includes(aud)
  return Array.isArray(aud) && aud.some((entry) => typeof entry === 'string' && accepted.includes(entry))
}

const RESOURCE =
  /^(?<scheme>https?):\/\/(?<host>[^/?#@\\:[\]]+|\[[^\]]+\])(?::(?<port>\d+))?(?<path>\/[^?#]*)?(?<query>\?[^#]*)?$/i

/**
 * Whether a client means our resource by its `resource` parameter. Clients rewrite what they were given: they lower-case
 * the host, leave out or write the default port, add or drop one slash at the end, keep a query of their own. Nothing
 * else is overlooked.
 */
export function meansResource(requested: string, resource: string): boolean {
  if (requested === resource) return true
  const asked = RESOURCE.exec(requested)?.groups
  const ours = RESOURCE.exec(resource)?.groups
  if (asked === undefined || ours === undefined) return false
  if (ours['query'] !== undefined && ours['query'] !== asked['query']) return false
  return withoutQueryAndSlash(asked) === withoutQueryAndSlash(ours)
}

function withoutQueryAndSlash(parts: Readonly<Record<string, string | undefined>>): string {
  const scheme = String(parts['scheme']).toLowerCase()
  const host = String(parts['host']).toLowerCase()
  const port = parts['port'] ?? (scheme === 'https' ? '443' : '80')
  return `${scheme}://${host}:${port}${(parts['path'] ?? '').replace(/\/$/, '')}`
}
