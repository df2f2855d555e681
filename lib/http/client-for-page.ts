// What a page says of a client: its own words, and what of them is verified.
import type { Client } from '../authorization-server/records.js'
import type { AuthorizationServer, Report } from '../authorization-server/server.js'
import type { Transaction } from '../authorization-server/transaction.js'
import type { PageClient } from '../pages/page.js'

/** How a client is shown. */
export function describeClient({ clientId, name, uri, origin }: Client): PageClient {
  return {
    clientId,
    name,
    uri,
    configured: origin === 'configured',
    // The document was fetched from there: nobody else could have put it there.
    domain: origin === 'document' ? new URL(clientId).host : undefined,
  }
}

/** The client of a transaction; undefined where it is no longer known. */
export async function clientForPage(
  { stored }: Transaction,
  server: AuthorizationServer,
  report: Report,
): Promise<PageClient | undefined> {
  const client = await server.clients.find(stored.data.request.clientId, report)
  return client && describeClient(client)
}
