// A process that writes to a SQLite file until it is killed, sixteen at once, and says what was accepted.
import { SqliteStore } from '../../lib/stores/sqlite.js'

const [, , path = ''] = process.argv
const store = new SqliteStore({ path })
const expiresAt = Date.now() + 3600_000

await Promise.all(
  Array.from({ length: 16 }, async (_, writer) => {
    for (let n = 0; ; n++) {
      const key = `w${writer}-${n}`
      await store.put('writer', key, { value: 'first', version: 'first', expiresAt })
      const done = await store.compareAndSwap('writer', key, 'first', {
        value: 'second',
        version: 'second',
        expiresAt,
      })
      if (done) process.send?.(key)
    }
  }),
)
