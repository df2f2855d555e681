// RFC 6749 3.3: scope tokens, and which of them a request still lacks.

/** Whether holding one scope includes another: `(held, needed) => boolean`. Equal scopes never ask it. */
export type ScopeImplies = (held: string, needed: string) => boolean

/** One scope token: printable ASCII without space, quote and backslash. */
export function isScope(value: string): boolean {
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value)
}

/** Splits a space-delimited scope string; repeats and empty parts are dropped. */
export function parseScopes(text: string): string[] {
  return [...new Set(text.split(' ').filter((scope) => scope !== ''))]
}

/** Writes scopes as one parameter value. What is no scope token cannot be written and is left out. */
export function formatScopes(scopes: readonly string[]): string {
  return scopes.filter(isScope).join(' ')
}

/** The needed scopes that are not held; whole tokens are compared, so `readwrite` is not `read`. */
export function missingScopes(
  held: readonly string[],
  needed: readonly string[],
  implies?: ScopeImplies,
): string[] {
  return needed.filter((scope) => !holdsScope(held, scope, implies))
}

/** Whether one scope is held, outright or through a broader one. */
export function holdsScope(held: readonly string[], needed: string, implies?: ScopeImplies): boolean {
  if (held.includes(needed)) return true
  return implies !== undefined && held.some((scope) => implies(scope, needed))
}

/** Scopes for a challenge or a metadata document, where MCP does not want `offline_access` to be named. */
export function publicScopes(scopes: readonly string[]): string[] {
  return [...new Set(scopes)].filter((scope) => scope !== 'offline_access')
}
