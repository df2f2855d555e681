import { describe, expect, it } from '@jest/globals'
import { SECRET } from '../support/authorization-server.js'
import { createRecorder } from '../support/recorder.js'
import { BASE_URL, createServer } from '../support/server.js'

describe('OwnTokens', () => {
  it('takes a token whose grant lives, and says what it says', async () => {
    const test = createServer()
    const { access_token: token } = await test.tokens()
    expect(await test.server.tokens.verify(token)).toMatchObject({
      clientId: 'app',
      subject: 'ada',
      issuer: BASE_URL,
      scopes: ['read', 'write'],
      claims: { email: 'ada@example.com', aud: `${BASE_URL}/mcp` },
    })
  })

  it('refuses one whose grant was revoked, and says so to operators', async () => {
    const test = createServer()
    const { access_token: token, grantId } = await test.tokens()
    const { context, reasons } = createRecorder()
    await test.server.grants.remove(grantId)
    expect(await test.server.tokens.verify(token, context)).toBeNull()
    expect(reasons).toEqual([
      { stage: 'revoked', expected: 'a grant that lives', got: 'one that was revoked' },
    ])
  })

  it('refuses those of generations that were given up, and takes the later ones', async () => {
    const test = createServer()
    const { grantId } = await test.tokens()
    const stored = (await test.server.grants.get(grantId))!
    const alive = async (generation: number): Promise<boolean> => {
      const token = test.server.issuer.issue(grantId, { ...stored.data, generation }, ['read'])
      return (await test.server.tokens.verify(token)) !== null
    }
    expect([await alive(1), await alive(2)]).toEqual([true, true])
    await test.server.grants.replace(grantId, stored, { ...stored.data, revokedGeneration: 1 })
    expect([await alive(0), await alive(1), await alive(2)]).toEqual([false, false, true])
  })

  it('refuses one of a grant whose code was not used, and one that names no grant', async () => {
    const test = createServer()
    const { grantId } = await test.begin()
    const waiting = (await test.server.grants.get(grantId))!.data
    for (const id of [grantId, 'y'.repeat(24), 'no ID'])
      expect(await test.server.tokens.verify(test.server.issuer.issue(id, waiting, ['read']))).toBeNull()
  })

  it('refuses one at its end, which no clock of a replica moves', async () => {
    const test = createServer({ accessTokenSeconds: 60 })
    const { access_token: token } = await test.tokens()
    test.clock.advance(59)
    expect(await test.server.tokens.verify(token)).not.toBeNull()
    test.clock.advance(1)
    expect(await test.server.tokens.verify(token)).toBeNull()
  })

  it('refuses tokens of another secret, issuer or resource', async () => {
    const test = createServer()
    for (const options of [
      { secret: `another ${SECRET}` },
      { baseUrl: 'https://other.example' },
      { resourceUrl: `${BASE_URL}/other` },
    ]) {
      const other = createServer({ ...options, store: test.store })
      const { access_token: token } = await other.tokens()
      expect(await other.server.tokens.verify(token)).not.toBeNull()
      expect(await test.server.tokens.verify(token)).toBeNull()
    }
  })

  it('F18 takes tokens of the secret before, which is listed behind the new one', async () => {
    const before = createServer()
    const tokens = await before.tokens()
    const now = createServer({ secret: [`another ${SECRET}`, SECRET], store: before.store })
    expect(await now.server.tokens.verify(tokens.access_token)).toMatchObject({ subject: 'ada' })
    const renewed = await now.refresh(tokens.refresh_token)
    expect(await now.server.tokens.verify(renewed.access_token)).not.toBeNull()
    expect(await before.server.tokens.verify(renewed.access_token)).toBeNull()
  })

  it('G7 rejects where the store cannot say', async () => {
    const test = createServer()
    const { access_token: token } = await test.tokens()
    test.store.before = () => {
      throw new Error('away')
    }
    await expect(test.server.tokens.verify(token)).rejects.toThrow('away')
    expect(await test.server.tokens.verify('x')).toBeNull()
  })
})
