// An index, never the truth: whatever becomes of it, nobody is kept out and no grant is hidden.
import { describe, expect, it } from '@jest/globals'
import { disconnectUser, listConnections } from '../../lib/authorization-server/connections.js'
import { digest } from '../../lib/runtime/digest.js'
import { ADA, collectionOf, createServer } from '../support/server.js'

describe('the index of connections', () => {
  it('F19 that cannot be read keeps nobody from ending everything, nor from coming back', async () => {
    const test = createServer()
    await test.tokens()
    const names = [collectionOf('connections'), digest(ADA.subject)] as const
    const expiresAt = test.clock.now() + 86_400_000
    await test.store.put(...names, { value: 'written with another secret', version: 'v', expiresAt })

    await disconnectUser(ADA.subject, test.server, test.report)
    test.clock.advance(1)
    await test.tokens()

    expect(await listConnections(ADA.subject, test.server)).toHaveLength(1)
  })

  it('F9 keeps the entry of a grant that another process is just about to begin', async () => {
    const test = createServer()
    for (let n = 0; n < 19; n++) await test.tokens()
    let others = 0
    test.store.before = async ({ method, collection }) => {
      // The twentieth is in the index, its grant is not yet there, and the twenty-first clears the index.
      if (method !== 'put' || collection !== collectionOf('grants') || others++ > 0) return
      await test.tokens()
    }
    await test.tokens()

    expect(await listConnections(ADA.subject, test.server)).toHaveLength(21)
  })
})
