// A store by its kind and address, as several processes open it.
import { createClient } from 'redis'
import { Pool } from 'pg'
import type { Store } from '../../lib/stores/store.js'
import { PostgresStore } from '../../lib/stores/postgres.js'
import { RedisStore } from '../../lib/stores/redis.js'
import { SqliteStore } from '../../lib/stores/sqlite.js'

export async function createStore(
  kind: string,
  url: string,
): Promise<{ store: Store; end: () => Promise<unknown> }> {
  if (kind === 'sqlite') {
    const store = new SqliteStore({ path: url })
    return { store, end: () => store.close() }
  }
  if (kind === 'redis') {
    const client = createClient({ url })
    await client.connect()
    return { store: new RedisStore({ client }), end: () => client.close() }
  }
  const pool = new Pool({ connectionString: url, max: 5 })
  // Connections that are idle may outlive end(), and are told when the server stops.
  pool.on('error', () => undefined)
  return { store: new PostgresStore({ pool }), end: () => pool.end() }
}
