// What a user is connected to: an index of grants by user, written before the grant and never the truth about it.
import { keyOf } from './clients.js'
import { endGrant } from './grants.js'
import { giveBack } from './kept-upstream.js'
import type { Client, Connection, ConnectionsRecord, GrantRecord } from './records.js'
import type { AuthorizationServer, Report } from './server.js'

/** A grant of a user that lives. */
export interface LivingConnection extends Connection {
  readonly scopes: readonly string[]
}

/** The grants of a user that still live, the newest first. */
export async function listConnections(
  subject: string,
  server: AuthorizationServer,
): Promise<LivingConnection[]> {
  const index = await server.connections.get(keyOf(subject))
  const living = await inTurns(index?.data.connections ?? [], async (connection) => {
    const grant = await server.grants.get(connection.grantId)
    return grant === undefined || grant.data.waits === true
      ? []
      : [{ ...connection, scopes: grant.data.scopes }]
  })
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
  const connections = index?.data.connections.filter((connection) => connection.clientId === clientId) ?? []
  await endConnections(connections, server, report)
}

/** Ends everything that a user granted, and every session of theirs that began before. */
export async function disconnectUser(
  subject: string,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const key = keyOf(subject)
  for (;;) {
    const signedOutAt = server.deps.now()
    const read = await server.connections.get(key)
    const connections = read?.data.connections ?? []
    // The sessions first. What is granted from here on is none of this user's any more, or found in the next turn.
    const ended: ConnectionsRecord = { connections: [], signedOutAt }
    const written =
      read === undefined
        ? await server.connections.create(key, ended, lifeOfIndex(server))
        : await server.connections.replace(key, read, { ...ended, connections }, lifeOfIndex(server))
    if (written === undefined) {
      await makeWay(key, server)
      continue
    }
    for (const { clientId } of connections) await server.remembered.remove(keyOf(subject, clientId))
    await endConnections(connections, server, report)
    // Somebody who granted something meanwhile has it ended in the next turn.
    if ((await server.connections.replace(key, written, ended, lifeOfIndex(server))) !== undefined) return
  }
}

/** Whether a grant is in the index of its user. One that began while everything of that user was being ended is not. */
export async function isListed(
  grantId: string,
  { subject }: GrantRecord,
  server: AuthorizationServer,
): Promise<boolean> {
  const index = await server.connections.get(keyOf(subject))
  return index?.data.connections.some((connection) => connection.grantId === grantId) === true
}

/** Whether a session that began then was ended since, with everything else of its user. */
export async function isSignedOut(
  subject: string,
  signedInAt: number,
  server: AuthorizationServer,
): Promise<boolean> {
  const index = await server.connections.get(keyOf(subject))
  return signedInAt <= (index?.data.signedOutAt ?? -Infinity)
}

/** A grant that is used for months outlives the records that it is found by, unless they are renewed with it. */
export async function keepGrantKnown(
  grantId: string,
  { subject, clientId, startedAt, rotatedAt }: GrantRecord,
  client: Client,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  await server.clients.keep(client)
  const lifetime = server.settings.refreshTokenSeconds * 1000
  const age = (now: number): number => Math.floor((now - startedAt) / lifetime)
  // Once in a lifetime is enough for an index that lives for two.
  if (age(server.deps.now()) === age(rotatedAt)) return
  await addConnection(subject, { grantId, clientId, since: startedAt }, server, report)
}

/** Twice as long as anything in it can live without being renewed. */
function lifeOfIndex({ settings, deps }: AuthorizationServer): number {
  return deps.now() + 2 * Math.max(settings.refreshTokenSeconds, settings.accessTokenSeconds) * 1000
}

/** So many grants a user may have, so that everything which lives can be seen and revoked. */
const MOST_CONNECTIONS = 200
/** So often the index is cleared of what has ended: each entry is a read. */
const CLEARED_EVERY = 20
/** An entry is there before its grant is: one that another process is just adding must not be cleared. */
const YOUNG_MILLISECONDS = 5 * 60_000

/** Adds a grant to the index of its user, before it begins. */
export async function addConnection(
  subject: string,
  connection: Connection,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const key = keyOf(subject)
  for (;;) {
    const read = await server.connections.get(key)
    if (read === undefined) {
      const alone: ConnectionsRecord = { connections: [connection] }
      if ((await server.connections.create(key, alone, lifeOfIndex(server))) !== undefined) return
      await makeWay(key, server)
      continue
    }
    const others = (await withoutEnded(read.data, server)).filter(
      ({ grantId }) => grantId !== connection.grantId,
    )
    const { kept, ended } = withinBounds(
      [connection, ...others].toSorted((one, other) => other.since - one.since),
    )
    // Ended before they leave the index: what lives is always in it.
    await endConnections(ended, server, report)
    const next: ConnectionsRecord = { ...read.data, connections: kept }
    if ((await server.connections.replace(key, read, next, lifeOfIndex(server))) !== undefined) return
  }
}

/** What stands there and cannot be read, e.g. after the secret was changed, would never let anybody pass. */
async function makeWay(key: string, server: AuthorizationServer): Promise<void> {
  if ((await server.connections.get(key)) === undefined) await server.connections.remove(key)
}

/** Whoever has the most makes room, by the oldest of its own: no client ends what another was granted. */
function withinBounds(connections: readonly Connection[]): {
  kept: readonly Connection[]
  ended: readonly Connection[]
} {
  const kept = [...connections]
  const ended: Connection[] = []
  while (kept.length > MOST_CONNECTIONS) {
    const counts = new Map<string, number>()
    for (const { clientId } of kept) counts.set(clientId, (counts.get(clientId) ?? 0) + 1)
    const most = Math.max(...counts.values())
    const oldest = kept.findLastIndex(({ clientId }) => counts.get(clientId) === most)
    ended.push(...kept.splice(oldest, 1))
  }
  return { kept, ended }
}

async function withoutEnded(
  { connections }: ConnectionsRecord,
  server: AuthorizationServer,
): Promise<readonly Connection[]> {
  if (connections.length % CLEARED_EVERY !== 0) return connections
  const young = server.deps.now() - YOUNG_MILLISECONDS
  const living = await inTurns(
    connections,
    async ({ grantId, since }) => since > young || (await server.grants.get(grantId)) !== undefined,
  )
  return connections.filter((_, index) => living[index])
}

/** All of them first: giving back what is behind them may take its time, and the identity provider may be away. */
async function endConnections(
  connections: readonly Connection[],
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const ended = await inTurns(connections, async ({ grantId }) => {
    const grant = await server.grants.get(grantId)
    const removed = grant && (await endGrant(grantId, grant.data, 'user', server, report))
    return removed === undefined ? [] : [{ grantId, removed }]
  })
  await inTurns(ended.flat(), ({ grantId, removed }) => giveBack(grantId, removed, server, report))
}

const AT_ONCE = 20

/** A few at a time: one user with many grants must not take all of a store's connections. */
async function inTurns<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = []
  for (let start = 0; start < items.length; start += AT_ONCE) {
    results.push(...(await Promise.all(items.slice(start, start + AT_ONCE).map(work))))
  }
  return results
}
