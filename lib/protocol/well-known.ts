// RFC 9728 3.1 and RFC 8414 3.1: where metadata of an identifier with or without a path is looked for.

/** The part of an absolute URL before its path, as it was written. */
export function originOf(url: string): string {
  return (/^[^:]+:\/\/[^/?#]*/.exec(url) as RegExpExecArray)[0]
}

/** The path of an absolute URL, as it was written; empty for a bare origin. */
export function pathOf(url: string): string {
  return url.slice(originOf(url).length)
}

/** The well-known path that belongs to an identifier: the suffix goes between host and path. */
export function wellKnownPath(suffix: string, identifier: string): string {
  const path = pathOf(identifier)
  return `/.well-known/${suffix}${path === '/' ? '' : path}`
}

/** Every path at which the protected resource metadata of one resource is served: path form and root form. */
export function protectedResourcePaths(resourceUrl: string): string[] {
  const own = wellKnownPath('oauth-protected-resource', resourceUrl)
  return [...new Set([own, '/.well-known/oauth-protected-resource'])]
}

/** The URL that challenges point at. */
export function protectedResourceUrl(resourceUrl: string): string {
  return originOf(resourceUrl) + wellKnownPath('oauth-protected-resource', resourceUrl)
}

/**
 * Every path at which the metadata of an authorization server is looked for (RFC 8414 3.1 and 5, MCP authorization server discovery),
 * and at the root, where clients of 2025-03-26 look.
 */
export function authorizationServerPaths(issuer: string): {
  readonly oauth: string[]
  readonly openid: string[]
} {
  const path = pathOf(issuer).replace(/\/$/, '')
  const oauth = ['oauth-authorization-server', `oauth-authorization-server${path}`]
  const openid = ['openid-configuration', `openid-configuration${path}`]
  const below = path === '' ? [] : [`${path}/.well-known/openid-configuration`]
  return {
    oauth: [...new Set(oauth.map((suffix) => `/.well-known/${suffix}`))],
    openid: [...new Set([...openid.map((suffix) => `/.well-known/${suffix}`), ...below])],
  }
}

const DISCOVERY =
  /^\/\.well-known\/(?:oauth-protected-resource|oauth-authorization-server|openid-configuration)(?:\/|$)/

/** Whether a client that looks for metadata asked for this path: unknown ones are answered 404, not challenged. */
export function isDiscoveryPath(path: string): boolean {
  return DISCOVERY.test(path) || path.endsWith('/.well-known/openid-configuration')
}
