// The life of a grant: begun by a decision, ended by its client, its user, or a sign that somebody stole from it.
import type { RevocationCause } from '../runtime/events.js'
import type { Stored } from '../stores/collection.js'
import { type GrantGeneration, codeOf, readTokenId } from './handles.js'
import { keyOf } from './clients.js'
import type {
  AuthorizationRequest,
  Client,
  Connection,
  ConnectionsRecord,
  GrantRecord,
  User,
} from './records.js'
import type { AuthorizationServer, Report } from './server.js'

/** What is granted to whom. */
export interface Granted {
  readonly client: Client
  readonly request: AuthorizationRequest
  readonly user: User
  readonly scopes: readonly string[]
}

/**
 * Begins a grant under an ID that is not in use.
 *
 * @returns the code
 */
export async function beginGrant(
  granted: Granted,
  grantId: string,
  server: AuthorizationServer,
): Promise<string> {
  const { client, request, user, scopes } = granted
  const now = server.deps.now()
  const { redirectUri, challenge } = request
  // The index first: an entry without a grant is passed over, a grant without an entry could not be found by its user.
  await server.clients.keep(client)
  await addConnection(user.subject, { grantId, clientId: client.clientId, since: now }, server)
  const record: GrantRecord = {
    clientId: client.clientId,
    subject: user.subject,
    claims: user.claims,
    scopes,
    startedAt: now,
    code: { redirectUri, challenge },
    refreshable: isRefreshable(granted),
    generation: 0,
    rotatedAt: now,
  }
  await server.grants.put(grantId, record, now + server.settings.codeSeconds * 1000)
  return codeOf(server.keys, grantId)
}

/** By what the client registered, or by asking for `offline_access`, which the user may leave out. */
function isRefreshable({ client, request, scopes }: Granted): boolean {
  if (request.scopes.includes('offline_access')) return scopes.includes('offline_access')
  return client.grantTypes.includes('refresh_token')
}

/** Ends a grant: from the next request on, everything that came of it is worth nothing, in every process. */
export async function revokeGrant(
  grantId: string,
  { clientId, subject }: GrantRecord,
  why: RevocationCause,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  if (await server.grants.remove(grantId)) report({ type: 'grant.revoked', clientId, subject, why })
}

/** The grant behind an access token that is still good; undefined where it was revoked or has ended. */
export async function findLiveGrant(
  jti: unknown,
  server: AuthorizationServer,
): Promise<(GrantGeneration & { readonly grant: Stored<GrantRecord> }) | undefined> {
  const named = readTokenId(jti)
  const grant = named && (await server.grants.get(named.grantId))
  if (named === undefined || grant === undefined || grant.data.code !== undefined) return undefined
  const { revokedGeneration = -1 } = grant.data
  return named.generation > revokedGeneration ? { ...named, grant } : undefined
}

/** The grants of a user that still live, the newest first. */
export async function listConnections(
  subject: string,
  server: AuthorizationServer,
): Promise<(Connection & { readonly scopes: readonly string[] })[]> {
  const index = await server.connections.get(keyOf(subject))
  const living = await Promise.all(
    (index?.data.connections ?? []).map(async (connection) => {
      const grant = await server.grants.get(connection.grantId)
      return grant === undefined || grant.data.code !== undefined
        ? []
        : [{ ...connection, scopes: grant.data.scopes }]
    }),
  )
  return living.flat()
}

/** Ends every grant that a user gave to a client, which then has to ask again. */
export async function disconnect(
  subject: string,
  clientId: string,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  await server.remembered.remove(keyOf(subject, clientId))
  const index = await server.connections.get(keyOf(subject))
  for (const connection of index?.data.connections ?? []) {
    if (connection.clientId !== clientId) continue
    const grant = await server.grants.get(connection.grantId)
    if (grant !== undefined) await revokeGrant(connection.grantId, grant.data, 'user', server, report)
  }
}

/** A grant that is used for months outlives the records that it is found by, unless they are renewed with it. */
export async function keepGrantKnown(
  grantId: string,
  { subject, clientId, startedAt, rotatedAt }: GrantRecord,
  client: Client,
  server: AuthorizationServer,
): Promise<void> {
  await server.clients.keep(client)
  const lifetime = server.settings.refreshTokenSeconds * 1000
  const age = (now: number): number => Math.floor((now - startedAt) / lifetime)
  // Once in a lifetime is enough for an index that lives for two.
  if (age(server.deps.now()) === age(rotatedAt)) return
  await addConnection(subject, { grantId, clientId, since: startedAt }, server)
}

/** The oldest grants of a user with more are ended, so that everything which lives can be seen and revoked. */
const MOST_CONNECTIONS = 200
/** So often the index is cleared of what has ended: each entry is a read. */
const CLEARED_EVERY = 20
/** An entry is there before its grant is: one that another process is just adding must not be cleared. */
const YOUNG_MILLISECONDS = 5 * 60_000

async function addConnection(
  subject: string,
  connection: Connection,
  server: AuthorizationServer,
): Promise<void> {
  const key = keyOf(subject)
  const expiresAt = server.deps.now() + 2 * server.settings.refreshTokenSeconds * 1000
  for (;;) {
    const read = await server.connections.get(key)
    if (read === undefined) {
      const alone: ConnectionsRecord = { connections: [connection] }
      if (await server.connections.create(key, alone, expiresAt)) return
      // What stands there and cannot be read, e.g. after the secret was changed, would never let anybody pass.
      if ((await server.connections.get(key)) === undefined) {
        await server.connections.put(key, alone, expiresAt)
        return
      }
      continue
    }
    const { grantId } = connection
    const others = (await withoutEnded(read.data, server)).filter((other) => other.grantId !== grantId)
    const all = [connection, ...others].toSorted((one, other) => other.since - one.since)
    const connections = all.slice(0, MOST_CONNECTIONS)
    if (!(await server.connections.replace(key, read, { connections }, expiresAt))) continue
    for (const ended of all.slice(MOST_CONNECTIONS)) await server.grants.remove(ended.grantId)
    return
  }
}

async function withoutEnded(
  { connections }: ConnectionsRecord,
  server: AuthorizationServer,
): Promise<readonly Connection[]> {
  if (connections.length % CLEARED_EVERY !== 0) return connections
  const young = server.deps.now() - YOUNG_MILLISECONDS
  const living = await Promise.all(
    connections.map(
      async ({ grantId, since }) => since > young || (await server.grants.get(grantId)) !== undefined,
    ),
  )
  return connections.filter((_, index) => living[index])
}
