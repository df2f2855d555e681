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

/** Reads a transaction, whoever asks: for those who come by another way than its browser's cookie. */
export async function readTransaction(
  handle: string,
  server: AuthorizationServer,
): Promise<Transaction | undefined> {
  const stored = await server.transactions.get(keyOf(handle))
  return stored && { handle, stored }
}

/** Finds a transaction; says why where it cannot go on in this browser. */
export async function findTransaction(
  handle: string | undefined,
  browserId: string | undefined,
  server: AuthorizationServer,
): Promise<Transaction | 'expired' | 'other_browser'> {
  const transaction = handle === undefined ? undefined : await readTransaction(handle, server)
  if (transaction === undefined) return 'expired'
  const isOurs = browserId !== undefined && digest(browserId) === transaction.stored.data.browser
  return isOurs ? transaction : 'other_browser'
}

/** Notes a decision. True for the one that decided. */
export async function decideTransaction(
  transaction: Transaction,
  decided: Decision,
  server: AuthorizationServer,
): Promise<boolean> {
  let current: Transaction | undefined = transaction
  // It may have been changed since it was read without being decided.
  while (current !== undefined && current.stored.data.decided === undefined) {
    const { handle, stored }: Transaction = current
    if (await server.transactions.replace(keyOf(handle), stored, { ...stored.data, decided })) return true
    current = await readTransaction(handle, server)
  }
  return false
}
