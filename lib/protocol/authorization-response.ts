// RFC 6749 4.1.2 and RFC 9207 2: where the browser is sent, with a code or an error, the state, and the issuer exactly once.

/** The names that a response owns: a redirect URI that carries one of them loses it. */
const OWN = new Set(['code', 'state', 'iss', 'error', 'error_description', 'error_uri'])

/** What a response says. Undefined members are left out. */
export interface AuthorizationResponse {
  readonly code?: string | undefined
  readonly error?: string | undefined
  readonly error_description?: string | undefined
  readonly state?: string | undefined
  readonly iss: string
}

/** Appends a response to a redirect URI, whose own query stays as it was written. */
export function buildAuthorizationResponse(redirectUri: string, response: AuthorizationResponse): string {
  const question = redirectUri.indexOf('?')
  const base = question === -1 ? redirectUri : redirectUri.slice(0, question)
  const kept =
    question === -1
      ? []
      : redirectUri
          .slice(question + 1)
          .split('&')
          .filter(isForeign)
  const said = Object.entries(response)
    .filter(([, value]) => value !== undefined)
    // Half of a surrogate pair cannot be encoded; only JSON brings one.
    .map(
      ([name, value]) => `${name}=${encodeURIComponent(String(value).replace(/\p{Surrogate}/gu, '\uFFFD'))}`,
    )
  return `${base}?${[...kept, ...said].join('&')}`
}

function isForeign(part: string): boolean {
  const [name] = new URLSearchParams(part).keys()
  return name !== undefined && !OWN.has(name)
}
