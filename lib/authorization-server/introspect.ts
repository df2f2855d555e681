// RFC 7662 2.2: what a token is, told to the client it belongs to, and to the resource it is for.
import { type GrantGeneration, readRefreshToken } from './handles.js'
import type { Client } from './records.js'
import type { AuthorizationServer } from './server.js'

/** The answer, RFC 7662 2.2. */
export type Introspection =
  { readonly active: false } | ({ readonly active: true } & Readonly<Record<string, unknown>>)

const INACTIVE: Introspection = { active: false }

/** Whatever cannot be told to this client is not active, and nothing else is said. */
export async function introspectToken(
  token: string,
  client: Client,
  server: AuthorizationServer,
): Promise<Introspection> {
  const named = readRefreshToken(server.keys, token)
  return named === undefined
    ? introspectAccessToken(token, client, server)
    : introspectRefreshToken(named, client, server)
}

async function introspectAccessToken(
  token: string,
  client: Client,
  server: AuthorizationServer,
): Promise<Introspection> {
  const own = await server.tokens.read(token)
  if (own === null) return INACTIVE
  // A resource server is the configured client that is called as the resource.
  const isResource = client.origin === 'configured' && client.clientId === server.settings.resource
  if (own.clientId !== client.clientId && !isResource) return INACTIVE
  if ((await server.tokens.verify(token)) === null) return INACTIVE
  // What the token says itself: what an identity provider says of its user beside that is for tools.
  return { ...own.claims, active: true, token_type: 'Bearer' }
}

/** Only the newest of a grant counts, and only to its own client. */
async function introspectRefreshToken(
  { grantId, generation }: GrantGeneration,
  client: Client,
  server: AuthorizationServer,
): Promise<Introspection> {
  const grant = await server.grants.get(grantId)
  if (grant?.data.clientId !== client.clientId || grant.data.generation !== generation) return INACTIVE
  const { clientId, subject, scopes } = grant.data
  return {
    active: true,
    client_id: clientId,
    sub: subject,
    scope: scopes.join(' '),
    iss: server.settings.issuer,
    exp: Math.floor(grant.expiresAt / 1000),
  }
}
