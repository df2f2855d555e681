// An authorization request that waits for a person: found again by its handle, by the browser that it began in and no other.
import { digest } from '../runtime/digest.js'
import type { Stored } from '../stores/collection.js'
import { keyOf } from './clients.js'
import type { Arrival, AuthorizationRequest, Decision, TransactionRecord } from './records.js'
import type { AuthorizationServer } from './server.js'

/** A transaction as it was read. */
export interface Transaction {
  readonly handle: string
  readonly stored: Stored<TransactionRecord>
}

/**
 * Puts a request aside.
 *
 * @param browserId what the cookie of the browser says
 * @returns the handle
 */
export async function beginTransaction(
  request: AuthorizationRequest,
  browserId: string,
  arrival: Arrival,
  server: AuthorizationServer,
): Promise<string> {
  const { deps, settings, transactions } = server
  const handle = deps.randomId()
  const startedAt = deps.now()
  const record: TransactionRecord = { request, browser: digest(browserId), startedAt, arrival }
  await transactions.put(keyOf(handle), record, startedAt + settings.transactionSeconds * 1000)
  return handle
}

/** Finds a transaction; says why where it cannot go on in this browser. */
export async function findTransaction(
  handle: string | undefined,
  browserId: string | undefined,
  server: AuthorizationServer,
): Promise<Transaction | 'expired' | 'other_browser'> {
  const stored = handle === undefined ? undefined : await server.transactions.get(keyOf(handle))
  if (handle === undefined || stored === undefined) return 'expired'
  if (browserId === undefined || digest(browserId) !== stored.data.browser) return 'other_browser'
  return { handle, stored }
}

/** Notes a decision. True for the one that decided. */
export async function decideTransaction(
  { handle, stored }: Transaction,
  decided: Decision,
  server: AuthorizationServer,
): Promise<boolean> {
  const written = await server.transactions.replace(keyOf(handle), stored, { ...stored.data, decided })
  return written !== undefined
}
