// What the endpoints of an authorization server may answer, exactly, and what still lives after a request.
import type { AuthEvent } from 'express-mcp-auth'
import {
  type Answer,
  type AuthorizationSite,
  type Registered,
  type Tokens,
  startAuthorizationSite,
} from '../support/authorization-server.js'
import { closing } from './attempt.js'

/** Everything of an answer that a client goes by. */
export interface SeenAnswer {
  readonly status: number
  readonly cache: string | null
  readonly pragma: string | null
  readonly challenge: string | null
  readonly retryAfter: string | null
  readonly body: unknown
}

export function seen({ status, headers, body }: Answer): SeenAnswer {
  return {
    status,
    cache: headers.get('cache-control'),
    pragma: headers.get('pragma'),
    challenge: headers.get('www-authenticate'),
    retryAfter: headers.get('retry-after'),
    body,
  }
}

const NOT_STORED = { cache: 'no-store', pragma: 'no-cache', challenge: null, retryAfter: null }

/** A good answer. */
export function answered(body: unknown, status = 200): SeenAnswer {
  return { ...NOT_STORED, status, body }
}

export function refused(error: string, description: string, status = 400): SeenAnswer {
  return { ...NOT_STORED, status, body: { error, error_description: description.replaceAll('"', "'") } }
}

export const INVALID_GRANT: SeenAnswer = refused(
  'invalid_grant',
  'The grant is invalid, expired, used, revoked, or was issued to another client',
)

export const INVALID_CLIENT: SeenAnswer = refused(
  'invalid_client',
  'The client is unknown, or did not authenticate as it was registered to',
  401,
)

/** The same for whoever tried the Authorization header. */
export const INVALID_BASIC: SeenAnswer = { ...INVALID_CLIENT, challenge: 'Basic realm="token"' }

export const UNAVAILABLE: SeenAnswer = {
  ...refused('temporarily_unavailable', 'This could not be done right now, try again shortly', 503),
  retryAfter: '5',
}

export function basic(id: string, secret: string): { readonly authorization: string } {
  const encoded = `${encodeForm(id)}:${encodeForm(secret)}`
  return { authorization: `Basic ${Buffer.from(encoded).toString('base64')}` }
}

/** RFC 6749 appendix B. */
function encodeForm(text: string): string {
  return new URLSearchParams({ a: text }).toString().slice(2)
}

/** The request that redeems a code. */
export function redemption(
  client: Pick<Registered, 'client_id'>,
  { code, verifier }: { readonly code: string; readonly verifier: string },
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return {
    grant_type: 'authorization_code',
    client_id: client.client_id,
    code,
    code_verifier: verifier,
    ...more,
  }
}

/** The request that renews tokens. */
export function renewal(
  client: Pick<Registered, 'client_id'>,
  { refresh_token: token }: Pick<Tokens, 'refresh_token'>,
  more: Readonly<Record<string, string>> = {},
): Record<string, string> {
  return { grant_type: 'refresh_token', client_id: client.client_id, refresh_token: token, ...more }
}

/** Whether the guarded endpoint still takes a token. */
export async function isActive(
  site: AuthorizationSite,
  { access_token: token }: Pick<Tokens, 'access_token'>,
): Promise<boolean> {
  const { status } = await site.call(token)
  if (status !== 200 && status !== 401) throw new Error(`neither yes nor no: ${status}`)
  return status === 200
}

/** Starts a server that ends with the file. */
export async function startClosing(
  ...options: Parameters<typeof startAuthorizationSite>
): Promise<AuthorizationSite> {
  return closing(await startAuthorizationSite(...options))
}

/** A second process of the same server: another port, the same URL, store and clock. */
export async function startReplica(
  site: AuthorizationSite,
  options: Parameters<typeof startAuthorizationSite>[0] = {},
): Promise<AuthorizationSite> {
  return startClosing({ baseUrl: site.issuer, store: site.store, deps: site.clock, ...options })
}

/** Events of one kind. */
export function eventsOf<Type extends AuthEvent['type']>(
  { events }: Pick<AuthorizationSite, 'events'>,
  type: Type,
): Extract<AuthEvent, { type: Type }>[] {
  return events.filter((event): event is Extract<AuthEvent, { type: Type }> => event.type === type)
}
